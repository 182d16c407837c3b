"""Must a batch be a power of two, and how large? Step time, gradient noise, steps to a target, best error.

    python -m experiments.batch_size
    python -m experiments.batch_size --full --data=mnist.npz --model=cnn --train_size=1000 --target_error=2

Four measurements. (1) Time of a step at batch sizes from 96 to 160, and how far 128 lies from the line
through the others. (2) The gradient noise scale while nets train: above it a larger batch hardly makes a
better step. (3) Steps until a net errs no more than `--target_error` percent on held-out examples, the
learning rate tuned anew for every batch size on other seeds; their slope over the batch size is -1 where
twice the batch halves them. (4) Test error by batch size, powers of two and others, each tuned with as many
settings and trained for as many epochs. `--full`: batches up to 1,024, 8 seeds, 4,000 examples for the noise
scale, 40 labelled sets. The published noise scale is of a small convolutional net on MNIST after one epoch.
"""

from typing import NamedTuple

from absl import app, flags

from experiments import squeeze
from experiments.question import batch_measures, comparison, intervals, picture, start
from experiments.shared_flags import LABELLED_SETS

TARGET = flags.DEFINE_float(
    'target_error',
    5.0,
    'Percent of held-out examples: how few errors count as done.',
    lower_bound=0.0,
    upper_bound=100.0,
)
REPEATS = flags.DEFINE_integer('timings', 9, 'How often the time of a step is taken.', lower_bound=2)
TIMED = (96, 100, 104, 112, 120, 127, 128, 129, 136, 144, 150, 160)
EPOCHS = (0.0, 0.25, 1.0, 4.0, 16.0)
SMALL = 32  # up to here the slope is taken


class Effort(NamedTuple):
    """How much is measured."""

    sizes: tuple[int, ...]  # of batches, for steps to the target
    rates: int
    seeds: int
    epochs: float
    least: int  # steps
    noise: int  # examples
    sets: int
    trials: int | None


QUICK = Effort((8, 16, 24, 32, 64, 100, 128, 256, 512), 8, 4, 8.0, 150, 1000, 12, None)
FULL = Effort((8, 16, 24, 32, 64, 100, 128, 256, 500, 512, 1024), 12, 8, 16.0, 400, 4000, 40, 16)
RATES = 0.01, 3.0
RATE = 0.1  # of the nets whose noise is measured


class Found(NamedTuple):
    """What the four measurements gave."""

    seconds: object
    noise: object
    steps: object
    results: object


def ask() -> start.Answer:
    """Measures all four."""
    import numpy as np

    effort = FULL if start.FULL.value else QUICK
    splits, size = comparison.data()
    pool = splits.train
    recipe = squeeze.baseline_of(pool).recipe
    print('step time', flush=True)
    seconds = batch_measures.step_seconds(pool, recipe, TIMED, repeats=REPEATS.value)
    print('gradient noise', flush=True)
    seeds = tuple(range(effort.seeds))
    noise = batch_measures.noise_curve(
        pool, recipe, rate=RATE, seeds=seeds, epochs=EPOCHS, count=min(effort.noise, len(pool.y))
    )
    print('steps to the target', flush=True)
    steps = batch_measures.steps_to_target(
        pool,
        recipe,
        effort.sizes,
        rates=np.geomspace(*RATES, effort.rates),
        seeds=seeds,
        target=TARGET.value / 100,
        epochs=effort.epochs,
        least=effort.least,
    )
    compared = comparison.compare(
        splits,
        size,
        arms(recipe.batch_size),
        labelled_sets=comparison.alone(LABELLED_SETS, effort.sets),
        trials=comparison.alone(squeeze.TRIALS, effort.trials),
    )
    found = Found(seconds, noise, steps, compared.results)
    record = comparison.record(found.results) | measured(found)
    record['findings'] = findings(found, squeeze.MODEL.value)
    return start.Answer('\n'.join(said(found)), record, lambda figure: drawn(figure, found))


def arms(standard):
    """Batches of other sizes than the standard one, powers of two and others, with as many epochs."""
    from overfit.study import techniques as t
    from overfit.study.techniques import changes

    known = [t.batch_16, t.batch_24, t.batch_50, t.batch_64]
    more = [
        t.batch_64._replace(
            label=f'batch of {size}, as many epochs', change=changes.batch(size), stretch=standard / size
        )
        for size in (100, 128)
    ]
    return known + more


def over_seeds(values):
    """Interval over seeds; `None` where one of them is infinite."""
    import numpy as np

    return intervals.over_sets(values) if np.isfinite(values).all() else None


def slope_of(found):
    """Slope of the steps over small batches."""
    small = found.steps.sizes <= SMALL
    return batch_measures.slope(found.steps.sizes[small], found.steps.tuned[small])


def findings(found, model):
    """Rows of the evidence, with the bands of the published figures."""
    results = found.results
    where = f'{results.data.name}, {results.data.train:,} labels'
    rows = [
        intervals.finding(
            'batch of 128',
            'time of a step against the line through sizes from 96 to 160, on this machine',
            batch_measures.apart(TIMED, found.seconds, 128),
            source='folklore',
            published='a power of two is faster',
            unit='%',
            band=(-5, 5),
        )
    ]
    after_one = over_seeds(found.noise.scales[:, EPOCHS.index(1.0)])
    if after_one is not None:
        published = 'mnist' in results.data.name.lower() and 'fashion' not in results.data.name.lower()
        rows.append(
            intervals.finding(
                'gradient noise scale',
                f'after one epoch, {model}, {results.data.name}',
                after_one,
                source='McCandlish 2018',
                published='about 900 (a small convolutional net, MNIST)',
                unit='examples',
                band=(400, 1800) if published and model == 'cnn' else None,
            )
        )
    slope = slope_of(found)
    if slope is not None:
        rows.append(
            intervals.finding(
                'batch size',
                f'slope of log steps to {TARGET.value:g} % error over log batch size, up to {SMALL}, '
                f'{results.data.name}',
                slope,
                source='Shallue 2019',
                published='-1 for small batches, then a plateau',
                unit='',
                band=(-1.15, -0.85),
            )
        )
    return rows + [
        intervals.finding(
            row.technique,
            f'test error minus that of a batch of 32, {where}',
            row.difference,
            source='Shallue 2019',
            published='the same best error, once tuned',
            band=(-0.15, 0.15),
        )
        for row in results.arms
    ]


def measured(found):
    """Plain values for the JSON file."""
    import numpy as np

    def plain(values):
        return [float(f'{value:.5g}') if np.isfinite(value) else None for value in values]

    return {
        'step_time': {
            'sizes': list(TIMED),
            'milliseconds': plain(1e3 * np.median(found.seconds, axis=0)),
        },
        'noise_scale': {
            'epochs': list(EPOCHS),
            'scales': [plain(row) for row in found.noise.scales],
        },
        'steps_to_target': {
            'target_error': TARGET.value,
            'sizes': found.steps.sizes.tolist(),
            'rates': plain(found.steps.rates),
            'tuned': [plain(row) for row in found.steps.tuned],
        },
    }


def said(found):
    """The four tables as lines."""
    import numpy as np

    far = batch_measures.apart(TIMED, found.seconds, 128)
    yield 'time of a step, milliseconds (median)'
    medians = 1e3 * np.median(found.seconds, axis=0)
    yield '  ' + '  '.join(f'{size}: {value:.3g}' for size, value in zip(TIMED, medians, strict=True))
    yield f'  128 against the line through the others: {far.mean:+.1f} % [{far.low:+.1f}, {far.high:+.1f}]'
    yield ''
    yield 'gradient noise scale, examples'
    for epoch, scales in zip(EPOCHS, found.noise.scales.T, strict=True):
        one = over_seeds(scales)
        value = 'hidden by noise' if one is None else f'{one.mean:,.0f} [{one.low:,.0f}, {one.high:,.0f}]'
        yield f'  after {epoch:g} epochs: {value}'
    yield ''
    yield f'steps to {TARGET.value:g} % error on held-out examples, the rate tuned for each batch size'
    for size, tuned in zip(found.steps.sizes, found.steps.tuned, strict=True):
        one = over_seeds(tuned)
        value = 'not reached by all' if one is None else f'{one.mean:.0f} [{one.low:.0f}, {one.high:.0f}]'
        yield f'  batch of {size}: {value}'
    slope = slope_of(found)
    if slope is not None:
        yield f'  slope up to {SMALL}: {slope.mean:.2f} [{slope.low:.2f}, {slope.high:.2f}]'
    yield ''
    yield comparison.table(found.results)


def drawn(figure, found):
    """A panel a measurement."""
    import numpy as np

    figure.set_size_inches(10, 7)
    times, noise, steps, errors = figure.subplots(2, 2).flat
    of_sizes = [intervals.over_sets(1e3 * column) for column in found.seconds.T]
    picture.curves(times, {'step': (TIMED, of_sizes)}, x='batch size', y='milliseconds a step')
    times.axvline(128, color='#888888', linewidth=1, marker='')
    known = [(epoch, over_seeds(scales)) for epoch, scales in zip(EPOCHS, found.noise.scales.T, strict=True)]
    known = [(epoch, one) for epoch, one in known if one is not None]
    if known:
        picture.curves(
            noise, {'noise': tuple(zip(*known, strict=True))}, x='epochs', y='noise scale (examples)'
        )
        noise.set_yscale('log')
    reached = [(size, over_seeds(tuned)) for size, tuned in zip(*found.steps[::3], strict=True)]
    reached = [(size, one) for size, one in reached if one is not None]
    if reached:
        picture.curves(
            steps,
            {'steps': tuple(zip(*reached, strict=True))},
            x='batch size',
            y=f'steps to {TARGET.value:g} % error',
            log=True,
        )
        steps.set_yscale('log')
        sizes = np.array([size for size, _ in reached])
        line = reached[0][1].mean * sizes[0] / sizes
        steps.plot(sizes, line, color='#888888', linestyle=':', marker='', linewidth=1)
    picture.differences(errors, found.results)


if __name__ == '__main__':
    app.run(start.binary('batch_size', ask))
