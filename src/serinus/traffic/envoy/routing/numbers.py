"""Whole numbers compared by patterns of RE2: a number is a text, and its order is regular.

For texts of the form `serinus.rules.reading.INTEGER_PATTERN`, which a matcher of its own asks for.
"""

from __future__ import annotations

from serinus.rules.reading import INTEGER_PATTERN
from serinus.rules.tree import Operator

WHOLE_NUMBER = INTEGER_PATTERN.removeprefix("^").removesuffix("$")


def compared(operator: Operator, right: int) -> str:
    """Return the pattern of the numbers that stand in this relation to `right`.

    NOT_EQUAL is not among them: it is EQUAL, inverted.
    """
    match operator:
        case Operator.EQUAL:
            return equal(right)
        case Operator.LESS:
            return _at_most(right - 1)
        case Operator.LESS_OR_EQUAL:
            return _at_most(right)
        case Operator.GREATER:
            return _at_least(right + 1)
        case Operator.GREATER_OR_EQUAL:
            return _at_least(right)
        case Operator.NOT_EQUAL:
            raise ValueError("ask for EQUAL, inverted")


def equal(number: int) -> str:
    """Return the pattern of the texts that are this number; zeros may stand in front."""
    if number == 0:
        return "-?0+"
    sign = "-" if number < 0 else ""
    return f"{sign}0*{abs(number)}"


def _at_least(number: int) -> str:
    if number > 0:
        return _magnitude_at_least(number)
    return f"(?:[0-9]+|-{_magnitude_at_most(-number)})"


def _at_most(number: int) -> str:
    if number < 0:
        return f"-{_magnitude_at_least(-number)}"
    return f"(?:-[0-9]+|{_magnitude_at_most(number)})"


def _magnitude_at_least(number: int) -> str:
    digits = str(number)
    longer = f"[1-9][0-9]{{{len(digits)},}}"
    return f"0*(?:{'|'.join([longer, *_beside(digits, above=True), digits])})"


def _magnitude_at_most(number: int) -> str:
    digits = str(number)
    shorter = f"[0-9]{{0,{len(digits) - 1}}}"
    return f"0*(?:{'|'.join([shorter, *_beside(digits, above=False), digits])})"


def _beside(digits: str, *, above: bool) -> list[str]:
    """Return the patterns of numbers as long that leave `digits` at one digit, up or down."""
    found = []
    for index, digit in enumerate(digits):
        low, high = (int(digit) + 1, 9) if above else (0, int(digit) - 1)
        if low <= high:
            rest = len(digits) - index - 1
            found.append(f"{digits[:index]}[{low}-{high}]" + (f"[0-9]{{{rest}}}" if rest else ""))
    return found
