"""Words of notes and refusals."""

import re
from collections.abc import Sequence

DATE = re.compile(r'\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{2}|\d{4})( .*)?')
TIME = re.compile(r'\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?')
DATE_IN_WORDS = re.compile(
    r'(\d{1,2}\.?[ -])?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?[ -]\d{1,4}(,? \d{4})?', re.I
)
DECIMAL_COMMA = re.compile(r'[+-]?\d*,\d+')
POINTS = re.compile(r'[+-]?\d{1,3}(\.\d{3})+,\d+')
THOUSANDS = re.compile(r'[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?')


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural where there is not exactly one.

    >>> counted(1, 'file'), counted(1200, 'file')
    ('1 file', '1,200 files')
    """
    return f'{number:,} {noun}{"" if number == 1 else "s"}'


def cause(words: Sequence[str]) -> tuple[str, str] | None:
    """Why the cells of a column that should be numbers are none, where most of them show it.

    Args:
        words: cells that are no numbers, one or more.

    Returns:
        What they look like, and what to do about it; or `None`.
    """

    def mostly(*forms):
        return 2 * sum(any(form.fullmatch(word) for form in forms) for word in words) > len(words)

    one = words[0]
    if mostly(DATE, TIME, DATE_IN_WORDS):
        return 'dates or times', 'give numbers, such as the days or seconds since a fixed time'
    if mostly(POINTS):
        plain = one.replace('.', '').replace(',', '.')
        return 'numbers with points between thousands', f'write {plain}'
    if not mostly(DECIMAL_COMMA, THOUSANDS):
        return None
    plain, point = one.replace(',', ''), one.replace(',', '.')
    if any(DECIMAL_COMMA.fullmatch(word) and not THOUSANDS.fullmatch(word) for word in words):
        return 'numbers with decimal commas', f'write {point}, or separate the cells by semicolons'
    if any(THOUSANDS.fullmatch(word) and not DECIMAL_COMMA.fullmatch(word) for word in words):
        return 'numbers with commas between thousands', f'write {plain}'
    both = f'write {plain} or {point}, whichever is meant'
    return 'numbers with commas between thousands or before decimals', both
