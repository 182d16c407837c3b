"""Numbers of the results as text, and the words that the report knows."""

from collections.abc import Sequence

from overfit.study.results import DataInfo, Difference, Interval, LabelsWorth

HELPS, HURTS, SAME, UNDECIDED = 'helps', 'hurts', 'no difference that matters', 'undecided'
CROSS_FITTED = 'cross-fitted'


def shortened(text: str, length: int) -> str:
    """Cuts a text to a length, with an ellipsis where something is missing.

    >>> shortened('dropout + max-norm', 12)
    'dropout + m…'
    """
    return text if len(text) <= length else text[: length - 1].rstrip(' +,') + '…'


def listed(words: list[str]) -> str:
    """Joins words as in a sentence.

    >>> listed(['L1', 'L2', 'dropout'])
    'L1, L2 and dropout'
    """
    return ', '.join(words[:-1]) + ' and ' * (len(words) > 1) + words[-1]


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


def of_all(count: int, data: DataInfo) -> str:
    """Says how many of the labelled examples.

    >>> of_all(100, DataInfo('mine', 'image', 80, 100, 10, '', labelled=100, noun='images'))
    'all 100 labelled images'
    >>> of_all(40, DataInfo('mine', 'image', 32, 100, 10, '', labelled=100, noun='images'))
    '40 of the 100 labelled images'
    """
    some = 'all' if count == data.labelled else f'{count:,} of the'
    return f'{some} {data.labelled:,} labelled {data.noun}'


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


def rounded(value: float) -> str:
    """Writes a factor with two digits or so.

    >>> rounded(12.4), rounded(2.94), rounded(0.04)
    ('12', '2.9', '0.04')
    """
    return f'{value:.{0 if value >= 10 else 1 if value >= 0.1 else 2}f}'


def capped(value: float | None, largest: float) -> str:
    """Writes a factor, `'over'` or `'under'` where it reaches an end of `[1 / largest, largest]`.

    >>> capped(2.94, 4.0), capped(4.0, 4.0), capped(0.25, 4.0), capped(None, 4.0)
    ('2.9', 'over 4', 'under 0.25', '…')
    """
    if value is None:
        return '…'
    if value >= largest:
        return f'over {largest:.3g}'
    return f'under {1 / largest:.2g}' if value <= 1 / largest else rounded(value)


def worth_factor(worth: LabelsWorth | None) -> str:
    """Writes the factor of a worth, with a star where it is extrapolated; empty where it is unknown.

    What lies beyond the cap is not read at all, so it gets no star.

    >>> worth_factor(LabelsWorth(2.94, 2.46, 3.41, True, 4.0)), worth_factor(LabelsWorth(4, 3, 4, True, 4.0))
    ('× 2.9*', 'more than × 4')
    """
    if worth is None or worth.factor is None:
        return ''
    if worth.factor >= worth.largest:
        return f'more than × {worth.largest:.3g}'
    if worth.factor <= 1 / worth.largest:
        return f'less than × {1 / worth.largest:.2g}'
    return f'× {rounded(worth.factor)}' + '*' * worth.extrapolated


def untold(worth: LabelsWorth | None, verdict: str | None) -> bool:
    """Says whether a worth tells nothing: it is only a bound, and the row is undecided.

    >>> beyond = LabelsWorth(4.0, 0.3, 4.0, True, 4.0)
    >>> untold(beyond, UNDECIDED), untold(beyond, HELPS), untold(beyond._replace(factor=2.9), UNDECIDED)
    (True, False, False)
    """
    if worth is None or worth.factor is None or verdict != UNDECIDED:
        return False
    return not 1 / worth.largest < worth.factor < worth.largest


def worth_interval(worth: LabelsWorth | None) -> str:
    """Writes the interval of a worth; empty where it is unknown, or says no more than the factor does.

    >>> worth_interval(LabelsWorth(2.94, 2.46, 4.0, True, 4.0))
    '[2.5, over 4]'
    >>> worth_interval(LabelsWorth(4.0, 4.0, 4.0, True, 4.0))
    ''
    """
    if worth is None or worth.factor is None or (worth.low is None and worth.high is None):
        return ''
    low, high = capped(worth.low, worth.largest), capped(worth.high, worth.largest)
    return '' if low == high == capped(worth.factor, worth.largest) else f'[{low}, {high}]'


def half(interval: Interval) -> float:
    """Half the width of an interval.

    >>> half(Interval(5.0, 4.0, 7.0, 10))
    1.5
    """
    return (interval.high - interval.low) / 2


def aligned(numbers: Sequence[str], rest: Sequence[str] = ()) -> list[str]:
    """Puts numbers below each other, and what follows each behind it.

    >>> aligned(['1.5', '10.5'], ['± 0.1', ''])
    [' 1.5 ± 0.1', '10.5']
    """
    width, rest = max(map(len, numbers)), rest or [''] * len(numbers)
    return [f'{number:>{width}} {words}'.rstrip() for number, words in zip(numbers, rest, strict=True)]
