"""One request, one version: by the tag of an outer hop where it is trusted, else by the plan."""

from __future__ import annotations

import os
import threading
from collections import Counter
from typing import NamedTuple
from urllib.parse import quote

from serinus.assignment.identity import IdCookie
from serinus.assignment.intervals import Version
from serinus.assignment.split import Assignment, Basis, Decision
from serinus.rules.tree import Request

TAGS = {version.value: version for version in Version}


class Outcome(NamedTuple):
    """What a request got."""

    version: Version
    set_cookie: str | None = None


class Counts:
    """How often what was decided; holds no identity."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._decisions: Counter[tuple[str, str]] = Counter()
        self._passed: Counter[tuple[str, str]] = Counter()

    def count(self, version: Version, basis: str, decision: Decision | None = None) -> None:
        """Count one request."""
        with self._lock:
            self._decisions[version.value, basis] += 1
            if decision is not None and decision.passed:
                for source, absence in decision.passed:
                    name = f"{source.kind.value} {source.name}".rstrip()
                    self._passed[name, absence.value] += 1

    @property
    def decisions(self) -> dict[tuple[str, str], int]:
        """Return requests by version and by what decided: rule, bucket, chance, tag, no plan."""
        with self._lock:
            return dict(self._decisions)

    @property
    def passed(self) -> dict[tuple[str, str], int]:
        """Return how often a source did not say who the user is, by source and why."""
        with self._lock:
            return dict(self._passed)


def as_sent(path: str | bytes) -> str:
    """Return a decoded path as clients write it, where a server does not keep what was sent."""
    return quote(path, safe="/!$&'()*+,;=:@-._~")


def new_id() -> str:
    """Return an id that nobody can guess."""
    return os.urandom(16).hex()


def by_tag(tag: str | None, counts: Counts) -> Outcome | None:
    """Return what an outer hop chose, if it says so."""
    version = TAGS.get(tag or "")
    if version is None:
        return None
    counts.count(version, "tag")
    return Outcome(version)


def by_plan(assignment: Assignment, request: Request, counts: Counts) -> Outcome:
    """Return what the plan decides, with a cookie for a user whom nobody knows."""
    decision = assignment.decide(request, new_id)
    counts.count(decision.version, decision.basis.value, decision)
    cookie = assignment.split.cookie
    if decision.basis is not Basis.CHANCE or cookie is None or decision.user is None:
        return Outcome(decision.version)
    return Outcome(decision.version, set_cookie(cookie, decision.user))


def without_plan(counts: Counts) -> Outcome:
    """Return stable."""
    counts.count(Version.STABLE, "no plan")
    return Outcome(Version.STABLE)


def set_cookie(cookie: IdCookie, user: str) -> str:
    """Return the value of Set-Cookie."""
    parts = [f"{cookie.name}={user}", f"Max-Age={cookie.max_age_s}", f"Path={cookie.path}"]
    if cookie.domain:
        parts.append(f"Domain={cookie.domain}")
    if cookie.secure:
        parts.append("Secure")
    if cookie.http_only:
        parts.append("HttpOnly")
    return "; ".join([*parts, f"SameSite={cookie.same_site.value}"])
