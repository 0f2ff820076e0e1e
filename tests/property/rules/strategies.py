"""Random rules and requests, out of few names and values so that they meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from serinus.rules import tree
from serinus.rules.tree import Attribute, Operator, Predicate, Request, Source

NOW_MS = 1_780_000_000_000
HEADERS = ("x-a", "x-b")
NAMES = ("a", "b")
WORDS = ("", "a", "b", "ab", "A", "aé", "a b", "it's", 'say "a"', "back\\slash", "a,b")
NUMBERS = ("0", "7", "-7", "07", "123456789012345678")
LOOSE = ("1234567890123456789", "+7", " 7", "7.0", "2026-1-1T00:00:00Z", "2026-01-01T00:00:00z")
"""What some engines read as a number or an instant, and serinus does not."""
MOMENTS = (
    "2026-01-01T00:00:00Z",
    "2026-01-01T08:00:00+08:00",
    "2026-01-01T00:00:00.5Z",
    "2026-05-28T20:26:40Z",
    "2025-12-31T23:59:59.999999999Z",
)
NO_MOMENTS = ("2026-02-30T00:00:00Z", "2026-01-01", "2026-13-01T00:00:00Z", "soon")
PATTERNS = ("a", "^a$", r"^\d+$", "(?i)A", "a|b", "^.$", "[^a]", r"\bb", "^$", "(-[a-z]+)*", r"\\")

texts = st.sampled_from(WORDS + NUMBERS + MOMENTS)
values = st.sampled_from(WORDS + NUMBERS + MOMENTS + NO_MOMENTS + LOOSE)
strict_values = st.sampled_from(WORDS + NUMBERS + MOMENTS + NO_MOMENTS)
integers = st.sampled_from((0, 7, -7, 123456789012345678, 1_767_225_600))
keys = st.sampled_from(NAMES)


@st.composite
def claims(draw: st.DrawFn) -> Attribute:
    """Draw a claim, on its own or inside another."""
    return Attribute(Source.CLAIM, tuple(draw(st.lists(keys, min_size=1, max_size=2))))


@st.composite
def attributes(draw: st.DrawFn) -> Attribute:
    """Draw an attribute."""
    source = draw(st.sampled_from(Source))
    if source is Source.CLAIM:
        return draw(claims())
    if not source.keyed:
        return Attribute(source)
    return Attribute(source, (draw(st.sampled_from(HEADERS) if source is Source.HEADER else keys),))


numbers = st.builds(tree.Integer, attributes())
instants = st.builds(tree.Timestamp, st.one_of(attributes(), numbers))
moments = st.one_of(
    st.builds(tree.Moment, st.sampled_from((0, 1_767_225_600_000, 1_767_225_600_500, NOW_MS))),
    st.builds(tree.FromNow, st.sampled_from((0, -720 * 3_600_000, 90_000, -1))),
)
operators = st.sampled_from(Operator)
equalities = st.sampled_from((Operator.EQUAL, Operator.NOT_EQUAL))
networks = st.sampled_from(("10.0.0.0/8", "127.0.0.1/32", "2001:db8::/32"))

_tests: tuple[st.SearchStrategy[Predicate], ...] = (
    st.builds(tree.CompareText, attributes(), equalities, texts),
    st.builds(tree.CompareBoolean, claims(), equalities, st.booleans()),
    st.builds(tree.CompareInteger, numbers, operators, integers),
    st.builds(tree.CompareTime, instants, operators, moments),
    st.builds(tree.TextIn, attributes(), st.lists(texts, min_size=1, max_size=3).map(tuple)),
    st.builds(tree.IntegerIn, numbers, st.lists(integers, min_size=1, max_size=3).map(tuple)),
    st.builds(tree.HasPart, attributes(), st.sampled_from(tree.Part), texts),
    st.builds(tree.Matches, attributes(), st.sampled_from(PATTERNS)),
    st.builds(tree.Present, attributes().filter(lambda a: a.source.keyed)),
    st.builds(tree.ListHas, claims(), texts),
    st.builds(tree.InNetwork, networks),
    st.builds(tree.Always, st.booleans()),
)


@st.composite
def tests(draw: st.DrawFn) -> Predicate:
    """Draw a predicate that asks one thing."""
    return draw(draw(st.sampled_from(_tests)))


@st.composite
def predicates(draw: st.DrawFn, depth: int = 3) -> Predicate:
    """Draw a predicate that the parser could have made."""
    kind = draw(st.sampled_from(("test", "test", "not", "and", "or"))) if depth else "test"
    if kind == "test":
        return draw(tests())
    if kind == "not":
        return tree.Not(draw(predicates(depth - 1)))
    junction: type[tree.And | tree.Or] = tree.And if kind == "and" else tree.Or
    parts: list[Predicate] = []
    while len(parts) < 2:
        part = draw(predicates(depth - 1))
        parts += part.parts if isinstance(part, junction) else (part,)
    return junction(tuple(parts))


claim_values = st.one_of(
    values,
    st.booleans(),
    st.none(),
    st.sampled_from((0, 7, -7, 7.5, 1e300)),
    st.lists(values, max_size=2),
)
claim_payloads = st.dictionaries(
    keys, st.one_of(claim_values, st.dictionaries(keys, claim_values, max_size=2)), max_size=2
)
text_payloads = st.dictionaries(keys, strict_values, max_size=2)


@st.composite
def requests(
    draw: st.DrawFn,
    found: st.SearchStrategy[str] = values,
    payloads: st.SearchStrategy[dict[str, Any]] = claim_payloads,
) -> Request:
    """Draw a request with these values and claims."""
    several = st.lists(found, min_size=1, max_size=2)
    headers = draw(st.dictionaries(st.sampled_from(HEADERS), several, max_size=2))
    jar = draw(st.lists(st.tuples(keys, found), max_size=2))
    if jar:
        headers["cookie"] = ["; ".join(f"{name}={value}" for name, value in jar)]
    asked = draw(st.lists(st.tuples(keys, found), max_size=2))
    return Request(
        method=draw(st.sampled_from(("GET", "POST"))),
        path=draw(st.sampled_from(("/", "/a", "/a/b"))),
        query="&".join(f"{name}={value}" for name, value in asked) if asked else None,
        host=draw(st.sampled_from((None, "a", "example.com:8080"))),
        headers=headers,
        source_address=draw(st.sampled_from((None, "10.1.2.3", "127.0.0.1", "::ffff:10.1.2.3"))),
        claims=draw(st.one_of(st.none(), payloads)),
        now_ms=NOW_MS,
    )


def plain_requests() -> st.SearchStrategy[Request]:
    """Draw a request whose claims are texts, with no value that only some engines can read."""
    return requests(strict_values, text_payloads)
