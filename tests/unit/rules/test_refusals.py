"""What is no rule is refused: where, why, and what was expected."""

from __future__ import annotations

import pytest

from serinus.errors import InvalidRule
from serinus.rules.parsing import parse

X = "request.headers['x']"


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        (
            "",
            1,
            "expected an attribute such as request.headers['x'], a text, or '(', found the end",
        ),
        (f"{X} == 'a' &&", 31, "found the end"),
        (f"{X} == 'a' )", 29, "expected &&, || or the end, found ')'"),
        (f"({X} == 'a'", 29, "expected ')', found the end"),
        (f"{X} = 'a'", 22, "'=' stands alone; write =="),
        (f"{X} == 'a", 25, "not closed"),
        (f"{X} == 'a' == 'b'", 29, "after a comparison"),
        (f"{X} == '\\d'", 26, "r'...'"),
        (f"{X} == 99999999999999999999", 25, "64 bits"),
        ("request.header['x'] == 'a'", 9, "did you mean request.headers?"),
        ("request.url_path == '/'", 9, "did you mean request.path?"),
        ("headers['x'] == 'a'", 1, "did you mean request.headers?"),
        ("nonsense == 'a'", 1, "known: request.method, "),
        (f"{X}.contains('a')", 22, "unknown function contains; did you mean matches?"),
        (f"{X}.startWith('a')", 22, "did you mean startsWith?"),
        ("lower(request.path) == 'a'", 1, "unknown function lower"),
        ("request.headers['host'] == 'a'", 16, "'host' is read as request.host"),
        ("request.headers['Cookie'] == 'a'", 16, "request.cookies['NAME']"),
        ("request.headers['a b'] == 'a'", 16, "no name of a header"),
        ("request.cookies['a;b'] == 'a'", 16, "no name of a cookie"),
        ("request.headers == 'a'", 9, "name one value of it"),
        (f"{X}", 16, "is no condition"),
        (f"{X} == 5", 25, "write int(...) around the attribute, or '5'"),
        (f"{X} == true", 25, "only a claim can be true or false"),
        (f"{X} == now", 25, "write timestamp(...) around the attribute"),
        (f"int({X}) == '5'", 30, "expected a whole number, found a text"),
        (f"timestamp({X}) > '2026-01-01T00:00:00Z'", 35, "expected timestamp('...')"),
        (f"{X} < 'b'", 22, "does not compare texts"),
        (f"{X} == request.path", 33, "compare with a fixed value"),
        ("'a' == 'b'", 1, "both sides are fixed"),
        (f"{X} in []", 25, "empty"),
        (f"{X} in ['a', 1]", 31, "a text of the list in quotes"),
        (f"{X} in 'abc'", 22, "'in' looks into a list or a map"),
        (f"timestamp({X}) > timestamp('2026-13-01T00:00:00Z')", 45, "no timestamp; write 2026-"),
        (f"timestamp({X}) > now - duration('30d')", 50, "a day is 24h"),
        (f"timestamp({X}) > now - 5", 41, "expected duration('720h')"),
        ("source.address == '10.0.0.1'", 8, "cidr('10.0.0.0/8').containsIP(source.address)"),
        ("cidr('10.0.0.1/8').containsIP(source.address)", 6, "is written '10.0.0.0/8'"),
        ("cidr('10.0.0.1').containsIP(source.address)", 6, "is written '10.0.0.1/32'"),
        ("cidr('nowhere').containsIP(source.address)", 6, "is no network"),
        ("has(request.path)", 13, "always there"),
        (f"has({X})", 20, "has() takes a selection"),
        ("!" * 40 + "true", 33, "at most 32 levels"),
    ],
)
def test_a_text_that_is_no_rule_is_refused_at_its_place(text: str, column: int, words: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        parse(text)
    assert words in str(caught.value)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("pattern", "character", "words"),
    [
        ("(a", 1, "not closed"),
        ("a)", 2, "closes no group"),
        ("a(?=b)", 2, "look-ahead"),
        ("a(?!b)", 2, "look-ahead"),
        ("(?<=a)b", 1, "look-behind"),
        (r"(a)\1", 4, "back-references"),
        ("(?P<name>a)", 1, "a flag or a name"),
        ("a(?i)b", 2, "in front of the whole pattern"),
        (r"\Z", 1, "not known here"),
        (r"\p{L}", 1, "not known here"),
        ("a{1001}", 2, "at most 1,000"),
        ("(a{100}){100}", 9, "at most 1,000"),
        ("a{3,1}", 2, "wrong way round"),
        ("a{,3}", 2, "'{' begins"),
        ("a**", 3, "cannot be repeated"),
        ("a++", 3, "cannot be repeated"),
        ("*", 1, "nothing to repeat"),
        ("[a", 1, "not closed"),
        ("[]", 1, "empty"),
        ("[z-a]", 4, "wrong way round"),
        ("[[:alpha:]]", 2, "[:names:]"),
        ("(a+)+$", 5, "exponential"),
        ("(a|a)*$", 6, "exponential"),
        ("(a?){30}", 5, "exponential"),
        ("a?" * 13, 1, "more than 12"),
        (".{1000}" * 6, 1, "longer than 5,000"),
    ],
)
def test_a_pattern_that_python_and_re2_do_not_share_is_refused(
    pattern: str, character: int, words: str
) -> None:
    with pytest.raises(InvalidRule) as caught:
        parse(f"{X}.matches(r'{pattern}')")
    assert f"character {character} of the pattern: " in str(caught.value)
    assert words in str(caught.value)


def test_the_mark_stands_below_the_place_in_a_rule_of_several_lines() -> None:
    with pytest.raises(InvalidRule) as caught:
        parse("request.method == 'GET' &&\n  request.pth == '/'")
    assert str(caught.value).startswith("line 2, column 11: ")
    assert caught.value.caret == "  request.pth == '/'\n          ^"
