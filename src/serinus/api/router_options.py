"""The options of routers on the wire, each under its router's name."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.api import text, v1alpha1
from serinus.assignment.split import Split
from serinus.assignment.text_form import document_of, split_of
from serinus.errors import InvalidInput
from serinus.release.model import Spec
from serinus.traffic.envoy.in_cluster.options import EnvoyOptions, Keep
from serinus.traffic.envoy.plan import Mirror, RetryOnStable
from serinus.traffic.registry import Options
from serinus.traffic.router import Mode

_ENVOY = "spec.router.envoy"
_WIRE_NAMES = {"identity": "sticky", "cookie": "idCookie"}


class Routing(msgspec.Struct, frozen=True):
    """What a spec says of its router, in the model's words."""

    settle_ms: int
    mode: Mode = Mode.SURGE
    allow_coarse: bool = False
    options: Options | None = None


def decode(wire: v1alpha1.Router, problems: list[str]) -> Routing:
    """Return the options; what is wrong with them goes to `problems`."""
    if wire.replica_ratio is not None and wire.type == "Envoy":
        problems.append(f"spec.router.replicaRatio: is for type ReplicaRatio, not {wire.type}")
    if wire.envoy is not None and wire.type != "Envoy":
        problems.append(f"{_ENVOY}: is for type Envoy, not {wire.type}")
    if wire.type == "Envoy":
        return _envoy(wire.envoy or v1alpha1.Envoy(), problems)
    ratio = wire.replica_ratio or v1alpha1.ReplicaRatio()
    return Routing(
        settle_ms=_duration("spec.router.replicaRatio.settle", ratio.settle, problems),
        mode=Mode(ratio.mode),
        allow_coarse=ratio.allow_coarse,
    )


def encode(spec: Spec) -> v1alpha1.Router:
    """Return the wire form, as `decode` reads it."""
    if spec.router == "Envoy":
        options = spec.router_options or EnvoyOptions()
        return v1alpha1.Router(type=spec.router, envoy=_to_wire(options, spec.settle_ms))
    ratio = v1alpha1.ReplicaRatio(
        mode="Surge" if spec.mode is Mode.SURGE else "Constant",
        settle=text.format_duration(spec.settle_ms),
        allow_coarse=spec.allow_coarse,
    )
    return v1alpha1.Router(type=spec.router, replica_ratio=ratio)


def _envoy(wire: v1alpha1.Envoy, problems: list[str]) -> Routing:
    split = _split(wire, problems)
    retry = wire.retry_on_stable
    if wire.replicas < 1:
        problems.append(f"{_ENVOY}.replicas: {wire.replicas} routers serve nobody")
    options = EnvoyOptions(
        rules=split.rules,
        identity=split.identity,
        cookie=split.cookie,
        retry_on_stable=None
        if retry is None
        else RetryOnStable(
            per_try_timeout_ms=_duration(
                f"{_ENVOY}.retryOnStable.perTryTimeout", retry.per_try_timeout, problems
            ),
            retry_count_max=retry.retries,
        ),
        mirror=None if wire.mirror is None else Mirror(_weight("mirror", wire.mirror, problems)),
        keep=Keep(wire.keep),
        replica_count=wire.replicas,
        drain_ms=_duration(f"{_ENVOY}.drain", wire.drain, problems),
        image=wire.image,
    )
    settle_ms = _duration(f"{_ENVOY}.settle", wire.settle, problems)
    return Routing(settle_ms=settle_ms, options=options)


def _split(wire: v1alpha1.Envoy, problems: list[str]) -> Split:
    """Return the rules and identities, read by those who also read them in a plan."""
    document: dict[str, Any] = {
        "salt": "-",
        "weight": 0,
        "rules": [msgspec.to_builtins(rule) for rule in wire.rules],
        "identity": [dict(source) for source in wire.sticky],
    }
    if wire.id_cookie is not None:
        document["cookie"] = wire.id_cookie
    try:
        return split_of(document)
    except InvalidInput as error:
        for problem in error.problems:
            field = next((k for k in _WIRE_NAMES if problem.startswith(k)), "")
            said = _WIRE_NAMES[field] + problem.removeprefix(field) if field else problem
            problems.append(f"{_ENVOY}.{said}")
        return Split("-", 0)


def _to_wire(options: EnvoyOptions, settle_ms: int) -> v1alpha1.Envoy:
    split = Split("-", 0, options.rules, options.identity, options.cookie)
    document = document_of(split)
    retry = options.retry_on_stable
    return v1alpha1.Envoy(
        rules=tuple(v1alpha1.Rule(**rule) for rule in document.get("rules", ())),
        sticky=tuple(document.get("identity", ())),
        id_cookie=document.get("cookie"),
        mirror=None if options.mirror is None else text.percent_of(options.mirror.weight_bp),
        retry_on_stable=None
        if retry is None
        else v1alpha1.RetryOnStable(
            per_try_timeout=text.format_duration(retry.per_try_timeout_ms),
            retries=retry.retry_count_max,
        ),
        keep="Always" if options.keep is Keep.ALWAYS else "DuringReleases",
        settle=text.format_duration(settle_ms),
        drain=text.format_duration(options.drain_ms),
        replicas=options.replica_count,
        image=options.image,
    )


def _weight(field: str, value: float, problems: list[str]) -> int:
    try:
        return text.parse_weight(repr(value))
    except ValueError as error:
        problems.append(f"{_ENVOY}.{field}: {error}")
        return 0


def _duration(path: str, value: str, problems: list[str]) -> int:
    try:
        return text.parse_duration(value)
    except ValueError as error:
        problems.append(f"{path}: {error}")
        return 0
