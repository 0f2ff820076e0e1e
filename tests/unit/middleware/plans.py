"""A plan, and users of whom it is known what they get."""

from __future__ import annotations

from serinus.assignment.bucket import bucket
from serinus.assignment.identity import IdCookie, IdentityKind, IdentitySource
from serinus.assignment.split import Split
from serinus.middleware.plan import Plan
from serinus.rules.parsing import parse
from serinus.rules.tree import Destination, Rule

SALT = "shop/web/7d9f"
WEIGHT_BP = 5_000


def split(*rules: tuple[str, Destination], weight_bp: int = WEIGHT_BP) -> Split:
    return Split(
        SALT,
        weight_bp,
        tuple(Rule(f"rule-{n}", parse(text), to) for n, (text, to) in enumerate(rules)),
        (IdentitySource(IdentityKind.HEADER, "x-user"),),
        IdCookie(),
    )


def plan(*rules: tuple[str, Destination], weight_bp: int = WEIGHT_BP) -> Plan:
    return Plan.of(split(*rules, weight_bp=weight_bp))


def version_of(user: str, weight_bp: int = WEIGHT_BP) -> str:
    return "canary" if bucket(user, SALT) < weight_bp else "stable"


CANARY_USER = next(u for u in map(str, range(100)) if version_of(u) == "canary")
STABLE_USER = next(u for u in map(str, range(100)) if version_of(u) == "stable")
