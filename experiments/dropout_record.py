"""Do the published error rates of dropout, maxout and their rivals on all of MNIST come out again?

    python -m experiments.dropout_record
    python -m experiments.dropout_record --data=mnist.npz --record_epochs=100
    python -m experiments.dropout_record --data=mnist --record_against=plain
    python -m experiments.dropout_record --data=mnist --full --record_recipe=max_norm --json=max_norm.json

One recipe a run, `--record_seeds` times, trained on every labelled example for `--record_epochs` (100; 440
with `--full`, which takes a GPU), its last weights measured on the test examples:

- `dropout`: 898 and 1,532 ReLUs with the published rates, bounds, initial weights and ramps;
- `plain`: the same net without any of these;
- `l2`, `l1_l2`, `max_norm`, `dropout_l2`, `dropout_max_norm`: the net of 1,024, 1,024 and 2,048 ReLUs;
- `maxout`: two layers of 240 maxout units of 5 pieces, with the published numbers.

What is not published is tuned: of `--record_trials` settings the one is taken that errs least on a sixth of
the labelled examples, held out; then all of them train the nets that are measured. Prints the test error of
every seed and their mean with its interval; with `--record_against` also those of another recipe, and by how
much it errs more on the same test examples. Without `--data` it runs on the small digits, to which no band
applies.
"""

from typing import Any

from absl import app, flags

from experiments import squeeze
from experiments.question import comparison, intervals, picture, record_net, start
from experiments.shared_flags import DATA, SEED, TRAIN_SIZE, as_flags

RECIPES = ('dropout', 'plain', 'l2', 'l1_l2', 'max_norm', 'dropout_l2', 'dropout_max_norm', 'maxout')
RECIPE = flags.DEFINE_enum('record_recipe', 'dropout', RECIPES, 'Which protocol is run.')
AGAINST = flags.DEFINE_enum('record_against', None, RECIPES, 'A protocol that it is compared with.')
EPOCHS = flags.DEFINE_integer(
    'record_epochs', None, 'Epochs of every net; 100, with --full 440.', lower_bound=1
)
SEEDS = flags.DEFINE_integer('record_seeds', 3, 'Nets that are measured.', lower_bound=2)
TRIED = flags.DEFINE_integer('record_trials', 8, 'Settings tried where numbers are tuned.', lower_bound=1)
LIKE_MNIST = ('mnist', 60_000, 10_000)  # name, labelled and test examples of the set that the bands are for
GAP = {('dropout', 'plain'): (0.3, 100.0)}  # points that the second errs more, at least


def ask() -> start.Answer:
    """Runs one protocol, or two."""
    from overfit.data import load
    from overfit.study import stats

    # Data without a test set are no record's; a part of them is held out rather than cross-fitted.
    given = {'label': squeeze.LABEL.value, 'image_size': squeeze.IMAGE_SIZE.value}
    splits = load.load(DATA.value, test=squeeze.TEST.value, **given)
    if splits.cross_fitted:
        raise ValueError('data without a test set have no published protocol: give test=holdout')
    print(as_flags(load.describe(splits)), flush=True)
    if AGAINST.value == RECIPE.value:
        raise ValueError(f'--record_against={AGAINST.value} is the recipe itself: name another')
    own, wrong = measured(splits, RECIPE.value)
    if AGAINST.value is None:
        return own
    other, more = measured(splits, AGAINST.value)
    return against(own, other, stats.difference(more, wrong, splits.test.groups))


def against(own: start.Answer, other: start.Answer, gap: Any) -> start.Answer:
    """Both answers in one, with the difference between them.

    Args:
        own: what came of the recipe.
        other: of the one that it is compared with.
        gap: how much more the other errs.
    """
    like_mnist = own.record['findings'][0]['band'] is not None
    finding = intervals.finding(
        RECIPE.value,
        f'test error of {AGAINST.value} minus its own after {own.record["epochs"]} epochs, '
        f'{own.record["data"]["name"]}, {own.record["data"]["train"]:,} labels',
        gap,
        source=record_net.records()[RECIPE.value].source,
        published=f'{record_net.records()[AGAINST.value].published} against '
        f'{record_net.records()[RECIPE.value].published}',
        band=GAP.get((RECIPE.value, AGAINST.value)) if like_mnist else None,
    )
    text = (
        f'{own.text}\n\n{other.text}\n\n{AGAINST.value} minus {RECIPE.value}: {gap.mean:+.2f} points '
        f'[{gap.low:+.2f}, {gap.high:+.2f}]'
    )
    findings = [*own.record['findings'], *other.record['findings'], finding]
    record = own.record | {'against': other.record, 'gap': comparison.rounded(gap), 'findings': findings}
    return start.Answer(text, record, own.draw)


def measured(splits: Any, name: str) -> tuple[start.Answer, Any]:
    """Tunes what has to be, trains on everything, and measures.

    Args:
        splits: images, with a test set apart.
        name: of the protocol.

    Returns:
        The answer, and `[seeds, N]` which test examples each net gets wrong.
    """
    import numpy as np

    from overfit import base
    from overfit.study import labelled_sets
    from overfit.study.protocol import seed_of
    from overfit.train import predict
    from overfit.train.engine import population

    record = record_net.records()[name]
    examples = record_net.pixels(splits.train)
    labelled = labelled_sets.whole(splits, TRAIN_SIZE.value, seed=SEED.value).labelled
    epochs = EPOCHS.value or (440 if start.FULL.value else 100)
    every = max(1, len(labelled) // record_net.BATCH)
    numbers, tried = chosen(record, examples, labelled, epochs)
    recipe = record_net.recipe_of(record, examples, len(labelled))
    hyper = base.Hyper.of(**numbers, steps=float(epochs * every))
    members = [
        population.Member(
            recipe, hyper, seed_of(SEED.value, 'record', n), labelled, labelled[:0], restore_best=False
        )
        for n in range(SEEDS.value)
    ]
    trained = population.train(members, examples, eval_every=every)
    told = predict.predict(recipe, trained, splits.test.x)
    wrong = splits.test.wrong(told.argmax(-1))
    errors = 100 * wrong.mean(1)
    mean = intervals.over_sets(errors)
    like = (splits.name, len(labelled), len(splits.test)) == LIKE_MNIST
    band = None
    if like:
        band = record.band if epochs >= 440 or record.band_short is None else record.band_short
    finding = intervals.finding(
        name,
        f'test error of {"-".join(map(str, record.widths))} units after {epochs} epochs, '
        f'{splits.name}, {len(labelled):,} labels',
        mean,
        source=record.source,
        published=record.published,
        unit='%',
        band=band,
    )
    lines = [
        f'{name}: {epochs} epochs of {len(labelled):,} {splits.train.kind.noun} ({splits.name})',
        'numbers: ' + ', '.join(f'{name} {value:.4g}' for name, value in numbers.items()),
        'test error of each seed: ' + ', '.join(f'{error:.2f}' for error in errors) + ' %',
        f'mean {mean.mean:.2f} % [{mean.low:.2f}, {mean.high:.2f}] over {mean.n} seeds; '
        f'published: {record.published} ({record.source})'
        + (f'; band {band[0]:g} to {band[1]:g} %' if band else ''),
    ]
    curves = np.stack([one.curve for one in trained if not one.diverged])
    about = {'name': splits.name, 'train': len(labelled), 'test': len(splits.test)}
    plain = {
        'data': about,
        'recipe': name,
        'epochs': epochs,
        'numbers': {name: float(f'{value:.5g}') for name, value in numbers.items()},
        'tried': tried,
        'errors': [round(float(error), 3) for error in errors],
        'error': comparison.rounded(mean),
        'diverged': sum(one.diverged for one in trained),
        'findings': [finding],
    }

    def draw(figure):
        axes = figure.subplots()
        for number, curve in enumerate(curves):
            colour = picture.COLOURS[number % len(picture.COLOURS)]
            steps, train_error = curve[:, population.STEP] / every, 100 * curve[:, population.TRAIN_ERROR]
            axes.plot(steps, train_error, color=colour, marker='', label=f'seed {number}')
            axes.axhline(errors[number], color=colour, linewidth=0.8, linestyle='--', marker='')
        axes.set_yscale('symlog', linthresh=0.1)
        axes.set_xlabel('epoch')
        axes.set_ylabel('training error %, as trained; dashed: test error at the end')
        axes.legend()

    return start.Answer('\n'.join(lines), plain, draw), wrong


def chosen(
    record: record_net.Record, examples: Any, labelled: Any, epochs: int
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The numbers of a record: published ones as they are, the others by a sixth held out.

    Args:
        record: the protocol.
        examples: the pool.
        labelled: `[n]` rows of it.
        epochs: of every net.

    Returns:
        Numbers by name, and what was tried, with the held-out error in percent (`None` where it diverged).

    Raises:
        ValueError: every setting diverged.
    """
    import numpy as np

    from overfit import base
    from overfit.data import splits as splits_lib
    from overfit.study import spaces
    from overfit.study.protocol import seed_of
    from overfit.train.engine import population

    if not any(isinstance(value, spaces.Range) for value in record.numbers.values()):
        return dict(record.numbers), []
    train, held = splits_lib.holdout_split(examples.y[labelled], 1 / 6, seed=SEED.value)
    every = max(1, len(train) // record_net.BATCH)
    settings = spaces.trials(record.numbers, TRIED.value, seed=seed_of(SEED.value, 'settings'))
    recipe = record_net.recipe_of(record, examples, len(train))
    members = [
        population.Member(
            recipe,
            base.Hyper.of(**setting, steps=float(epochs * every)),
            seed_of(SEED.value, 'tuned'),
            labelled[train],
            labelled[held],
            restore_best=False,
        )
        for setting in settings
    ]
    trained = population.train(members, examples, eval_every=every, keep_variables=False)
    errors = [np.inf if one.diverged else float(one.curve[-1, population.ERROR]) for one in trained]
    tried = [
        {'numbers': {name: float(f'{value:.4g}') for name, value in setting.items()}}
        | {'held_out_error': round(100 * error, 3) if np.isfinite(error) else None}
        for setting, error in zip(settings, errors, strict=True)
    ]
    if not np.isfinite(min(errors)):
        raise ValueError(f'all {len(settings)} settings diverged: give --record_trials more of them')
    return settings[int(np.argmin(errors))], tried


if __name__ == '__main__':
    app.run(start.binary('dropout_record', ask))
