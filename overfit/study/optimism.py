"""By how much the search flatters: validation errors of the winners against their test errors."""

import numpy as np

from overfit.study import stats
from overfit.study.decide import Compared
from overfit.study.protocol import fold_count
from overfit.study.requests import Design
from overfit.study.tables import Tables


def measure(design: Design, compared: Compared, tables: Tables, pool: int) -> stats.Interval | None:
    """Optimism of the search, over arms whose validated nets are those that were measured.

    Args:
        design: of the study.
        compared: what the arms did on validation examples.
        tables: their mistakes on test examples.
        pool: number of labelled examples from which the sets are drawn.

    Returns:
        See `stats.search_optimism`; `None` where there is no such arm.
    """
    known = [
        (outcomes, table)
        for outcomes, table in zip(compared.outcomes, tables.arms.values(), strict=True)
        if outcomes[0].tuned.arm.nets == 1 and not outcomes[0].tuned.arm.refit
    ]
    errors = np.array([np.mean([o.tuned.error for o in outcomes]) for outcomes, _ in known])
    sound = np.isfinite(errors)
    if not sound.any():
        return None
    mistakes = np.mean([table for (_, table), good in zip(known, sound, strict=True) if good], axis=0)
    return stats.search_optimism(100 * errors[sound], mistakes, validated(design, pool), tables.columns)


def validated(design: Design, pool: int) -> int:
    """About how many labelled examples validate anything: the labelled sets have some of them in common.

    Args:
        design: of the study.
        pool: number of labelled examples from which the sets are drawn.
    """
    protocol = design.plan.protocol
    share = protocol.folds / fold_count(protocol.validation)
    others = [1 - share * len(design.sets[place].labelled) / pool for place in design.places.measured]
    return round(pool * (1 - np.prod(others)))
