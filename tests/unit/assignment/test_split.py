"""Rules first, then the user's bucket, then a new id."""

from __future__ import annotations

from serinus.assignment.bucket import bucket
from serinus.assignment.identity import Absence, IdCookie, IdentityKind, IdentitySource
from serinus.assignment.intervals import Version
from serinus.assignment.split import Assignment, Basis, Decision, Split
from serinus.rules.parsing import parse
from serinus.rules.tree import Destination, Request, Rule

USER = IdentitySource(IdentityKind.HEADER, "x-user")
COOKIE = IdentitySource(IdentityKind.COOKIE, "serinus-id")
RULES = (
    Rule("staff", parse("request.headers['x-staff'] == 'yes'"), Destination.CANARY),
    Rule("north", parse("request.headers['x-region'] == 'north'"), Destination.PERCENTAGE),
    Rule("others", parse("'x-region' in request.headers"), Destination.STABLE),
)


def decide(weight_bp: int, new_id: str = "new", **headers: str) -> Decision:
    split = Split("shop/web/1", weight_bp, RULES, (USER,), IdCookie())
    request = Request(headers={name.replace("_", "-"): [v] for name, v in headers.items()})
    return Assignment(split).decide(request, lambda: new_id)


def test_the_first_rule_that_hits_decides() -> None:
    found = decide(0, x_staff="yes", x_region="south", x_user="alice")
    assert found == Decision(Version.CANARY, Basis.RULE, "staff")
    assert found.canary_from_bp is None
    assert decide(10_000, x_region="south") == Decision(Version.STABLE, Basis.RULE, "others")


def test_a_rule_that_sends_to_the_percentage_ends_the_rules() -> None:
    found = decide(10_000, x_region="north", x_user="alice")
    assert (found.version, found.basis, found.rule) == (Version.CANARY, Basis.BUCKET, "north")


def test_a_user_gets_the_canary_from_her_own_weight_on() -> None:
    number = bucket("alice", "shop/web/1")
    before, after = decide(number, x_user="alice"), decide(number + 1, x_user="alice")
    assert (before.version, after.version) == (Version.STABLE, Version.CANARY)
    assert before.canary_from_bp == after.canary_from_bp == number + 1
    assert before.source == USER


def test_the_id_cookie_is_the_last_source() -> None:
    found = decide(0, cookie="serinus-id=me")
    assert (found.user, found.source) == ("me", COOKIE)
    assert found.passed == ((USER, Absence.MISSING),)
    assert decide(0, cookie="serinus-id=me", x_user="alice").user == "alice"


def test_whom_nobody_knows_gets_a_new_id_that_decides() -> None:
    found = decide(5_000, new_id="fresh", x_user="")
    assert (found.basis, found.user, found.source) == (Basis.CHANCE, "fresh", None)
    assert found.bucket == bucket("fresh", "shop/web/1")
    assert found.passed == ((USER, Absence.EMPTY), (COOKIE, Absence.MISSING))


def test_the_next_request_with_the_new_id_gets_the_same_version() -> None:
    for number in range(50):
        new_id = f"id-{number}"
        first = decide(5_000, new_id=new_id)
        assert decide(5_000, cookie=f"serinus-id={new_id}").version is first.version
