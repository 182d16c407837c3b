"""Random changes of the inputs, and views of them."""

from overfit.data import augment, views
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
shear = Technique(
    'augmentation: shear',
    'augmentation',
    'Simard 2003',
    changes.only('shear'),
    changes.augment(augment.geometric),
    changes.to_images,
    order=71,
)
elastic = Technique(
    'augmentation: elastic',
    'augmentation',
    'Simard 2003',
    changes.only('elastic', 'elastic_smoothness'),
    changes.augment(augment.geometric),
    changes.to_images,
    order=71,
)
affine_elastic = Technique(
    'augmentation: elastic, shift, rotate, zoom',
    'augmentation',
    'Simard 2003',
    changes.only('shift', 'rotate', 'zoom', 'elastic', 'elastic_smoothness'),
    changes.augment(augment.geometric),
    changes.to_images,
    order=71,
)
policy = Technique(
    'augmentation: one random change an image',
    'augmentation',
    'Müller & Hutter 2021',
    changes.only('policy'),
    changes.augment(augment.trivial_augment),
    changes.to_images,
    order=71,
)
colour = Technique(
    'augmentation: principal colours',
    'lighting',
    'Krizhevsky 2012',
    changes.only('colour'),
    changes.augment(augment.colour),
    changes.to_images,
    order=72,
)
cutout = Technique(
    'augmentation: cutout',
    'cutout',
    'DeVries & Taylor 2017',
    changes.only('cutout'),
    changes.augment(augment.cutout),
    changes.to_images,
    order=74,
)
mixup = Technique(
    'mixup',
    'mixing',
    'Zhang 2018',
    changes.only('mixup'),
    changes.augment(augment.mixup),
    changes.to_images_and_vectors,
    order=75,
)
cutmix = Technique(
    'CutMix',
    'mixing',
    'Yun 2019',
    changes.only('cutmix'),
    changes.augment(augment.cutmix),
    changes.to_images,
    order=75,
)
shifted_views = Technique(
    'predicts from shifted views',
    'views',
    'Krizhevsky 2012',
    change=changes.views(views.shifted),
    applies=changes.to_images,
)
mirrored_views = Technique(
    'predicts from mirrored views',
    'views',
    'Krizhevsky 2012',
    change=changes.views(views.mirrored),
    applies=changes.to_images,
)
