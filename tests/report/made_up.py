"""Results and material as `squeeze` would hand them over; every figure is invented."""

import numpy as np

from overfit.report import page

TECHNIQUES = (
    ('augmentation: shift, rotate', -3.8), ('convolutional network', -3.1), ('augmentation: shift', -2.9),
    ('augmentation: rotate', -1.6), ('batch normalisation', -1.3), ('center loss', -1.1), ('AdamW', -1.0),
    ('dropout, hidden layers', -0.8), ('max-norm', -0.6), ('label smoothing', -0.6), ('RMSProp', -0.4),
    ('augmentation: zoom', -0.5), ('cosine schedule', -0.3), ('wider network', -0.3),
    ('He initialisation', -0.2), ('weight decay, decoupled', -0.2), ('L2', -0.2), ('dropout, inputs', -0.1),
    ('warm-up', -0.1), ('noise on inputs', -0.04), ('early stopping', 0.0), ('Glorot initialisation', 0.03),
    ('L1', 0.1), ('maxout, 2 pieces', 0.1), ('step schedule', 0.2), ('1/t schedule', 0.2),
    ('exponential schedule', 0.3), ('contrast', 0.2), ('batch size 128', 0.4), ('deeper network', 0.6),
    ('tanh instead of ReLU', 0.7), ('augmentation: left-right flip', 1.4), ('narrower network', 1.9),
    ('sigmoid instead of ReLU', 2.3), ('initial weights of a fixed size, 0.1', 12.5),
)  # fmt: skip


def interval(mean, half, n=20):
    return {'mean': mean, 'low': mean - half, 'high': mean + half, 'n': n}


def arm(technique, error, difference=None, worth=None, verdict=None):
    found = {
        'technique': technique,
        'recipe': {'model': 'MLP 64-64', 'loss': 'cross-entropy', 'optimizer': 'sgd', 'batch_size': 32},
        'hyper': {'learning_rate': 0.0731234, 'steps': 800, 'momentum': 0.9, 'dropout': None},
        'trials': 16,
        'member_steps': 128000,
        'test_error': error,
    }
    if difference:
        found |= {'difference': difference, 'labels_worth': worth, 'verdict': verdict}
    return found


def judged(technique, mean):
    half = 0.25 + 0.1 * abs(mean)
    p = float(np.exp(-6 * abs(mean) / half / 2.4))
    verdict = 'no evidence' if p > 0.05 else 'helps' if mean < 0 else 'hurts'
    factor = 10 ** (-mean / 8)
    sure = verdict == 'helps'
    worth = {'factor': factor, 'low': 0.8 * factor if sure else None, 'high': 1.3 * factor if sure else None}
    worth['extrapolated'] = factor > 2.5
    change = interval(mean, half) | {'p': p / 35, 'p_adjusted': p}
    return arm(technique, interval(8.9 + mean, 0.4 + 0.03 * abs(mean)), change, worth, verdict)


def results():
    """Results as `squeeze` would write them; every figure invented."""
    arms = [judged(*pair) for pair in reversed(TECHNIQUES)]
    change = interval(-4.7, 0.5) | {'p': 1e-9, 'p_adjusted': 1e-9}
    worth = {'factor': 3.6, 'low': 3.1, 'high': 4.4, 'extrapolated': True}
    squeezed = 'augmentation: shift, rotate + convolutional network + center loss + dropout, hidden layers'
    return {
        'command': 'python -m experiments.squeeze --data=digits --train_size=200 --seed=0',
        'versions': {'python': '3.11.7', 'jax': '0.10.2', 'flax': '0.12.8', 'overfit': '0.1.0'},
        'git': '0123456789abcdef',
        'seed': 0,
        'seconds': {'total': 192.3, 'compile': 51.0, 'train': 118.2},
        'data': {
            'name': 'digits',
            'kind': 'image',
            'train': 200,
            'test': 797,
            'classes': 10,
            'sha256': 'ab' * 32,
        },
        'baseline': arm('tuned baseline (SGD)', interval(8.9, 0.5)),
        'arms': arms,
        'squeezed': arm(squeezed, interval(4.2, 0.3), change, worth, 'helps'),
        'references': [
            {'name': 'logistic regression', 'test_error': 9.8},
            {'name': '1-NN', 'test_error': 7.1},
        ],
        'size_curve': [
            {'size': size, 'test_error': interval(180 * size**-0.57, 30 / size**0.75)}
            for size in (50, 100, 200, 400)
        ],
        'search_optimism': interval(0.6, 0.4),
    }


def material(classes=10, shape=(8, 8, 1)):
    rng = np.random.default_rng(0)
    steps = np.arange(0, 801, 50)

    def curve(floor, rate):
        start = 90 * np.exp(-steps / rate)[None, :] + floor
        return np.clip(start + rng.normal(0, 0.1 * start, (20, len(steps))), 0, 100)

    confusion = np.diag(rng.integers(60, 90, classes)) + rng.poisson(0.35, (classes, classes))
    mistakes = []
    for index in range(30):
        glyph = np.clip(rng.normal(90, 80, shape), 0, 255).astype(np.uint8)
        pair = {'truth': index % classes, 'prediction': (index + 3) % classes}
        mistakes.append({'x': glyph, 'confidence': 0.99 - 0.01 * index, 'index': 7 * index, **pair})
    return page.Material(
        curves={
            'baseline': {'steps': steps, 'train_error': curve(0.2, 60), 'validation_error': curve(8.5, 90)},
            'squeezed': {'steps': steps, 'train_error': curve(2.0, 120), 'validation_error': curve(4.0, 110)},
        },
        confusion=confusion,
        classes=[str(number) for number in range(classes)],
        mistakes=mistakes,
        summary='1,797 images, 8 × 8 × 1 uint8, 10 classes of 174 to 183; stratified test split of 797.',
    )
