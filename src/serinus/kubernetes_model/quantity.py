"""Quantities such as `500m` and `1Gi`: parse, compare, and write them the canonical way."""

from __future__ import annotations

import functools
import re
from fractions import Fraction

_FORM = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?")
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SUFFIXES = tuple(sorted(((power, name) for name, power in _DECIMAL.items()), reverse=True))
_SHIFTS = tuple(sorted(((shift, name) for name, shift in _BINARY.items()), reverse=True))
_NANO = Fraction(1, 10**9)

REFUSAL = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
"""Kubernetes' words for what is no quantity (apimachinery, pkg/api/resource)."""


@functools.lru_cache(maxsize=1024)
def canonical(text: str) -> str:
    """Return the form that the API server gives back: no fraction, the largest suffix.

    Raises:
        ValueError: it is no quantity.
    """
    amount, suffix = _split(text)
    sign = "-" if amount < 0 else ""
    amount = abs(amount)
    if suffix in _BINARY and (amount >= 1024 or amount == 0) and amount.denominator == 1:
        return sign + _binary(int(amount))
    nanos = -(-amount // _NANO)
    if suffix[:1] in {"e", "E"} and len(suffix) > 1:
        return sign + _exponent(int(nanos))
    return sign + _decimal(int(nanos))


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Fraction:
    """Return the amount.

    Raises:
        ValueError: it is no quantity.
    """
    return _split(text)[0]


def _split(text: str) -> tuple[Fraction, str]:
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(REFUSAL)
    sign, digits, suffix = match.group(1), match.group(2), match.group(3) or ""
    amount = Fraction(digits)
    if suffix in _BINARY:
        amount *= 1 << _BINARY[suffix]
    elif suffix in _DECIMAL:
        amount *= Fraction(10) ** _DECIMAL[suffix]
    else:
        amount *= Fraction(10) ** int(suffix[1:])
    return (-amount if sign == "-" else amount), suffix


def _binary(amount: int) -> str:
    if amount == 0:
        return "0"
    for shift, name in _SHIFTS:
        if amount % (1 << shift) == 0:
            return f"{amount >> shift}{name}"
    return str(amount)


def _decimal(nanos: int) -> str:
    if nanos == 0:
        return "0"
    for power, name in _SUFFIXES:
        if nanos % 10 ** (power + 9) == 0:
            return f"{nanos // 10 ** (power + 9)}{name}"
    return f"{nanos}n"


def _exponent(nanos: int) -> str:
    if nanos == 0:
        return "0"
    for power in range(18, -10, -3):
        if nanos % 10 ** (power + 9) == 0:
            return f"{nanos // 10 ** (power + 9)}" + (f"e{power}" if power else "")
    return f"{nanos}e-9"
