"""What the net is: layers, widths, normalisation, activations."""

from overfit.nn import activations
from overfit.study.arms import Technique
from overfit.study.techniques import changes

convolution = Technique(
    'convolutions before the hidden layer',
    'model',
    'LeCun 1998',
    change=changes.convolution,
    applies=changes.to_dense_nets_on_images,
    order=0,
)
batch_norm = Technique(
    'batch normalisation',
    'normalisation',
    'Ioffe & Szegedy 2015',
    change=changes.model(batch_norm=True),
    applies=changes.to_layers,
)
wider = Technique('twice as wide', 'width', 'folklore', change=changes.wider, applies=changes.to_layers)
deeper = Technique('two layers deeper', 'depth', 'folklore', change=changes.deeper, applies=changes.to_layers)
sigmoid = Technique(
    'sigmoid instead of ReLU',
    'activation',
    'Rumelhart 1986',
    changes.rate(3e-2, 10.0),
    changes.model(activation=activations.sigmoid),
    changes.to_layers,
)
tanh = Technique(
    'tanh instead of ReLU',
    'activation',
    'LeCun 1998',
    change=changes.model(activation=activations.tanh),
    applies=changes.to_layers,
)
maxout = Technique(
    'maxout of 2 instead of ReLU',
    'activation',
    'Goodfellow 2013',
    change=changes.model(activation=activations.maxout(2)),
    applies=changes.to_layers,
)
leaky_relu = Technique(
    'leaky ReLU instead of ReLU',
    'activation',
    'Maas 2013',
    change=changes.model(activation=activations.leaky_relu),
    applies=changes.to_layers,
)
gelu = Technique(
    'GELU instead of ReLU',
    'activation',
    'Hendrycks & Gimpel 2016',
    change=changes.model(activation=activations.gelu),
    applies=changes.to_layers,
)
oriented_gradients = Technique(
    'oriented gradients before the hidden layers',
    'model',
    'Dalal & Triggs 2005',
    change=changes.gradients,
    applies=changes.to_dense_nets_on_images,
    order=0,
)
harmonic = Technique(
    'convolutions on harmonic filters',
    'model',
    'Ulicny 2022',
    change=changes.harmonic,
    applies=changes.to_plain_nets_on_images,
    order=0,
)
patch_whitening = Technique(
    'convolutions on whitened patches',
    'model',
    'Jordan 2024',
    change=changes.whitening,
    applies=changes.to_plain_nets_on_images,
    order=0,
)
two_resolutions = Technique(
    'two nets concatenated: full and half resolution',
    'towers',
    'Sermanet & LeCun 2011',
    change=changes.two_resolutions,
    applies=changes.to_plain_nets_on_images,
    order=60,
)
