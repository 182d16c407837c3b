"""How often the intervals of simulated users held the truth."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.simulated_users import Seen
from overfit.study import stats


def summary(seen: Sequence[Seen]) -> dict:
    """How often the intervals held the truth, for all procedures together and for each.

    A truth that is an expectation is the mean over all other users.

    Args:
        seen: of all users in one test mode.

    Returns:
        Shares, percent and percentage points.
    """
    labels, arms = seen[0].labels, len(seen[0].final) - 1
    at_size, final = (np.array([getattr(one, name) for one in seen]) for name in ('at_size', 'final'))
    true, true_final = at_size[:, 1:] - at_size[:, :1], final[:, 1:] - final[:, :1]
    verdicts = np.array([one.verdicts for one in seen])

    def of(field, *attributes):
        values = [[[getattr(one, a) for a in attributes] for one in getattr(user, field)] for user in seen]
        return np.moveaxis(np.array(values), -1, 0)

    mean, *single = of('differences', 'mean', 'low_single', 'high_single')
    wide = of('differences', 'low', 'high')
    level, *of_level = of('errors', 'mean', 'low', 'high')
    model, *of_model = of('of_models', 'mean', 'low', 'high')
    held = {
        'difference': _held(single, _expected(true)),
        'difference_simultaneous': _held(wide, _expected(true)),
        'difference_of_final_models': _held([s[:, :arms] for s in single], _expected(true_final)),
        'difference_of_own_final_models': _held([s[:, :arms] for s in single], true_final),
        'expected_error': _held(of_level, _expected(at_size)),
        'model_error': _held(of_model, final),
        'model_error_by_interval_of_expected': _held([one[:, : arms + 1] for one in of_level], final),
    }
    truth = _expected(true)
    wrong = ((verdicts == 'helps') & (truth > 0)) | ((verdicts == 'hurts') & (truth < 0))
    rows = {
        label: {
            'coverage': _share(held['difference'][:, n]),
            'coverage_simultaneous': _share(held['difference_simultaneous'][:, n]),
            'true_difference': _rounded(true[:, n]),
            'mean_difference': _rounded(mean[:, n]),
            'sd_of_difference': round(float(mean[:, n].std(ddof=1)), 3),
            'half_width': _half(single, n),
            'half_width_simultaneous': _half(wide, n),
            'verdicts': {word: int((verdicts[:, n] == word).sum()) for word in stats.VERDICTS},
        }
        for n, label in enumerate(labels[1:])
    }
    models = {
        label: {
            'coverage_of_expected_error': _share(held['expected_error'][:, n]),
            'true_expected_error': _rounded(at_size[:, n]),
            'mean_expected_error': _rounded(level[:, n]),
            'coverage_of_model_error': _share(held['model_error'][:, n]),
            'true_model_error': _rounded(final[:, n]),
            'mean_model_error': _rounded(model[:, n]),
            'half_width_of_model_error': _half(of_model, n),
        }
        for n, label in enumerate(labels[: arms + 1])
    }
    of_arms = slice(arms)
    return {
        'users': len(seen),
        **{f'coverage_of_{name}': _share(one[:, : arms + ('error' in name)]) for name, one in held.items()},
        'coverage_of_all_differences_at_once': _share(held['difference_simultaneous'].all(1)),
        'half_width_of_difference': _half(single, of_arms),
        'half_width_simultaneous': _half(wide, of_arms),
        'half_width_of_model_error': _half(of_model, slice(None)),
        'detectable': _rounded(np.array([user.detectable for user in seen])),
        'verdicts_of_the_wrong_sign': int(wrong[:, of_arms].sum()),
        'control_verdicts': int(np.isin(verdicts[:, arms:], stats.DECIDED).sum()),
        'verdicts': {word: int((verdicts[:, of_arms] == word).sum()) for word in stats.VERDICTS},
        'differences': rows,
        'models': models,
    }


def _expected(values):
    """For each user the mean over the others."""
    return (values.sum(0) - values) / (len(values) - 1)


def _held(ends, truth):
    low, high = ends
    return (low <= truth) & (truth <= high)


def _share(held):
    return round(float(held.mean()), 4)


def _rounded(values):
    return round(float(values.mean()), 3)


def _half(ends, columns):
    low, high = ends
    return round(float((high - low)[:, columns].mean() / 2), 3)


def table(summaries: Mapping[str, dict]) -> str:
    """The main figures of both test modes as text."""
    lines = [f'{"":46}' + ''.join(f'{mode:>14}' for mode in summaries)]
    first = next(iter(summaries.values()))
    for key, value in first.items():
        if isinstance(value, int | float):
            figures = ''.join(f'{one[key]:>14g}' for one in summaries.values())
            lines.append(f'{key.replace("_", " "):46}{figures}')
    for word in first['verdicts']:
        lines.append(f'{word:46}' + ''.join(f'{one["verdicts"][word]:>14}' for one in summaries.values()))
    return '\n'.join(lines)
