"""A split of one application's requests, and what it decides for each of them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from serinus.assignment import identity
from serinus.assignment.bucket import bucket
from serinus.assignment.identity import Absence, IdCookie, IdentityKind, IdentitySource
from serinus.assignment.intervals import TOTAL_BP, Interval, Version, allocate, owner
from serinus.errors import InvariantViolation
from serinus.rules.evaluation import question
from serinus.rules.tree import Destination, Request, Rule, Source
from serinus.rules.walk import attributes_of

TAG_HEADER = "x-serinus-version"
"""What tells inner hops which version was chosen."""


@dataclass(frozen=True, slots=True)
class Split:
    """How requests are shared between stable and canary.

    The first rule that hits decides. Else the first source of `identity` that has a value says who
    the user is, then the id cookie; whom nobody knows gets a new id, which a router keeps in the
    cookie if there is to be one.
    """

    salt: str
    """Of one release: `namespace/name/revision`."""
    weight_bp: int
    rules: tuple[Rule, ...] = ()
    identity: tuple[IdentitySource, ...] = ()
    cookie: IdCookie | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weight_bp <= TOTAL_BP:
            raise InvariantViolation(f"a weight of {self.weight_bp} is outside 0..{TOTAL_BP}")

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """Return who owns which buckets."""
        return allocate(self.weight_bp)

    @property
    def header_names(self) -> frozenset[str]:
        """Return the headers that a decision may read, in lower case."""
        found = {s.name for s in self.sources if s.kind is IdentityKind.HEADER}
        if any(source.kind is IdentityKind.COOKIE for source in self.sources):
            found.add("cookie")
        for rule in self.rules:
            for attribute in attributes_of(rule.when):
                if attribute.source is Source.HEADER:
                    found.add(attribute.key[0])
                elif attribute.source is Source.COOKIE:
                    found.add("cookie")
        return frozenset(found)

    @property
    def sources(self) -> tuple[IdentitySource, ...]:
        """Return where the user is looked for, the id cookie last."""
        if self.cookie is None:
            return self.identity
        own = IdentitySource(IdentityKind.COOKIE, self.cookie.name)
        return self.identity if own in self.identity else (*self.identity, own)


class Basis(enum.Enum):
    """What a decision rests on."""

    RULE = "rule"
    """A rule sends to one of the versions."""
    BUCKET = "bucket"
    """The user is known, and her bucket decides."""
    CHANCE = "chance"
    """Nobody knows who the user is: the bucket of a new id decides."""


class Decision(NamedTuple):
    """Which version, and why."""

    version: Version
    basis: Basis
    rule: str | None = None
    """The rule that hit; with BUCKET and CHANCE it is one that sends to the percentage."""
    user: str | None = None
    """Who the user is, or the new id. Never to be logged."""
    source: IdentitySource | None = None
    bucket: int | None = None
    passed: tuple[tuple[IdentitySource, Absence], ...] = ()
    """The sources that did not say who the user is."""

    @property
    def canary_from_bp(self) -> int | None:
        """Return the smallest weight at which she gets the canary; None where a rule decides."""
        return None if self.bucket is None else self.bucket + 1


class Assignment:
    """Decide for requests by one split; everything that can be prepared is."""

    __slots__ = ("_intervals", "_rules", "_sources", "split")

    def __init__(self, split: Split) -> None:
        self.split = split
        self._rules = [
            (question(rule.when), rule.name, _VERSIONS.get(rule.to)) for rule in split.rules
        ]
        self._intervals = split.intervals
        self._sources = [(source, identity.reader(source)) for source in split.sources]

    def decide(self, request: Request, new_id: Callable[[], str]) -> Decision:
        """Return the version for this request.

        `new_id` is called only for a user whom nobody knows; its ids must not be guessable.
        """
        hit: str | None = None
        for hits, name, version in self._rules:
            if hits(request):
                if version is not None:
                    return Decision(version, _RULE, name)
                hit = name
                break
        return self._by_bucket(request, new_id, hit)

    def _by_bucket(self, request: Request, new_id: Callable[[], str], hit: str | None) -> Decision:
        passed: tuple[tuple[IdentitySource, Absence], ...] = ()
        for source, read in self._sources:
            user = read(request)
            if isinstance(user, str):
                number = bucket(user, self.split.salt)
                version = owner(self._intervals, number)
                return Decision(version, _BUCKET, hit, user, source, number, passed)
            passed = (*passed, (source, user))
        user = new_id()
        number = bucket(user, self.split.salt)
        version = owner(self._intervals, number)
        return Decision(version, _CHANCE, hit, user, None, number, passed)


# A member of an Enum is looked up in Python code, which a decision has no time for.
_RULE, _BUCKET, _CHANCE = Basis.RULE, Basis.BUCKET, Basis.CHANCE
_VERSIONS = {Destination.CANARY: Version.CANARY, Destination.STABLE: Version.STABLE}
