"""Nets of a comparison, to be trained again with something that no procedure of the study does."""

from typing import Any

from experiments.question import comparison


def of_folds(
    splits: Any, found: comparison.Comparison, count: int | None = None, *, arm: int = 0
) -> list[list[Any]]:
    """The nets of a tuned arm, as the baseline: each leaves out a fold, which validates it.

    They are the same nets as the study's own, with the same seeds.

    Args:
        splits: the data set.
        found: whose settings are taken.
        count: nets of each labelled set; more than there are folds leave them out in turn. `None`: as many
            as the search trained.
        arm: number of the arm; 0 is the baseline.

    Returns:
        For each labelled set, `overfit.train.engine.population.Member` values.
    """
    from overfit.study import labelled_sets
    from overfit.study.protocol import fold_count, seed_of
    from overfit.train.engine import population

    design = found.study.design
    members = []
    for outcome in found.compared.outcomes[arm]:
        tuned = outcome.tuned
        one = design.sets[tuned.place]
        folds = labelled_sets.inner_folds(
            splits.train, one.labelled, fold_count(design.plan.protocol.validation), seed=one.seed
        )
        members.append([])
        for net in range(count or len(tuned.runs)):
            train, held = folds[net % len(folds)]
            members[-1].append(
                population.Member(
                    tuned.arm.recipe,
                    tuned.hyper,
                    seed_of(one.seed, 'net', net),
                    one.labelled[train],
                    one.labelled[held],
                )
            )
    return members
