"""Random changes of training inputs on the device: geometry, lighting, noise, holes, mixtures, one of all.

Every change is there twice: as a plain function of arrays and numbers, and as a slot of a recipe, a
`base.Augment`: `geometric`, `lighting`, `colour`, `noise`, `cutout`, `mixup`, `cutmix`,
`trivial_augment`. Slots take their numbers from `hyper`, act on raw values, which they turn into float32
first, and leave a batch alone if their numbers are all absent. Every example draws its own strength; a
number that is `None` is not in the compiled program, and 0 gives the inputs back. Each number of an
example has a fixed place in the draw, so a net that varies one number sees the others' draws unchanged.
"""

from overfit.data.augment.corruption import cutout, gaussian_noise, noise, random_cutout
from overfit.data.augment.elastic import elastic_field
from overfit.data.augment.geometry import (
    affine,
    draw_affine,
    geometric,
    random_affine,
    random_geometry,
    resample,
)
from overfit.data.augment.light import colour, lighting, random_colour, random_lighting
from overfit.data.augment.mixing import cutmix, larger_share, mixup, random_cutmix, random_mixup
from overfit.data.augment.policy import random_policy, trivial_augment

__all__ = [
    'affine',
    'colour',
    'cutmix',
    'cutout',
    'draw_affine',
    'elastic_field',
    'gaussian_noise',
    'geometric',
    'larger_share',
    'lighting',
    'mixup',
    'noise',
    'random_affine',
    'random_colour',
    'random_cutmix',
    'random_cutout',
    'random_geometry',
    'random_lighting',
    'random_mixup',
    'random_policy',
    'resample',
    'trivial_augment',
]
