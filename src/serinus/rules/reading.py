"""How a value of the request is read, and when it is missing. The one place that says so.

A value that is not there, or that is not what was asked for (`int()` of a text without digits), is
missing: None. What a test on a missing value means stands in `evaluation`. Everything here can also
be said by Envoy (docs/reference/rules.md), which is why nothing is trimmed or percent-decoded.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serinus.rules.tree import Attribute, Request, Source

INTEGER_PATTERN = "^-?[0-9]{1,18}$"
"""The texts that `int()` reads, for RE2: no spaces, no plus sign."""
TIMESTAMP_PATTERN = (
    "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?"
    "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""The texts that `timestamp()` reads, for RE2, but for days that a month has not."""
SECONDS_MIN, SECONDS_MAX = -62_135_596_800, 253_402_300_799
"""The whole seconds that `timestamp(int())` reads: the years 1 to 9999."""
WHOLE_MAX = 2**53
"""Beyond it a JSON number is not exact."""

_INTEGER = re.compile(INTEGER_PATTERN.replace("$", r"\Z"))
_TIMESTAMP = re.compile(TIMESTAMP_PATTERN.replace("$", r"\Z"))
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def header(headers: Mapping[str, Sequence[str]], name: str) -> str | None:
    """Return the header's values, joined by commas when there are several."""
    values = headers.get(name)
    if not values:
        return None
    return values[0] if len(values) == 1 else ",".join(values)


def cookies(headers: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield names and values of cookies: without the spaces in front, and quotes around a value."""
    for line in headers.get("cookie", ()):
        for item in line.split(";"):
            name, equals, value = item.partition("=")
            if not equals:
                continue
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            yield name.lstrip(" "), value


def parameters(query: str | None) -> Iterator[tuple[str, str]]:
    """Yield names and values of query parameters as they stand in the address."""
    if query:
        for item in query.split("&"):
            name, _, value = item.partition("=")
            yield name, value


def claim(claims: Mapping[str, Any] | None, key: Sequence[str]) -> Any:
    """Return a claim, or None where there is none; JSON's null is none."""
    found: Any = claims
    for name in key:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def value(request: Request, attribute: Attribute) -> Any:
    """Return the attribute: a text, or any JSON value for a claim; None when it is missing.

    Of several cookies or parameters of a name, the first counts.
    """
    match attribute.source:
        case Source.HEADER:
            return header(request.headers, attribute.key[0])
        case Source.COOKIE:
            return _first(cookies(request.headers), attribute.key[0])
        case Source.QUERY:
            return _first(parameters(request.query), attribute.key[0])
        case Source.CLAIM:
            return claim(request.claims, attribute.key)
        case Source.METHOD:
            return request.method
        case Source.PATH:
            return request.path
        case Source.HOST:
            return request.host


def integer(found: Any) -> int | None:
    """Return what `int()` says of a value: digits of a text, or a JSON number that is whole."""
    if isinstance(found, str):
        return int(found) if _INTEGER.match(found) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return int(found) if abs(found) <= WHOLE_MAX and found == int(found) else None


def timestamp_ns(found: Any) -> int | None:
    """Return what `timestamp()` says of a text, in nanoseconds since the epoch."""
    if not isinstance(found, str) or not _TIMESTAMP.match(found):
        return None
    whole, fraction, zone = found[:19], "", found[19:]
    if zone[0] == ".":
        digits = re.match(r"\.([0-9]+)", zone)
        fraction = digits[1] if digits else ""
        zone = zone[len(fraction) + 1 :]
    try:
        moment = dt.datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    except ValueError:  # the 30th of February
        return None
    since = moment - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0"))


def epoch_ns(seconds: int | None) -> int | None:
    """Return what `timestamp(int())` says of seconds since the epoch, in nanoseconds."""
    if seconds is None or not SECONDS_MIN <= seconds <= SECONDS_MAX:
        return None
    return seconds * 1_000_000_000


def address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address; one of IPv4 inside IPv6 is the one of IPv4."""
    if text is None:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _first(pairs: Iterator[tuple[str, str]], name: str) -> str | None:
    return next((found for key, found in pairs if key == name), None)
