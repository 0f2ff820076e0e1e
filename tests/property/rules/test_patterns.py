"""Python and RE2 say the same of every pattern that is accepted."""

from __future__ import annotations

import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.rules import pattern

PIECES = (
    *("a", "b", "Z", "é", "-", "_", "/", " ", "0", ".", "^", "$", "|", "(", ")", "(?:", "(?i)"),
    *("[ab]", "[^a]", "[a-z0-9]", "[^-a]", "[\\d_]", "[]", "[", "]", r"\d", r"\D", r"\w", r"\W"),
    *(r"\s", r"\S", r"\b", r"\B", r"\.", r"\\", r"\Z", r"\z", r"\1", r"\n", r"\p{L}", r"\x41"),
    *("*", "+", "?", "*?", "{2}", "{1,2}", "{2,}", "{,2}", "{", "}", "{1001}", "(?=a)", "(?<=a)"),
    *("(?P<n>a)", "(?s)", "(?>a)", "a++", "(?#x)", "(?!a)"),
)
patterns = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
subjects = st.lists(
    st.sampled_from([*"abzZAé-_0 ", "\n", "\v", "\u017f", "\u212a", "\udce9"])
    | st.characters(codec="utf-8"),
    max_size=6,
).map("".join)


def accepted(text: str) -> bool:
    try:
        pattern.compiled(text)
    except pattern.PatternError as error:
        refusal = error
    else:
        return True
    assert 0 <= refusal.position <= len(text)
    return False


@given(patterns, st.lists(subjects, min_size=3, max_size=8))
@settings(max_examples=600)
def test_an_accepted_pattern_is_found_by_both_or_by_neither(text: str, tried: list[str]) -> None:
    if not accepted(text):
        return
    ours, theirs = pattern.compiled(text), re2.compile(pattern.for_re2(text).encode())
    for subject in tried:
        found = theirs.search(subject.encode("utf-8", "surrogateescape"))
        assert (ours.search(subject) is None) == (found is None), subject


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_text_is_a_pattern_or_is_refused_with_a_position(text: str) -> None:
    if accepted(text):
        re2.compile(pattern.for_re2(text).encode())
