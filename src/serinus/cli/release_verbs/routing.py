"""From the options about routers to the router of a `Spec`."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from serinus.api import router_options, text, v1alpha1
from serinus.errors import InvalidInput, UsageError
from serinus.release.model import Spec

_NAMES = {"replica-ratio": "ReplicaRatio", "envoy": "Envoy"}
_RULE = re.compile(r"(?:([A-Za-z0-9][A-Za-z0-9._-]*)=)?(canary|stable|percentage):(.+)", re.DOTALL)
_SOURCES = {"header": "header", "cookie": "cookie", "query": "query"}
_ID_COOKIE, _ADDRESS = "id-cookie", "source-address"


class RoutingWish(msgspec.Struct, frozen=True):
    """The arguments about routers of `serinus release`."""

    router: str | None = None
    rules: tuple[str, ...] = ()
    sticky: tuple[str, ...] = ()
    mirror: str | None = None
    retry_on_stable: bool = False
    keep: bool = False

    @property
    def for_envoy(self) -> list[str]:
        """Return the options that only routers of ours fulfil."""
        given = {
            "--rule": self.rules,
            "--sticky": self.sticky,
            "--mirror": self.mirror,
            "--retry-on-stable": self.retry_on_stable,
            "--keep-router": self.keep,
        }
        return [name for name, value in given.items() if value]


def overrule(spec: Spec, wish: RoutingWish) -> Spec:
    """Return the spec with the router that was typed, and its options.

    Raises:
        UsageError: an option needs another router.
        InvalidInput: an option cannot be read; with the position in it.
    """
    name = _NAMES[wish.router] if wish.router else spec.router
    if name != "Envoy":
        if wish.for_envoy:
            raise UsageError(f"{', '.join(wish.for_envoy)}: only with --router envoy")
        return msgspec.structs.replace(spec, router=name, router_options=None)
    before = router_options.encode(spec).envoy if spec.router == name else None
    problems: list[str] = []
    wire = msgspec.structs.replace(before or v1alpha1.Envoy(), **_changes(wish, problems))
    decoded = router_options.decode(v1alpha1.Router(type=name, envoy=wire), problems)
    if problems:
        raise InvalidInput("options", problems)
    return msgspec.structs.replace(
        spec,
        router=name,
        router_options=decoded.options,
        mode=decoded.mode,
        settle_ms=decoded.settle_ms if spec.router == name else spec.settle_ms,
    )


def _changes(wish: RoutingWish, problems: list[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if wish.rules:
        changes["rules"] = tuple(
            rule
            for number, typed in enumerate(wish.rules, 1)
            if (rule := _rule(number, typed, problems)) is not None
        )
    if wish.sticky:
        changes["sticky"] = tuple(
            source
            for typed in wish.sticky
            if typed != _ID_COOKIE and (source := _source(typed, problems)) is not None
        )
        changes["id_cookie"] = {} if _ID_COOKIE in wish.sticky else None
    if wish.mirror is not None:
        try:
            changes["mirror"] = text.percent_of(text.parse_weight(wish.mirror))
        except ValueError as error:
            problems.append(f"--mirror: {error}")
    if wish.retry_on_stable:
        changes["retry_on_stable"] = v1alpha1.RetryOnStable()
    if wish.keep:
        changes["keep"] = "Always"
    return changes


def _rule(number: int, typed: str, problems: list[str]) -> v1alpha1.Rule | None:
    found = _RULE.fullmatch(typed)
    if found is None:
        problems.append(
            f"--rule {typed!r}: expected VERSION:RULE, as in "
            "canary:request.headers['x-region'] == 'cn'"
        )
        return None
    return v1alpha1.Rule(name=found[1] or f"rule-{number}", when=found[3].strip(), to=found[2])


def _source(typed: str, problems: list[str]) -> dict[str, str] | None:
    kind, _, name = typed.partition(":")
    if typed == _ADDRESS:
        return {"sourceAddress": ""}
    if kind in _SOURCES and name:
        return {_SOURCES[kind]: name}
    problems.append(
        f"--sticky {typed!r}: expected header:NAME, cookie:NAME, query:NAME, {_ADDRESS} or "
        f"{_ID_COOKIE}"
    )
    return None
