"""Must a batch be a power of two, and how large? Step time, gradient noise, steps to a target, best error.

    python -m experiments.batch_size
    python -m experiments.batch_size --parts=noise --data=mnist.npz --model=cnn
    python -m experiments.batch_size --full --data=mnist.npz --model=cnn --train_size=1000 --target_error=2

Four measurements; `--parts` chooses some. `time`: of a step at batch sizes from 96 to 160, and how far 128
lies from the line through the others. `noise`: the gradient noise scale while nets train; above it a
larger batch hardly makes a better step. `steps`: until a net errs no more than `--target_error` percent on
held-out examples, the learning rate tuned anew for every batch size on other seeds; their slope over the
batch size is -1 where twice the batch halves them. `error`: test error by batch size, powers of two and
others, each tuned with as many settings and trained for as many epochs. By default nets train for at most
2,000 steps under `noise`, and on at most 2,000 examples under `steps`; `--full`: as long as 16 epochs, on
all examples, with batches up to 1,024, more seeds and labelled sets. The published noise scale is of a
small convolutional net on MNIST after one epoch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

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
RATES = 0.01, 3.0  # between which they are tuned for the steps to the target
RATE = 0.1  # of the nets whose noise is measured


class Effort(NamedTuple):
    """How much is measured.

    Attributes:
        sizes: of batches, for steps to the target.
        rates: learning rates that are tried for each.
        seeds: nets of each.
        epochs: until they have to be there.
        least: steps that they have at least.
        examples: for steps to the target, at most.
        noise: examples whose gradients are taken.
        steps: of nets whose noise is measured, at most.
        sets: labelled sets; `None`: the standard number.
        trials: settings; `None`: the standard number.
    """

    sizes: tuple[int, ...]
    rates: int
    seeds: int
    epochs: float
    least: int
    examples: int
    noise: int
    steps: float
    sets: int | None
    trials: int | None


QUICK = Effort((8, 16, 24, 32, 64, 100, 128, 256, 512), 8, 6, 8.0, 150, 2000, 1000, 2000, None, None)
FULL = Effort(
    (8, 16, 24, 32, 64, 100, 128, 256, 500, 512, 1024), 12, 8, 16.0, 400, 65_535, 4000, float('inf'), 40, 16
)


class Part(NamedTuple):
    """What one measurement gave.

    Attributes:
        lines: for the console.
        record: for the JSON file.
        findings: rows of the evidence.
        draw: onto axes.
    """

    lines: list[str]
    record: dict[str, Any]
    findings: list[dict[str, Any]]
    draw: Callable[[Any], None]


def ask() -> start.Answer:
    """Measures what was asked for."""
    effort = FULL if start.FULL.value else QUICK
    splits, size = comparison.data()
    found = []
    for name in dict.fromkeys(CHOSEN.value):
        print(f'measuring: {name}', flush=True)
        found.append(PARTS[name](splits, size, effort))
    record = {}
    for part in found:
        record |= part.record
    record['findings'] = [row for part in found for row in part.findings]
    text = '\n\n'.join('\n'.join(part.lines) for part in found)
    return start.Answer(text, record, lambda figure: drawn(figure, found))


def drawn(figure, parts):
    """A panel a measurement."""
    columns = min(2, len(parts))
    rows = -(-len(parts) // columns)
    figure.set_size_inches(5.2 * columns, 3.6 * rows)
    for axes, part in zip(figure.subplots(rows, columns, squeeze=False).flat, parts, strict=False):
        part.draw(axes)


def step_time(splits, size, effort):
    """Time of a step, and whether 128 is special."""
    import numpy as np

    recipe = squeeze.baseline_of(splits.train).recipe
    seconds = batch_measures.step_seconds(splits.train, recipe, TIMED, repeats=REPEATS.value)
    far = batch_measures.apart(TIMED, seconds, 128)
    medians = 1e3 * np.median(seconds, axis=0)
    finding = intervals.finding(
        'batch of 128',
        'time of a step against the line through sizes from 96 to 160, on this machine',
        far,
        source='folklore',
        published='a power of two is faster',
        unit='%',
        band=(-5, 5),
    )

    def draw(axes):
        of_sizes = [intervals.over_sets(1e3 * column) for column in seconds.T]
        picture.curves(axes, {'step': (TIMED, of_sizes)}, x='batch size', y='milliseconds a step')
        axes.axvline(128, color='#888888', linewidth=1, marker='')

    return Part(
        [
            'time of a step, milliseconds (median)',
            '  ' + '  '.join(f'{size}: {value:.3g}' for size, value in zip(TIMED, medians, strict=True)),
            f'  128 against the line through the others: {said(far, "+.1f")} %',
        ],
        {'step_time': {'sizes': list(TIMED), 'milliseconds': plain(medians)}},
        [finding],
        draw,
    )


def noise_scale(splits, size, effort):
    """The noise scale while nets train."""
    pool = splits.train
    recipe = squeeze.baseline_of(pool).recipe
    epochs = [epoch for epoch in EPOCHS if epoch * len(pool.y) / recipe.batch_size <= effort.steps]
    found = batch_measures.noise_curve(
        pool,
        recipe,
        rate=RATE,
        seeds=range(effort.seeds),
        epochs=epochs,
        count=min(effort.noise, len(pool.y)),
    )
    known = [over_seeds(scales) for scales in found.scales.T]
    after_one = known[epochs.index(1.0)] if 1.0 in epochs else None
    model, name = squeeze.MODEL.value, splits.name
    published = 'mnist' in name.lower() and 'fashion' not in name.lower() and model == 'cnn'
    findings = after_one and [
        intervals.finding(
            'gradient noise scale',
            f'after one epoch, {model}, {name}',
            after_one,
            source='McCandlish 2018',
            published='about 900 (a small convolutional net, MNIST)',
            unit='examples',
            band=(400, 1800) if published else None,
        )
    ]

    def draw(axes):
        points = [(epoch, one) for epoch, one in zip(epochs, known, strict=True) if one is not None]
        if points:
            series = {'noise': tuple(zip(*points, strict=True))}
            picture.curves(axes, series, x='epochs', y='noise scale (examples)')
        axes.set_yscale('log')

    return Part(
        [
            'gradient noise scale, examples',
            *(
                f'  after {epoch:g} epochs: {said(one, ",.0f") if one else "hidden by noise"}'
                for epoch, one in zip(epochs, known, strict=True)
            ),
        ],
        {'noise_scale': {'epochs': list(epochs), 'scales': [plain(row) for row in found.scales]}},
        findings or [],
        draw,
    )


def steps_to_target(splits, size, effort):
    """Steps to the target by batch size, and their slope."""
    import numpy as np

    pool = splits.train
    some = np.sort(np.random.default_rng(0).permutation(len(pool.y))[: effort.examples])
    found = batch_measures.steps_to_target(
        pool._replace(x=pool.x[some], y=pool.y[some]),
        squeeze.baseline_of(pool).recipe,
        effort.sizes,
        rates=np.geomspace(*RATES, effort.rates),
        seeds=range(effort.seeds),
        target=TARGET.value / 100,
        epochs=effort.epochs,
        least=effort.least,
    )
    target = f'{TARGET.value:g} % error'
    small = found.sizes <= SMALL
    slope = batch_measures.slope(found.sizes[small], found.tuned[small])
    known = [over_seeds(tuned) for tuned in found.tuned]
    findings = slope and [
        intervals.finding(
            'batch size',
            f'slope of log steps to {target} over log batch size, up to {SMALL}, {splits.name}',
            slope,
            source='Shallue 2019',
            published='-1 for small batches, then a plateau',
            unit='',
            band=(-1.15, -0.85),
        )
    ]

    def draw(axes):
        points = [(size, one) for size, one in zip(found.sizes, known, strict=True) if one is not None]
        if points:
            places, means = np.array([(size, one.mean) for size, one in points]).T
            series = {'steps': tuple(zip(*points, strict=True))}
            picture.curves(axes, series, x='batch size', y=f'steps to {target}', log=True)
            line = means[0] * places[0] / places
            axes.plot(places, line, color='#888888', linestyle=':', marker='', linewidth=1)
        axes.set_yscale('log')

    return Part(
        [
            f'steps to {target} on held-out examples, the rate tuned for each batch size',
            *(
                f'  batch of {size}: {said(one, ".0f") if one else "not reached by all"}'
                for size, one in zip(found.sizes, known, strict=True)
            ),
            *([f'  slope up to {SMALL}: {said(slope, ".2f")}'] if slope else []),
        ],
        {
            'steps_to_target': {
                'target_error': TARGET.value,
                'sizes': found.sizes.tolist(),
                'rates': plain(found.rates),
                'tuned': [plain(row) for row in found.tuned],
            }
        },
        findings or [],
        draw,
    )


def best_error(splits, size, effort):
    """Test error by batch size, each tuned."""
    compared = comparison.compare(
        splits,
        size,
        arms(squeeze.baseline_of(splits.train).recipe.batch_size),
        labelled_sets=comparison.alone(LABELLED_SETS, effort.sets),
        trials=comparison.alone(squeeze.TRIALS, effort.trials),
    )
    results = compared.results
    where = f'{results.data.name}, {results.data.train:,} labels'
    findings = [
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
    return Part(
        [comparison.table(results)],
        comparison.record(results),
        findings,
        lambda axes: picture.differences(axes, results),
    )


PARTS = {'time': step_time, 'noise': noise_scale, 'steps': steps_to_target, 'error': best_error}
CHOSEN = flags.DEFINE_list('parts', list(PARTS), f'Which measurements, of {", ".join(PARTS)}.')
flags.register_validator(
    'parts',
    lambda names: bool(names) and set(names) <= set(PARTS),
    message=f'give some of {",".join(PARTS)}',
)


def arms(standard):
    """Batches of other sizes than the standard one, powers of two and others, with as many epochs."""
    from overfit.study import techniques as t
    from overfit.study.techniques import changes

    more = [
        t.batch_64._replace(
            label=f'batch of {size}, as many epochs', change=changes.batch(size), stretch=standard / size
        )
        for size in (100, 128)
    ]
    return [t.batch_16, t.batch_24, t.batch_50, t.batch_64, *more]


def over_seeds(values):
    """Interval over seeds; `None` where one of them is infinite."""
    import numpy as np

    return intervals.over_sets(values) if np.isfinite(values).all() else None


def said(found, form):
    """Mean and interval as text."""
    return f'{found.mean:{form}} [{found.low:{form}}, {found.high:{form}}]'


def plain(values):
    """Numbers for the JSON file, infinite ones as null."""
    import numpy as np

    return [float(f'{value:.5g}') if np.isfinite(value) else None for value in values]


if __name__ == '__main__':
    app.run(start.binary('batch_size', ask))
