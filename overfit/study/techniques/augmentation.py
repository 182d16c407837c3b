"""Random changes of the inputs."""

from overfit.data import augment
from overfit.study.arms import Technique
from overfit.study.techniques import changes

shift = Technique(
    'augmentation: shift',
    'augmentation',
    'Simard 2003',
    changes.only('shift'),
    changes.augment(augment.geometric),
    changes.to_images,
    order=71,
)
shift_rotate = Technique(
    'augmentation: shift, rotate, zoom',
    'augmentation',
    'Simard 2003',
    changes.only('shift', 'rotate', 'zoom'),
    changes.augment(augment.geometric),
    changes.to_images,
    order=71,
)
flip = Technique(
    'augmentation: left-right flip',
    'flip',
    'Krizhevsky 2012',
    {'flip': 0.5},
    changes.augment(augment.geometric),
    changes.to_images,
    order=71,
)
lighting = Technique(
    'augmentation: brightness, contrast',
    'lighting',
    'Howard 2013',
    changes.only('brightness', 'contrast'),
    changes.augment(augment.lighting),
    changes.to_images,
    order=72,
)
noise = Technique(
    'Gaussian noise on the inputs',
    'noise',
    'Bishop 1995',
    changes.only('noise'),
    changes.augment(augment.noise),
    changes.to_vectors,
    order=73,
)
