"""Text and tree say the same, and no text is anything but a tree or a refusal with a position."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from serinus.errors import InvalidRule
from serinus.rules.parsing import parse
from serinus.rules.printing import text_of
from serinus.rules.tree import Predicate
from tests.property.rules import strategies

SNIPPETS = (
    *("request", "source", "now", "headers", "cookies", "claims", "x", "int", "timestamp"),
    *("duration", "cidr", "has", "matches", "startsWith", "containsIP", "true", "in", "null"),
    *(".", "[", "]", "(", ")", ",", "&&", "||", "!", "==", "!=", "<", ">=", "-", "+", "&", "="),
    *("'a'", '"a"', "'", "r'\\d'", "'\\u12'", "'(?='", "7", "99999999999999999999", " ", "\n"),
    *("request.headers['x']", "'2026-01-01T00:00:00Z'", "'720h'", "'10.0.0.0/8'", "// note"),
)


@given(strategies.predicates())
@settings(max_examples=500)
def test_a_tree_that_is_printed_and_read_again_is_the_same_tree(predicate: Predicate) -> None:
    assert parse(text_of(predicate)) == predicate


def read_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except InvalidRule as error:
        refusal = error
    else:
        assert parse(text_of(found)) == found
        return
    assert 0 <= refusal.position <= len(text)
    line, mark = refusal.caret.split("\n")
    assert line.isprintable()
    assert mark.endswith("^")
    assert len(mark) <= len(line) + 1


@given(st.text(max_size=60))
@example("'\ud800' == request.path")
@example("(" * 3_000)
@example("!" * 3_000 + "true")
@example("request" + ".x" * 2_000)
@example("true" + " && true" * 400)
@example("request.path in [" + "'a'," * 900)
def test_any_text_is_a_tree_or_a_refusal_with_a_position(text: str) -> None:
    read_or_refused(text)


@given(st.lists(st.sampled_from(SNIPPETS), max_size=20).map("".join))
@settings(max_examples=600)
def test_words_of_the_language_in_any_order_are_a_tree_or_a_refusal(text: str) -> None:
    read_or_refused(text)


@given(strategies.predicates(), st.data())
@settings(max_examples=200)
def test_a_rule_with_one_character_gone_or_changed_is_a_tree_or_a_refusal(
    predicate: Predicate, data: st.DataObject
) -> None:
    text = text_of(predicate)
    at = data.draw(st.integers(0, len(text) - 1))
    read_or_refused(text[:at] + data.draw(st.text(max_size=1)) + text[at + 1 :])
