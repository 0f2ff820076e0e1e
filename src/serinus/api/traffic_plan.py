"""The TrafficPlan: what the routers in front of one Service do, in a file or as an object.

Machines write it, so weights are basis points and times milliseconds, as in the model.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from serinus.api import v1alpha1
from serinus.assignment.identity import IdCookie, IdentityKind, IdentitySource
from serinus.assignment.intervals import TOTAL_BP, Version
from serinus.assignment.split import Split
from serinus.errors import InvalidInput, InvalidRule
from serinus.rules.parsing import parse
from serinus.rules.tree import Destination, Rule
from serinus.traffic.envoy.plan import (
    TAG_HEADER,
    Edge,
    Endpoint,
    Endpoints,
    Mirror,
    Port,
    RetryOnStable,
    RouterPlan,
    Timeouts,
)

KIND = "TrafficPlan"
PLURAL = "trafficplans"
_LABEL = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ATTRIBUTE = re.compile(r"[^;\x00-\x20\x7f]*")
_PORT_MAX = 65_535


class _Wire(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What stands in a manifest."""


class WireRule(_Wire, frozen=True):
    """A rule: its condition as text."""

    name: str
    when: str
    to: Destination


class WireBackend(_Wire, frozen=True):
    """Where a version's pods are: named by the port, or behind a Service."""

    service: str = ""
    endpoints: dict[str, tuple[str, ...]] = {}


class WireSpec(_Wire, frozen=True, kw_only=True):
    """The plan."""

    ports: tuple[Port, ...]
    weight_bp: int
    salt: str
    stable: WireBackend = WireBackend()
    canary: WireBackend = WireBackend()
    identity: tuple[IdentitySource, ...] = ()
    cookie: dict[str, Any] | None = None
    rules: tuple[WireRule, ...] = ()
    retry_on_stable: dict[str, int] | None = None
    mirror: dict[str, int] | None = None
    repeatable_methods: tuple[str, ...] = ("GET", "HEAD", "OPTIONS")
    timeouts: dict[str, int] = {}
    edge: dict[str, Any] = {}
    tag_header: str = TAG_HEADER


class Found(msgspec.Struct, frozen=True):
    """A plan as it was read, with the pods that it names itself and the Services of the others."""

    plan: RouterPlan
    endpoints: Endpoints
    services: Mapping[Version, str]
    generation: int = 0


def decode(found: Any, *, source: str = KIND) -> Found:
    """Return the plan that an object describes.

    Raises:
        InvalidInput: with the field path of each thing that is wrong.
    """
    if not isinstance(found, Mapping):
        raise InvalidInput(source, [f"not an object with fields; it is no {KIND}"])
    wrong = [
        f"{field}: {found.get(field)!r} is not {known!r}"
        for field, known in (("apiVersion", v1alpha1.API_VERSION), ("kind", KIND))
        if found.get(field) != known
    ]
    if wrong:
        raise InvalidInput(source, wrong)
    try:
        spec = msgspec.convert(found.get("spec"), WireSpec)
        parts = _parts(spec)
    except msgspec.ValidationError as error:
        raise InvalidInput(source, [str(error).replace("`$", "`spec")]) from error
    metadata = found.get("metadata") or {}
    rules: list[Rule] = []
    problems = [*_problems(spec, parts), *_rule_problems(spec.rules, rules)]
    endpoints = dict(_endpoints(spec, problems))
    if problems:
        raise InvalidInput(source, problems)
    cookie = parts["cookie"]
    plan = RouterPlan(
        name=f"{metadata.get('namespace') or 'default'}/{metadata.get('name') or ''}",
        ports=spec.ports,
        split=Split(spec.salt, spec.weight_bp, tuple(rules), _lowered(spec.identity), cookie),
        retry_on_stable=parts["retry_on_stable"],
        mirror=parts["mirror"],
        repeatable_methods=spec.repeatable_methods,
        timeouts=parts["timeouts"],
        edge=parts["edge"],
        tag_header=spec.tag_header.lower(),
    )
    backends = {Version.STABLE: spec.stable, Version.CANARY: spec.canary}
    services = {version: b.service for version, b in backends.items() if b.service}
    return Found(plan, endpoints, services, int(metadata.get("generation") or 0))


_PARTS: dict[str, type] = {
    "cookie": IdCookie,
    "retry_on_stable": RetryOnStable,
    "mirror": Mirror,
    "timeouts": Timeouts,
    "edge": Edge,
}


def _parts(spec: WireSpec) -> dict[str, Any]:
    """Return the members that are values of the model, with their names as on the wire."""
    found: dict[str, Any] = {}
    for name, kind in _PARTS.items():
        wire = getattr(spec, name)
        where = _camel(name)
        if wire is None:
            found[name] = None
            continue
        known = {_camel(field): field for field in kind.__annotations__}
        unknown = [key for key in wire if key not in known]
        if unknown:
            raise msgspec.ValidationError(
                f"unknown field {unknown[0]!r}; known: {', '.join(sorted(known))} - at `$.{where}`"
            )
        try:
            found[name] = msgspec.convert({known[key]: value for key, value in wire.items()}, kind)
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(f"{error} - at `$.{where}`") from error
    return found


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _lowered(identity: Sequence[IdentitySource]) -> tuple[IdentitySource, ...]:
    """Return the chain with the names of headers as they are compared."""
    return tuple(
        IdentitySource(each.kind, each.name.lower()) if each.kind is IdentityKind.HEADER else each
        for each in identity
    )


def _problems(spec: WireSpec, parts: Mapping[str, Any]) -> Iterator[str]:
    if not spec.ports:
        yield "spec.ports: at least one is needed"
    for index, port in enumerate(spec.ports):
        if _LABEL.fullmatch(port.name) is None:
            yield f"spec.ports[{index}].name: {port.name!r} is not a label like `http`"
        if not 0 < port.listen <= _PORT_MAX:
            yield f"spec.ports[{index}].listen: {port.listen} is outside 1..{_PORT_MAX}"
    for field in ("name", "listen"):
        values = [getattr(port, field) for port in spec.ports]
        if len(set(values)) < len(values):
            yield f"spec.ports: two have the same {field}"
    weights = {"weightBp": spec.weight_bp}
    if parts["mirror"] is not None:
        weights["mirror.weightBp"] = parts["mirror"].weight_bp
    for name, weight_bp in weights.items():
        if not 0 <= weight_bp <= TOTAL_BP:
            yield f"spec.{name}: {weight_bp} is outside 0..{TOTAL_BP}"
    yield from _word_problems(spec, parts)
    yield from _number_problems(parts)


def _word_problems(spec: WireSpec, parts: Mapping[str, Any]) -> Iterator[str]:
    if not spec.salt or not spec.salt.isprintable():
        yield "spec.salt: a text is needed, such as namespace/name/revision"
    tokens = {"tagHeader": spec.tag_header}
    for index, source in enumerate(spec.identity):
        if source.kind is IdentityKind.SOURCE_ADDRESS:
            if source.name:
                yield f"spec.identity[{index}].name: the source address has no name"
        else:
            tokens[f"identity[{index}].name"] = source.name
    tokens |= {f"edge.stripHeaders[{i}]": n for i, n in enumerate(parts["edge"].strip_headers)}
    tokens |= {f"repeatableMethods[{i}]": n for i, n in enumerate(spec.repeatable_methods)}
    cookie = parts["cookie"]
    if cookie is not None:
        tokens["cookie.name"] = cookie.name
        for field in ("path", "domain"):
            if _ATTRIBUTE.fullmatch(getattr(cookie, field)) is None:
                yield f"spec.cookie.{field}: {getattr(cookie, field)!r} cannot stand in a cookie"
    for where, word in tokens.items():
        if _TOKEN.fullmatch(word) is None:
            yield f"spec.{where}: {word!r} is not a name (RFC 9110, 5.6.2)"
    if (spec.retry_on_stable is not None or spec.mirror is not None) and (
        not spec.repeatable_methods
    ):
        yield "spec.repeatableMethods: retryOnStable and mirror need at least one"


def _number_problems(parts: Mapping[str, Any]) -> Iterator[str]:
    retry, timeouts = parts["retry_on_stable"], parts["timeouts"]
    if retry is not None and not 1 <= retry.retry_count_max <= 5:
        yield f"spec.retryOnStable.retryCountMax: {retry.retry_count_max} is outside 1..5"
    if retry is not None and retry.per_try_timeout_ms < 1:
        yield "spec.retryOnStable.perTryTimeoutMs: must be above 0"
    if timeouts.request_ms < 0:
        yield "spec.timeouts.requestMs: must be 0 (for ever) or above"
    for field in ("connect_ms", "idle_upstream_ms"):
        if getattr(timeouts, field) < 1:
            yield f"spec.timeouts.{_camel(field)}: must be above 0"
    if not 0 <= parts["edge"].trusted_hop_count <= 16:
        yield "spec.edge.trustedHopCount: must be 0 to 16"


def _rule_problems(rules: Sequence[WireRule], found: list[Rule]) -> Iterator[str]:
    for index, rule in enumerate(rules):
        where = f"spec.rules[{index}]"
        if _LABEL.fullmatch(rule.name) is None:
            yield f"{where}.name: {rule.name!r} is not a label like `new-users`"
        if rule.name in [each.name for each in rules[:index]]:
            yield f"{where}.name: {rule.name!r} is there already"
        try:
            found.append(Rule(rule.name, parse(rule.when), rule.to))
        except InvalidRule as error:
            yield f"{where}.when: {error}"


def _endpoints(
    spec: WireSpec, problems: list[str]
) -> Iterator[tuple[tuple[str, Version], tuple[Endpoint, ...]]]:
    names = {port.name for port in spec.ports}
    for version, backend in ((Version.STABLE, spec.stable), (Version.CANARY, spec.canary)):
        where = f"spec.{version.value}"
        if backend.service and backend.endpoints:
            problems.append(f"{where}: has both a service and endpoints; one of them counts")
        for port, listed in backend.endpoints.items():
            if port not in names:
                problems.append(f"{where}.endpoints.{port}: no port has this name")
            found = []
            for index, text in enumerate(listed):
                endpoint = _endpoint(text)
                if endpoint is None:
                    problems.append(
                        f"{where}.endpoints.{port}[{index}]: {text!r} is not ADDRESS:PORT"
                    )
                else:
                    found.append(endpoint)
            yield (port, version), tuple(found)


def _endpoint(text: str) -> Endpoint | None:
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    if not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        return None
    return Endpoint(str(address), int(port))
