"""Results and material as `squeeze` would hand them over; every figure is invented."""

import numpy as np

from overfit.study.material import Curve, Material, Mistake
from overfit.study.results import (
    Best,
    DataInfo,
    Difference,
    Interval,
    LabelsWorth,
    Reference,
    Results,
    Row,
    Seconds,
    SizePoint,
)

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


# Differences that are known less well than the others.
VAGUE = {
    'maxout, 2 pieces': 1.4,
    'noise on inputs': 1.1,
    'contrast': 1.2,
    'L1': 1.0,
    'dropout, hidden layers': 1.2,
}
MARGIN = 0.89
CONTROLS = (0.25, -0.2, 0.1)


def interval(mean, half, n=10):
    return Interval(mean, mean - half, mean + half, n)


def change(mean, half, p_adjusted, n=10, shrunk=None):
    """A difference from the baseline, one of 35 arms and 3 controls."""
    single = 0.65 * half
    p = p_adjusted / 38
    return Difference(mean, mean - half, mean + half, n, p, p_adjusted, mean - single, mean + single, shrunk)


def alone(mean, half, p=0.01, n=10):
    """A difference that is compared with no others."""
    return Difference(mean, mean - half, mean + half, n, p, p, mean - half, mean + half, None)


def arm(technique, error, difference=None, worth=None, verdict=None):
    return Row(
        technique=technique,
        recipe='MLP 64-64 relu; softmax, sgd, he; batch 32',
        hyper={'learning_rate': 0.0731234, 'steps': 800.0, 'momentum': 0.9},
        trials=4,
        member_steps=128000,
        test_error=error,
        difference=difference,
        labels_worth=worth,
        verdict=verdict,
    )


def judged(technique, mean):
    half = VAGUE.get(technique, 0.25 + 0.1 * abs(mean))
    verdict = 'no difference that matters' if abs(mean) + half < MARGIN else 'undecided'
    if abs(mean) > half:
        verdict = 'helps' if mean < 0 else 'hurts'
    factor = min(10 ** (-mean / 8), 4.0)
    ends = (0.8 * factor, min(1.5 * factor, 4.0)) if verdict == 'helps' else (None, None)
    worth = LabelsWorth(factor, *ends, extrapolated=factor > 2, largest=4.0)
    error = interval(8.9 + mean, 0.4 + 0.03 * abs(mean))
    p = float(np.exp(-6 * abs(mean) / half / 2.4))
    row = arm(technique, error, change(mean, half, p, shrunk=0.9 * mean), worth, verdict)
    return row._replace(near_best=mean <= -2.9, cost=12.4 if 'convol' in technique else 1.0)


def control(number, mean):
    """The baseline, tuned again."""
    return judged(f'tuned baseline (SGD), tuned again ({number})', mean)._replace(
        labels_worth=None, near_best=False
    )


def results():
    """Results as a study with a test set of its own would find them, without a saved model."""
    squeezed = 'augmentation: shift, rotate + convolutional network + center loss + dropout, hidden layers'
    arms = [judged(*pair) for pair in reversed(TECHNIQUES)]
    arms[-1] = arms[-1]._replace(labels_worth=arms[-1].labels_worth._replace(enough=130))
    return Results(
        command='python -m experiments.squeeze --data=digits --train_size=200 --seed=0',
        versions={'python': '3.11.7', 'jax': '0.10.2', 'flax': '0.12.8', 'overfit': '0.1.0'},
        git='0123456789abcdef',
        machine={'cpu': 'made up', 'cores': 2, 'memory_gib': 23.5},
        seed=0,
        seconds=Seconds(total=192.3, compile=51.0, train=118.2),
        data=DataInfo('digits', 'image', 200, 797, 10, sha256='ab' * 32, labelled=1000, noun='images'),
        plan=(),
        baseline=arm('tuned baseline (SGD)', interval(8.9, 0.5)),
        arms=tuple(arms),
        size_curve=tuple(
            SizePoint(size, interval(180 * size**-0.57, 30 / size**0.75)) for size in (50, 100, 200, 400)
        ),
        search_optimism=interval(0.6, 0.4),
        labelled_sets=10,
        test_mode='given',
        margin=MARGIN,
        detectable=1.2,
        controls=tuple(control(number, mean) for number, mean in enumerate(CONTROLS, 1)),
        squeezed=arm(
            squeezed,
            interval(4.2, 0.3),
            alone(-4.7, 0.5, 1e-9),
            LabelsWorth(3.6, 3.1, 4.0, extrapolated=True, largest=4.0),
            'helps',
        )._replace(cost=37.2),
        references=(
            Reference('logistic regression', interval(9.8, 0.6), alone(-5.6, 0.7)),
            Reference('HOG + SVM, 20 copies', interval(3.7, 0.4), alone(0.5, 0.4)),
        ),
    )


def cross_fitted():
    """Results of data that test themselves, with the best model; few labels."""
    return results()._replace(
        data=DataInfo('mine', 'image', 240, 300, 10, sha256='cd' * 32, labelled=300, noun='images'),
        test_mode='cross-fitted',
        detectable=4.9,
        best=Best('runs/mine/best', 4.2, members=3, wrong=None, low=2.6, high=6.4, train=300),
    )


def best():
    """The best model of `results`."""
    return Best('runs/digits/best', 2.5, members=5, wrong=20, low=1.63, high=3.84, train=200)


def partial():
    """Results as they are when the arms are measured, and nothing after them."""
    return results()._replace(squeezed=None, references=None)


def material(classes=10, shape=(8, 8, 1)):
    """Curves, confusions and 30 mistakes: pictures where the shape has three axes, else text."""
    rng = np.random.default_rng(0)
    steps = np.arange(0, 801, 50)

    def curve(floor, rate):
        start = 90 * np.exp(-steps / rate)[None, :] + floor
        return np.clip(start + rng.normal(0, 0.1 * start, (20, len(steps))), 0, 100)

    confusion = np.diag(rng.integers(60, 90, classes)) + rng.poisson(0.35, (classes, classes))
    mistakes = []
    for number in range(30):
        glyph = np.clip(rng.normal(90, 80, shape), 0, 255).astype(np.uint8)
        shown = {'pixels': glyph} if len(shape) == 3 else {'text': f'<b>number {number}</b> of these'}
        wrong = Mistake(number % classes, (number + 3) % classes, 0.99 - 0.01 * number, 7 * number, **shown)
        mistakes.append(wrong)
    return Material(
        curves={
            'baseline': Curve(steps, curve(0.2, 60), curve(8.5, 90)),
            'squeezed': Curve(steps, curve(2.0, 120), curve(4.0, 110)),
        },
        confusion=confusion,
        classes=[str(number) for number in range(classes)],
        mistakes=mistakes,
        summary='1,797 images, 8 × 8 × 1 uint8, 10 classes of 174 to 183; stratified test split of 797.',
    )
