"""The TrafficPlan: what the routers in front of one Service do, in a file or as an object.

Its `spec.split` is what the middleware reads, too (`serinus.assignment.text_form`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from serinus.api import v1alpha1
from serinus.assignment.intervals import TOTAL_BP, Version
from serinus.assignment.split import TAG_HEADER, Split
from serinus.assignment.text_form import split_of
from serinus.errors import InvalidInput
from serinus.traffic.envoy.plan import (
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
_PORT_MAX = 65_535
_RETRIES_MAX = 5
_HOPS_MAX = 16


class Backend(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Where a version's pods are: listed here by the name of the port, or behind a Service."""

    service: str = ""
    endpoints: dict[str, tuple[str, ...]] = {}


class Spec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What stands in a manifest."""

    ports: tuple[Port, ...]
    split: dict[str, Any]
    stable: Backend = Backend()
    canary: Backend = Backend()
    retry_on_stable: RetryOnStable | None = None
    mirror: Mirror | None = None
    repeatable_methods: tuple[str, ...] = ("GET", "HEAD", "OPTIONS")
    timeouts: Timeouts = Timeouts()
    edge: Edge = Edge()
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
        spec = msgspec.convert(found.get("spec"), Spec)
    except msgspec.ValidationError as error:
        raise InvalidInput(source, [str(error).replace("`$", "`spec")]) from error
    problems = list(_problems(spec))
    split = _split(spec.split, problems)
    endpoints = dict(_endpoints(spec, problems))
    if problems or split is None:
        raise InvalidInput(source, problems)
    metadata = found.get("metadata") or {}
    plan = RouterPlan(
        name=f"{metadata.get('namespace') or 'default'}/{metadata.get('name') or ''}",
        ports=spec.ports,
        split=split,
        retry_on_stable=spec.retry_on_stable,
        mirror=spec.mirror,
        repeatable_methods=spec.repeatable_methods,
        timeouts=spec.timeouts,
        edge=spec.edge,
        tag_header=spec.tag_header.lower(),
    )
    backends = {Version.STABLE: spec.stable, Version.CANARY: spec.canary}
    services = {version: b.service for version, b in backends.items() if b.service}
    return Found(plan, endpoints, services, int(metadata.get("generation") or 0))


def _split(document: object, problems: list[str]) -> Split | None:
    try:
        return split_of(document)
    except InvalidInput as error:
        problems += [f"spec.split.{problem}" for problem in error.problems]
        return None


def _problems(spec: Spec) -> Iterator[str]:
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
    tokens = {"tagHeader": spec.tag_header}
    tokens |= {f"edge.stripHeaders[{i}]": n for i, n in enumerate(spec.edge.strip_headers)}
    tokens |= {f"repeatableMethods[{i}]": n for i, n in enumerate(spec.repeatable_methods)}
    for where, word in tokens.items():
        if _TOKEN.fullmatch(word) is None:
            yield f"spec.{where}: {word!r} is not a name (RFC 9110, 5.6.2)"
    needs_methods = spec.retry_on_stable is not None or spec.mirror is not None
    if needs_methods and not spec.repeatable_methods:
        yield "spec.repeatableMethods: retryOnStable and mirror need at least one"
    yield from _number_problems(spec)


def _number_problems(spec: Spec) -> Iterator[str]:
    bounds = [
        ("timeouts.requestMs", spec.timeouts.request_ms, 0, None),
        ("timeouts.connectMs", spec.timeouts.connect_ms, 1, None),
        ("timeouts.idleUpstreamMs", spec.timeouts.idle_upstream_ms, 1, None),
        ("edge.trustedHopCount", spec.edge.trusted_hop_count, 0, _HOPS_MAX),
    ]
    if spec.mirror is not None:
        bounds.append(("mirror.weightBp", spec.mirror.weight_bp, 0, TOTAL_BP))
    retry = spec.retry_on_stable
    if retry is not None:
        bounds += [
            ("retryOnStable.perTryTimeoutMs", retry.per_try_timeout_ms, 1, None),
            ("retryOnStable.retryCountMax", retry.retry_count_max, 1, _RETRIES_MAX),
        ]
    for where, value, least, most in bounds:
        if value < least or (most is not None and value > most):
            limits = f"{least} or more" if most is None else f"{least} to {most}"
            yield f"spec.{where}: {value} must be {limits}"


def _endpoints(
    spec: Spec, problems: list[str]
) -> Iterator[tuple[tuple[str, Version], tuple[Endpoint, ...]]]:
    names = {port.name for port in spec.ports}
    for version, backend in ((Version.STABLE, spec.stable), (Version.CANARY, spec.canary)):
        where = f"spec.{version.value}"
        if backend.service and backend.endpoints:
            problems.append(f"{where}: has both a service and endpoints; one of them counts")
        for port, listed in backend.endpoints.items():
            if port not in names:
                problems.append(f"{where}.endpoints.{port}: no port has this name")
            read = [_endpoint(text) for text in listed]
            problems += [
                f"{where}.endpoints.{port}[{index}]: {text!r} is not ADDRESS:PORT"
                for index, (text, endpoint) in enumerate(zip(listed, read, strict=True))
                if endpoint is None
            ]
            yield (port, version), tuple(each for each in read if each is not None)


def _endpoint(text: str) -> Endpoint | None:
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    if not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        return None
    return Endpoint(str(address), int(port))
