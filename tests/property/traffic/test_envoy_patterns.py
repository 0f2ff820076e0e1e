"""Patterns over headers say the same as the functions that read requests: RE2's part of `re`."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from serinus.assignment.identity import Absence, IdentityKind, IdentitySource, reader
from serinus.rules import reading
from serinus.rules.tree import Attribute, Operator, Request, Source
from serinus.traffic.envoy.routing import numbers, texts
from serinus.traffic.envoy.routing.match import quoted

NAMES = st.sampled_from(["a", "id", "ab", "a-b"])
# Close to what the patterns take apart: names and their beginnings, separators, quotes.
WORDS = st.text(alphabet='abid-=" .x', max_size=6)
COMPARE = {
    Operator.EQUAL: int.__eq__,
    Operator.LESS: int.__lt__,
    Operator.LESS_OR_EQUAL: int.__le__,
    Operator.GREATER: int.__gt__,
    Operator.GREATER_OR_EQUAL: int.__ge__,
}


@st.composite
def items(draw: st.DrawFn, separator: str) -> str:
    found = []
    for _ in range(draw(st.integers(0, 4))):
        name = draw(NAMES | WORDS)
        found.append(
            draw(st.sampled_from(["", " "])) + name + draw(st.sampled_from(["", "=", "=x"]))
        )
        if draw(st.booleans()):
            found[-1] += draw(WORDS)
    return separator.join(found)


def captured(text: texts.Captured, whole: str) -> str | None:
    found = re.fullmatch(text.pattern, whole)
    return None if found is None else "".join(group or "" for group in found.groups())


@given(items(";"), NAMES)
def test_the_cookie_of_a_user_is_the_one_that_the_identity_reads(line: str, name: str) -> None:
    request = Request(headers={"cookie": [line]})
    expected = reader(IdentitySource(IdentityKind.COOKIE, name))(request)
    found = captured(texts.only_cookie(name), line)
    assert found == (None if isinstance(expected, Absence) else expected)


@given(items("&").map(lambda text: text.replace(" ", "")), NAMES)
def test_the_parameter_of_a_user_is_the_one_that_the_identity_reads(query: str, name: str) -> None:
    request = Request(query=query)
    expected = reader(IdentitySource(IdentityKind.QUERY, name))(request)
    found = captured(texts.only_parameter(name), f"/shop?{query}")
    assert found == (None if isinstance(expected, Absence) else expected)


@given(items(";"), NAMES, WORDS.filter(lambda word: '"' not in word))
def test_the_first_cookie_is_compared_as_rules_read_it(line: str, name: str, text: str) -> None:
    attribute = Attribute(Source.COOKIE, (name,))
    value = reading.value(Request(headers={"cookie": [line]}), attribute)
    place = texts.place(attribute)
    is_it = re.fullmatch(place.pattern(quoted(text), may_be_empty=text == ""), line)
    is_there = re.fullmatch(place.pattern(place.anything, may_be_empty=True), line)
    begins = re.fullmatch(place.pattern(quoted(text) + place.anything), line)
    assert (is_it is not None) == (value == text)
    assert (is_there is not None) == (value is not None)
    if text:
        assert (begins is not None) == (value is not None and value.startswith(text))


@given(items("&"), NAMES, WORDS)
def test_the_first_parameter_is_compared_as_rules_read_it(query: str, name: str, text: str) -> None:
    attribute = Attribute(Source.QUERY, (name,))
    value = reading.value(Request(query=query), attribute)
    place = texts.place(attribute)
    whole = f"/shop?{query}"
    is_it = re.fullmatch(place.pattern(quoted(text), may_be_empty=text == ""), whole)
    is_there = re.fullmatch(place.pattern(place.anything, may_be_empty=True), whole)
    ends = re.fullmatch(place.pattern(place.anything + quoted(text)), whole)
    assert (is_it is not None) == (value == text)
    assert (is_there is not None) == (value is not None)
    if text:
        assert (ends is not None) == (value is not None and value.endswith(text))


NUMBERS = st.integers(-(10**18) + 1, 10**18 - 1) | st.integers(-200, 200)
LIMITS = st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200)


@given(NUMBERS, LIMITS, st.sampled_from(list(COMPARE)), st.integers(0, 3))
def test_numbers_are_compared_by_their_texts(
    number: int, limit: int, operator: Operator, zeros: int
) -> None:
    sign = "-" if number < 0 else ""
    text = f"{sign}{'0' * zeros}{abs(number)}"
    if reading.integer(text) is None:
        return
    found = re.fullmatch(numbers.compared(operator, limit), text) is not None
    assert found == COMPARE[operator](number, limit)


@given(st.sampled_from(list(COMPARE)), st.integers(-3, 3))
def test_minus_zero_is_zero(operator: Operator, limit: int) -> None:
    for text in ("0", "-0", "000"):
        found = re.fullmatch(numbers.compared(operator, limit), text) is not None
        assert found == COMPARE[operator](0, limit)
