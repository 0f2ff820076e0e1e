"""One test of a rule as the matchers of a route; what Envoy cannot say is refused here."""

from __future__ import annotations

from collections.abc import Sequence

from serinus.rules import pattern
from serinus.rules.tree import (
    Always,
    Attribute,
    CompareInteger,
    CompareText,
    CompareTime,
    HasPart,
    InNetwork,
    IntegerIn,
    Matches,
    Operator,
    Part,
    Present,
    Source,
    Test,
    TextIn,
)
from serinus.traffic.envoy.messages import Json
from serinus.traffic.envoy.routing import cel, numbers, times
from serinus.traffic.envoy.routing.match import (
    EVERYTHING,
    PRESENT,
    Computed,
    Match,
    computed,
    exact,
    header,
    quoted,
    regex,
)
from serinus.traffic.envoy.routing.texts import Place, place
from serinus.traffic.envoy.routing.unsayable import Unsayable

_SOURCE = Computed(
    "serinus.source-address", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "envoy.network.ip"
)
_WHOLE_HEADER = (Source.HEADER, Source.METHOD, Source.HOST)


def matches(test: Test, *, wanted: bool) -> list[Match]:
    """Return the matches of which one holds where the test is known to be `wanted`.

    Raises:
        Unsayable: Envoy has no matcher for it.
    """
    match test:
        case Always():
            return [EVERYTHING] if test.value is wanted else []
        case CompareText():
            is_equal = test.operator is Operator.EQUAL
            return [_is_one_of(test, test.left, (test.right,), wanted=wanted is is_equal)]
        case TextIn():
            return [_is_one_of(test, test.left, test.values, wanted=wanted)]
        case HasPart():
            return [_has_part(test, wanted=wanted)]
        case Matches():
            return [_matches_pattern(test, wanted=wanted)]
        case Present():
            return [_is_present(test, wanted=wanted)]
        case CompareInteger():
            return [_compares(test, wanted=wanted)]
        case IntegerIn():
            pattern_ = "|".join(numbers.equal(value) for value in test.values)
            return [_is_number(test, test.left.of, f"(?:{pattern_})", wanted=wanted)]
        case CompareTime():
            return [_compares_time(test, wanted=wanted)]
        case InNetwork():
            return [_is_in(test.network, wanted=wanted)]
        case _:
            raise Unsayable(
                test, "claims of a token are not read here; let an outer hop put them into headers"
            )


def _is_one_of(test: Test, attribute: Attribute, values: Sequence[str], *, wanted: bool) -> Match:
    if attribute.source in _WHOLE_HEADER and len(values) == 1:
        return header(_place(test, attribute).header, exact(values[0]), inverted=not wanted)
    where = _place(test, attribute)
    possible = [each for each in values if _may_stand(test, attribute, where, each)]
    if not possible:
        return _known(where, _NEVER, wanted=wanted)
    text = "|".join(quoted(each) for each in possible)
    return _known(where, where.pattern(text, may_be_empty="" in possible), wanted=wanted)


def _has_part(test: HasPart, *, wanted: bool) -> Match:
    where = _place(test, test.left)
    is_start = test.part is Part.START
    if test.text == "":
        return _known(where, _anything(where), wanted=wanted)
    begins_path = test.left.source is Source.PATH and is_start and "?" not in test.text
    if test.left.source in _WHOLE_HEADER or begins_path:
        how: Json = {"string_match": {"prefix" if is_start else "suffix": test.text}}
        return header(where.header, how, inverted=not wanted)
    if not _may_stand(test, test.left, where, test.text):
        return _known(where, _NEVER, wanted=wanted)
    part = quoted(test.text)
    text = part + where.anything if is_start else where.anything + part
    return _known(where, where.pattern(text), wanted=wanted)


def _matches_pattern(test: Matches, *, wanted: bool) -> Match:
    """Search a pattern; its anchors are those of the text, so it needs the text alone."""
    attribute, found = test.left, pattern.for_re2(test.pattern)
    search = regex(f"(?s:.*)(?:{found})(?s:.*)")
    match attribute.source:
        case Source.PATH:
            asked = f"request.url_path.matches({cel.literal(found)})"
            return cel.holds(asked if wanted else f"!{asked}")
        case Source.COOKIE:
            how = {"name": attribute.key[0], **search}
            present = _known(place(attribute), _anything(place(attribute)), wanted=True)
            return present.also(Match(cookies=({**how, "invert_match": not wanted},)))
        case Source.QUERY if wanted:
            return Match(parameters=({"name": attribute.key[0], **search},))
        case Source.QUERY:
            raise Unsayable(test, "that a parameter does not match a pattern cannot be asked")
        case _:
            return header(_place(test, attribute).header, search, inverted=not wanted)


def _is_present(test: Present, *, wanted: bool) -> Match:
    attribute = test.attribute
    where = _place(test, attribute)
    if attribute.source is Source.HEADER:
        return header(where.header, PRESENT, inverted=not wanted)
    found = regex(_anything(where))
    if wanted:
        return header(where.header, found)
    # Nothing at all is no cookie either.
    absent = {"name": where.header, **found, "invert_match": True}
    return Match(headers=({**absent, "treat_missing_header_as_empty": True},))


def _compares(test: CompareInteger, *, wanted: bool) -> Match:
    operator = test.operator
    if operator is Operator.NOT_EQUAL:
        operator, wanted = Operator.EQUAL, not wanted
    found = numbers.compared(operator, test.right)
    return _is_number(test, test.left.of, found, wanted=wanted)


def _is_number(test: Test, attribute: Attribute, found: str, *, wanted: bool) -> Match:
    where = _place(test, attribute)
    is_whole = header(where.header, regex(where.pattern(numbers.WHOLE_NUMBER)))
    return is_whole.also(header(where.header, regex(where.pattern(found)), inverted=not wanted))


def _compares_time(test: CompareTime, *, wanted: bool) -> Match:
    seconds = times.whole_seconds(test)
    if seconds is None:
        return times.expression(test, wanted=wanted)
    comparison, *ranges = seconds
    found = _compares(comparison, wanted=wanted)
    for each in ranges:
        found = found.also(_compares(each, wanted=True))
    return found


def _is_in(network: str, *, wanted: bool) -> Match:
    prefix, _, length = network.partition("/")
    ranges = [{"address_prefix": prefix, "prefix_len": int(length)}]
    if ":" not in prefix:
        # An address of IPv4 may be told inside one of IPv6 (RFC 4291, 2.5.5.2).
        mapped = {"address_prefix": f"::ffff:{prefix}", "prefix_len": int(length) + 96}
        ranges.append(mapped)
    how: Json = {"ranges": ranges}
    if not wanted:
        how["invert_match"] = True
    return computed(_SOURCE, {"address_match": how})


_NEVER = "[^\\x00-\\x{10FFFF}]"
"""A pattern that matches nothing."""


def _known(where: Place, found: str, *, wanted: bool) -> Match:
    """Return the match of a header whose text is there and matches a pattern, or does not."""
    if wanted:
        return header(where.header, regex(found))
    present = header(where.header, regex(_anything(where)))
    return present.also(header(where.header, regex(found), inverted=True))


def _anything(where: Place) -> str:
    return where.pattern(where.anything, may_be_empty=True)


def _place(test: Test, attribute: Attribute) -> Place:
    if attribute.source is Source.CLAIM:
        raise Unsayable(
            test, "claims of a token are not read here; let an outer hop put them into headers"
        )
    return place(attribute)


def _may_stand(test: Test, attribute: Attribute, where: Place, text: str) -> bool:
    """Tell whether the attribute can hold this text at all."""
    if attribute.source is Source.COOKIE and '"' in text:
        raise Unsayable(
            test, 'a cookie is read without its quotes, so no text with `"` can be asked'
        )
    return not where.separator or where.separator not in text
