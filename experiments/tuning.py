"""Is it worth more to tune a plain net than to add a technique to it?

    python -m experiments.tuning
    python -m experiments.tuning --data=fashion_mnist --full --json=tuning_fashion_mnist.json

At 10 and 50 labelled examples a class, on 3 subsets with 5 seeds each: a plain net at learning rates that
people take untuned (0.01 and 0.1, no decay), the same net with rate and weight decay tuned, and techniques
added to that, each tuned with as many settings. Batches stay at 32, for their size is no number that can be
searched. Prints what tuning gains and what the techniques gain over the tuned net (their median and their
best), the standard deviations of the tuned net's error over subsets and over seeds, and how far two subsets
agree on the order of the techniques (Kendall's tau). `--full` adds 100 examples a class and takes every
standard technique.

The best technique is the luckiest of many: its gain is too large by that.
"""

from typing import Any, NamedTuple

from absl import app, flags

from experiments import squeeze
from experiments.question import comparison, intervals, picture, start

PER_CLASS = flags.DEFINE_list(
    'tuning_per_class', None, 'Labelled examples a class; 10,50, with --full 10,50,100.'
)
SUBSETS = flags.DEFINE_integer('tuning_subsets', 3, 'Subsets of the labelled examples.', lower_bound=2)
SEEDS = flags.DEFINE_integer('tuning_seeds', 5, 'Seeds on each subset.', lower_bound=2)
SOURCE = 'Brigato & Barz 2021; Brigato et al. 2022'


class Gains(NamedTuple):
    """What tuning and techniques gained at one size; percentage points of test error.

    Attributes:
        size: labelled examples.
        errors: by row, interval over subsets of the test error in percent.
        tuning: by untuned rate, interval over subsets of the gain of tuning.
        techniques: by technique, interval over subsets of its gain over the tuned net.
        median: interval over subsets of the median technique's gain.
        more: by untuned rate, interval over subsets of the gain of tuning minus that of the median technique.
        spread: standard deviations and their ratio, see `components`.
        agreement: mean of Kendall's tau of the techniques' order over all pairs of subsets, -1 to 1.
    """

    size: int
    errors: dict[str, Any]
    tuning: dict[str, Any]
    techniques: dict[str, Any]
    median: Any
    more: dict[str, Any]
    spread: dict[str, Any]
    agreement: float


def ask() -> start.Answer:
    """Measures the gains at every size."""
    splits, _ = comparison.data()
    classes = len(splits.train.classes)
    gains = [_gains(splits, number * classes) for number in _per_class(len(splits.train.y) // classes)]
    findings = [finding for one in gains for finding in _findings(one, splits.name)]
    record = {
        'data': {'name': splits.name, 'classes': classes, 'test': len(splits.test)},
        'subsets': SUBSETS.value,
        'seeds': SEEDS.value,
        'sizes': [_plain(one) for one in gains],
        'findings': findings,
    }
    text = '\n\n'.join(_table(one, splits.name) for one in gains)
    return start.Answer(text, record, lambda figure: _draw(figure, gains))


def _per_class(most):
    words = PER_CLASS.value or (['10', '50', '100'] if start.FULL.value else ['10', '50'])
    if not all(word.isdigit() and 2 <= int(word) <= most for word in words):
        raise ValueError(f'--tuning_per_class={",".join(words)}: give whole numbers from 2 to {most}')
    return [int(word) for word in words]


def techniques_for(baseline: Any, kind: Any) -> list[Any]:
    """Techniques whose gain validation can judge: some of all families, with `--full` all standard ones.

    Args:
        baseline: what they are added to.
        kind: of the data.
    """
    from overfit.study import techniques as t

    some = (
        t.dropout,
        t.max_norm,
        t.label_smoothing,
        t.center,
        t.noise,
        t.batch_norm,
        t.he,
        t.momentum,
        t.adamw,
        t.cosine,
        t.shift_rotate,
    )
    every = [one for one in t.STANDARD if one.judged_by_validation and one != t.weight_decay]
    return [one for one in (every if start.FULL.value else some) if one.applies(baseline.recipe, kind)]


def _gains(splits, size):
    from overfit.study import spaces
    from overfit.study import techniques as t

    baseline = squeeze.baseline_of(splits.train)
    tuned = baseline._replace(
        space=dict(baseline.space) | {'weight_decay': spaces.RANGES['weight_decay']}, label='tuned'
    )
    untuned = [
        t.Technique(f'untuned, rate {rate:g}', 'rate', space={'learning_rate': rate, 'weight_decay': 0.0})
        for rate in (0.01, 0.1)
    ]
    found = comparison.compare(
        splits,
        size,
        [*untuned, *techniques_for(tuned, splits.train.kind)],
        baseline=tuned,
        labelled_sets=SUBSETS.value * SEEDS.value,
        repeats=SEEDS.value,
    )
    return of_tables(size, found.tables.arms, SEEDS.value, len(untuned))


def of_tables(size: int, tables: dict[str, Any], seeds: int, untuned: int) -> Gains:
    """Gains from tables of mistakes.

    Args:
        size: labelled examples.
        tables: by row `[subsets * seeds, N]`, subset by subset: the tuned net, the untuned ones, techniques.
        seeds: of each subset.
        untuned: how many rows are untuned.
    """
    import itertools

    import numpy as np
    from scipy import stats

    errors = {name: 100 * np.nanmean(table, 1).reshape(-1, seeds) for name, table in tables.items()}
    tuned, *names = errors
    means = {name: of_name.mean(1) for name, of_name in errors.items()}
    tuning = {name: means[name] - means[tuned] for name in names[:untuned]}
    gained = {name: means[tuned] - means[name] for name in names[untuned:]}
    by_subset = np.stack(list(gained.values()), 1)
    median = np.median(by_subset, 1)
    taus = [stats.kendalltau(a, b).statistic for a, b in itertools.combinations(by_subset, 2)]
    over = intervals.over_sets
    return Gains(
        size,
        {name: over(of_name) for name, of_name in means.items()},
        {name: over(values) for name, values in tuning.items()},
        {name: over(values) for name, values in gained.items()},
        over(median),
        {name: over(values - median) for name, values in tuning.items()},
        components(errors[tuned]),
        float(np.nan_to_num(np.mean(taus))),
    )


def components(errors: Any) -> dict[str, Any]:
    """Standard deviations over subsets and over seeds, by the analysis of variance.

    `seed^2 = MSW`, `subset^2 = max(0, (MSB - MSW) / seeds)`, and the interval of `subset / seed` from the
    F-distribution of `MSB / MSW / (1 + seeds subset^2 / seed^2)`.

    Args:
        errors: `[subsets, seeds]`, 2 or more of each.

    Returns:
        `subset`, `seed`, and of their ratio `ratio`, `ratio_low`, `ratio_high`; `None` where nothing varies
        over seeds.

    Reference: Searle, Casella and McCulloch, "Variance components", 1992, sections 3.5 and 3.6.
    """
    import numpy as np
    from scipy import stats

    errors = np.asarray(errors, np.float64)
    subsets, seeds = errors.shape
    between, within = seeds * errors.mean(1).var(ddof=1), errors.var(1, ddof=1).mean()
    found = {'subset': float(np.sqrt(max(0.0, between - within) / seeds)), 'seed': float(np.sqrt(within))}
    if not within:
        return found | {'ratio': None, 'ratio_low': None, 'ratio_high': None}
    quantiles = stats.f.ppf([0.975, 0.025], subsets - 1, subsets * (seeds - 1))
    ends = [float(np.sqrt(max(0.0, between / within / q - 1) / seeds)) for q in quantiles]
    return found | {'ratio': found['subset'] / found['seed'], 'ratio_low': ends[0], 'ratio_high': ends[1]}


def _findings(one, name):
    where = f'{name}, {one.size:,} labels'
    made = [
        intervals.finding(
            'tuning',
            f'gain of tuning over "{untuned}" minus that of the median technique over the tuned net, {where}',
            found,
            source=SOURCE,
            published='a tuned baseline beats nearly every special method',
            band=(0.0, 100.0),
        )
        for untuned, found in one.more.items()
    ]
    spread = one.spread
    if spread['ratio'] is not None:
        from overfit.study.stats import Interval

        ratio = Interval(spread['ratio'], spread['ratio_low'], spread['ratio_high'], SUBSETS.value)
        made.append(
            intervals.finding(
                'tuning',
                f's.d. of the tuned net over subsets, over that over seeds, {where}',
                ratio,
                source=SOURCE,
                published='the choice of the subset matters as much as the seed, or more',
                unit='times',
                band=(1.0, 1000.0),
            )
        )
    return made


def _table(one, name):
    width = max(map(len, one.errors))
    lines = [
        f'{name}, {one.size:,} labels: {SUBSETS.value} subsets × {SEEDS.value} seeds',
        f'{"":{width}}  test error %  gain',
    ]
    lines.append(_line('tuned', one.errors['tuned'], None, width))
    for label, gain in one.tuning.items():
        lines.append(_line(label, one.errors[label], gain, width) + ' by tuning it')
    for label, gain in sorted(one.techniques.items(), key=lambda item: -item[1].mean):
        lines.append(_line(label, one.errors[label], gain, width))
    spread = one.spread
    lines += [
        f'median technique: {_gain(one.median).strip()} points',
        f's.d. of the tuned net: {spread["subset"]:.1f} over subsets, {spread["seed"]:.1f} over seeds',
        f"agreement of two subsets on the techniques' order: tau {one.agreement:.2f}",
        '± and [ ]: 95 % intervals over subsets',
    ]
    return '\n'.join(lines)


def _line(label, error, gain, width):
    text = f'{label:{width}}  {error.mean:5.1f} ± {error.high - error.mean:4.1f}'
    return text if gain is None else f'{text}  {_gain(gain)}'


def _gain(found):
    from overfit.report import spelling

    return f'{spelling.signed(found.mean):>5} {spelling.bounds(found, 1)}'


def _plain(one):
    def of(found):
        return {label: comparison.rounded(each) for label, each in found.items()}

    return {
        'size': one.size,
        'errors': of(one.errors),
        'tuning': of(one.tuning),
        'techniques': of(one.techniques),
        'median_technique': comparison.rounded(one.median),
        'spread': one.spread,
        'agreement': round(one.agreement, 3),
    }


def _draw(figure, gains):
    figure.set_size_inches(picture.SIZE[0], 0.6 + picture.SIZE[1] * len(gains))
    for axes, one in zip(figure.subplots(len(gains), 1, squeeze=False)[:, 0], gains, strict=True):
        shown = [*one.techniques.items(), *((f'tuning of: {label}', g) for label, g in one.tuning.items())]
        shown.sort(key=lambda item: item[1].mean)
        for place, (label, gain) in enumerate(shown):
            colour = picture.COLOURS[2 if label.startswith('tuning of') else 1]
            axes.plot([gain.low, gain.high], [place, place], color=colour, marker='', linewidth=1.6)
            axes.plot([gain.mean], [place], color=colour, marker='o')
        axes.axvline(0, color='#888888', linewidth=1, marker='')
        axes.set_yticks(range(len(shown)), [label for label, _ in shown])
        axes.grid(False, axis='y')
        axes.set_title(f'{one.size:,} labels')
        axes.set_xlabel('gain: percentage points of test error, 95 % intervals over subsets')


if __name__ == '__main__':
    app.run(start.binary('tuning', ask))
