"""Nets of several depths with something changed in each: errors, and what goes on in their layers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.question import comparison, picture


class AtDepth(NamedTuple):
    """What was found at one depth.

    Attributes:
        depth: hidden layers.
        found: the comparison; the baseline is its first arm.
        layers: by label of the arm, `(before, after)` training: for each of some seeds the `Layer` values of
            `overfit.train.diagnose`.
    """

    depth: int
    found: comparison.Comparison
    layers: Mapping[str, tuple[list[Any], list[Any]]]


def measure(
    splits: Any,
    size: int | None,
    techniques: Sequence[Any],
    depths: Sequence[int],
    *,
    width: int = 64,
    change: Callable[[Any], Any] = lambda recipe: recipe,
    labelled_sets: int | None = None,
    seeds: int = 4,
    label: str = 'tuned baseline',
) -> list[AtDepth]:
    """Compares techniques on dense nets of several depths, each tuned, and looks into them.

    Args:
        splits: the data set.
        size: labelled examples; `None`: all.
        techniques: changes of the net; each is compared with the net without it, of the same depth.
        depths: hidden layers.
        width: units of each of them.
        change: of the recipe of all nets, those without a technique too.
        labelled_sets: as `comparison.compare` takes it.
        seeds: nets that are looked into, with the numbers chosen on the first labelled sets.
        label: of the net without any of the techniques.
    """
    from overfit.nn import models
    from overfit.study import baselines

    found = []
    for depth in depths:
        net = models.MLP(len(splits.train.classes), widths=(width,) * depth)
        baseline = baselines.baseline(net, splits.train.kind)
        baseline = baseline._replace(recipe=change(baseline.recipe), label=label)
        compared = comparison.compare(
            splits, size, techniques, baseline=baseline, labelled_sets=labelled_sets
        )
        layers = {
            arm.label: _looked_into(splits, compared, outcomes[:seeds])
            for arm, outcomes in zip(compared.study.design.arms, compared.compared.outcomes, strict=True)
        }
        found.append(AtDepth(depth, compared, layers))
    return found


def _looked_into(splits, compared, outcomes):
    """Layers of nets of an arm before and after training, at the labelled set's own examples."""
    import jax
    import numpy as np

    from overfit import base, keys
    from overfit.train import diagnose, step
    from overfit.train.engine import population

    pool, design = splits.train, compared.study.design
    members = []
    for outcome in outcomes:
        tuned = outcome.tuned
        one = design.sets[tuned.place]
        members.append(
            population.Member(tuned.arm.recipe, tuned.hyper, one.seed, one.labelled, one.labelled[:0], False)
        )
    trained = population.train(members, pool, eval_every=design.plan.protocol.eval_every)
    recipe = members[0].recipe

    @jax.jit
    def look(variables, batch, inputs):
        found = diagnose.layers(variables, batch, inputs, activation=recipe.model.activation, recipe=recipe)
        return [one._replace(name=0) for one in found]

    before, after = [], []
    for member, net in zip(members, trained, strict=True):
        rows = member.train
        inputs = jax.tree.map(np.asarray, pool.kind.measure(pool.x[rows]))
        batch = base.Batch(pool.x[rows], pool.y[rows])
        begun = step.init_state(keys.key(member.seed), pool.x[:1], inputs, member.hyper, recipe)
        before.append(look({'params': begun.params, **begun.collections}, batch, inputs))
        after.append(look(net.variables, batch, inputs))
    return before, after


def curves(found: Sequence[AtDepth]) -> dict[str, tuple[list[int], list[Any]]]:
    """Test errors by depth for each arm, as `picture.curves` takes them."""
    series = {}
    for one in found:
        results = one.found.results
        for row in (results.baseline, *results.arms):
            depths, errors = series.setdefault(row.technique, ([], []))
            depths.append(one.depth)
            errors.append(row.test_error)
    return series


def values(layers: Sequence[Any], field: str) -> list[float]:
    """A figure of each layer, the mean over the seeds.

    Args:
        layers: for each seed, the layers.
        field: of `overfit.train.diagnose.Layer`.
    """
    import numpy as np

    return [float(np.mean([getattr(one, field) for one in same])) for same in zip(*layers, strict=True)]


def table(found: Sequence[AtDepth]) -> str:
    """Errors by depth, a row an arm: intervals are for other labelled sets and test examples."""
    from overfit.report import spelling

    series = curves(found)
    width = max(map(len, series))
    lines = [f'{"test error % by hidden layers":{width}}  ' + '  '.join(f'{one.depth:>11}' for one in found)]
    for label, (_, errors) in series.items():
        cells = [f'{error.mean:5.1f} ± {spelling.half(error):3.1f}' for error in errors]
        lines.append(f'{label:{width}}  ' + '  '.join(f'{cell:>11}' for cell in cells))
    return '\n'.join(lines)


def record(found: Sequence[AtDepth], fields: Sequence[str]) -> list[dict[str, Any]]:
    """Everything as plain values for a JSON file.

    Args:
        found: at each depth.
        fields: of the layers.
    """

    def plain(layers):
        return {
            field: [None if v != v else float(f'{v:.4g}') for v in values(layers, field)] for field in fields
        }

    return [
        {'depth': one.depth}
        | comparison.record(one.found.results)
        | {
            'layers': {
                label: {'before': plain(before), 'after': plain(after)}
                for label, (before, after) in one.layers.items()
            }
        }
        for one in found
    ]


def draw(figure: Any, found: Sequence[AtDepth], field: str, name: str, *, after: bool) -> None:
    """Errors by depth beside a figure of the layers of the deepest net.

    Args:
        figure: to draw on.
        found: at each depth.
        field: of the layers.
        name: of that figure, for the axis.
        after: training, or before it.
    """
    left, right = figure.subplots(1, 2)
    picture.curves(left, curves(found), x='hidden layers')
    left.set_xticks([one.depth for one in found])
    deepest = found[-1]
    for label, both in deepest.layers.items():
        figures = values(both[after], field)
        right.plot(range(1, 1 + len(figures)), figures, label=label)
    right.set_yscale('log')
    right.set_xlabel(f'layer of {1 + deepest.depth}, {"after" if after else "before"} training')
    right.set_ylabel(name)
    picture.plain_logs(figure)
    figure.set_size_inches(9.5, 4.2)
