"""Numbers of the results as text."""

from overfit.study.results import Difference, Interval, LabelsWorth


def shortened(text: str, length: int) -> str:
    """Cuts a text to a length, with an ellipsis where something is missing.

    >>> shortened('dropout + max-norm', 12)
    'dropout + m…'
    """
    return text if len(text) <= length else text[: length - 1].rstrip(' +,') + '…'


def signed(value: float, digits: int = 1) -> str:
    """Writes a number with its sign (a typographic minus); without one where it rounds to zero.

    >>> signed(-1.25, 2), signed(0.04)
    ('−1.25', '0.0')
    """
    text = f'{value:+.{digits}f}'
    return (text if float(text) else f'{0:.{digits}f}').replace('-', '−')


def counted(number: int, noun: str) -> str:
    """Writes a number with its noun, in the plural where there is not exactly one.

    >>> counted(1, 'comparison'), counted(1200, 'comparison')
    ('1 comparison', '1,200 comparisons')
    """
    return f'{number:,} {noun}{"s" * (number != 1)}'


def bounds(interval: Interval | Difference, digits: int) -> str:
    """Writes an interval's ends with their signs.

    >>> bounds(Interval(0.5, -1, 2, 20), 1)
    '[−1.0, +2.0]'
    """
    return f'[{signed(interval.low, digits)}, {signed(interval.high, digits)}]'


def duration(seconds: float) -> str:
    """Writes a time with its two largest units.

    >>> duration(7260), duration(59.6)
    ('2 h 1 min', '1 min 0 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f'{minutes // 60} h {minutes % 60} min'
    return f'{minutes} min {rest} s' if minutes else f'{rest} s'


def p_value(value: float | None) -> str:
    """Writes a p-value to three decimals below 0.1 and two above; empty where there is none.

    >>> p_value(0.0104), p_value(1e-9)
    ('p = 0.01', 'p < 0.001')
    """
    if value is None:
        return ''
    if value < 0.001:
        return 'p < 0.001'
    return f'p = {value:.{3 if value < 0.1 else 2}f}'.rstrip('0').rstrip('.')


def factor(value: float | None, largest: float) -> str:
    """Writes a factor, `'over'` or `'under'` where it reaches an end of `[1 / largest, largest]`.

    >>> factor(2.94, 100.0), factor(100.0, 100.0), factor(None, 100.0)
    ('2.9', 'over 100', '…')
    """
    if value is None:
        return '…'
    if value >= largest:
        return f'over {largest:.0f}'
    if value <= 1 / largest:
        return f'under {1 / largest:.2f}'
    return f'{value:.{0 if value >= 10 else 1 if value >= 0.1 else 2}f}'


def labels_worth(worth: LabelsWorth | None) -> str:
    """Writes a factor with its interval; empty where it is unknown.

    >>> labels_worth(LabelsWorth(2.94, 2.46, 3.41, True))
    '× 2.9 [2.5, 3.4] extrapolated'
    """
    if worth is None or worth.factor is None:
        return ''
    text = f'× {factor(worth.factor, worth.largest)}'
    if worth.low is not None or worth.high is not None:
        text += f' [{factor(worth.low, worth.largest)}, {factor(worth.high, worth.largest)}]'
    return text + ' extrapolated' * worth.extrapolated


def wilson(percent: float, count: int) -> tuple[float, float]:
    """Returns the ends of Wilson's 95 % interval of a share of `count` examples, in percent."""
    from scipy import stats

    interval = stats.binomtest(round(percent * count / 100), count).proportion_ci(method='wilson')
    return 100 * interval.low, 100 * interval.high
