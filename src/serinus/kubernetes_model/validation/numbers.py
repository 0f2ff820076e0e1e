"""Numbers: counts, ports, percentages."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.validation import names

_NEGATIVE = "must be greater than or equal to 0"
_PORT = "must be between 1 and 65535, inclusive"
_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
    "'93%', regex used for validation is '[0-9]+%')"
)


def check_counts(owner: dict[str, Any], keys: tuple[str, ...], field: str) -> list[Problem]:
    """Refuse negative numbers among the named fields."""
    return [
        failures.invalid(f"{field}.{key}", value, _NEGATIVE)
        for key in keys
        if (value := owner.get(key)) is not None and value < 0
    ]


def check_port(value: int, field: str) -> list[Problem]:
    """Refuse what is no port number."""
    return [] if 0 < value < 65536 else [failures.invalid(field, value, _PORT)]


def check_port_or_name(value: Any, field: str) -> list[Problem]:
    """Refuse what is neither a port number nor a port's name."""
    if isinstance(value, int):
        return check_port(value, field)
    return [failures.invalid(field, value, words) for words in names.port_name(value)]


def check_count_or_percent(value: Any, field: str) -> list[Problem]:
    """Refuse what is neither a count nor a percentage."""
    if isinstance(value, int):
        return [failures.invalid(field, value, _NEGATIVE)] if value < 0 else []
    if value[-1:] == "%" and value[:-1].isdecimal():
        return []
    return [failures.invalid(field, value, _PERCENT)]


def check_at_most_all(value: Any, field: str) -> list[Problem]:
    """Refuse more than 100 %."""
    if isinstance(value, str) and value[:-1].isdecimal() and int(value[:-1]) > 100:
        return [failures.invalid(field, value, "must not be greater than 100%")]
    return []


def amount(value: Any) -> int:
    """Return the number in a count or percentage, without its unit."""
    if isinstance(value, int):
        return value
    return int(value[:-1]) if value[:-1].isdecimal() else 0
