"""The one codec between a CanaryRelease on the wire and the release model.

On the wire instants are RFC 3339 texts (`...Time`) and weights are percentages; in the model they
are integers (`..._ms`, `..._bp`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.api import router_options, shown, text, v1alpha1
from serinus.clock import Instant
from serinus.errors import InvalidInput
from serinus.kube import timestamps
from serinus.release.conditions import Outlook
from serinus.release.model import (
    Command,
    Pause,
    Promotion,
    SetWeight,
    Spec,
    Status,
    Step,
)
from serinus.traffic import registry

COMMAND_ANNOTATION = "serinus.dev/command"
FINALIZER = "serinus.dev/release"
"""Keeps a CanaryRelease until the Deployment and its Service are let go."""


_ALWAYS = ("phase", "step_index", "weight_bp")


class Release(msgspec.Struct, frozen=True):
    """A CanaryRelease as the rest of the program knows it."""

    name: str
    namespace: str
    spec: Spec
    status: Status = Status()
    command: Command | None = None
    generation: int = 0
    deleted_ms: Instant | None = None
    """When it was deleted: what it changed is put back, then it goes."""
    outlook: Outlook = Outlook()

    @property
    def leaving(self) -> bool:
        """Tell whether it was deleted and is still there."""
        return self.deleted_ms is not None


def with_command(release: Release, command: Command) -> Release:
    """Return the release with a command that waits for its answer."""
    return msgspec.structs.replace(release, command=command)


def decode(found: Mapping[str, Any], *, source: str = "CanaryRelease") -> Release:
    """Return the release that an object describes.

    Raises:
        InvalidInput: with the field path of each thing that is wrong.
    """
    if not isinstance(found, Mapping):
        raise InvalidInput(source, ["not an object with fields; it is no CanaryRelease"])
    wrong = [
        f"{field}: {found.get(field)!r} is not {known!r}"
        for field, known in (("apiVersion", v1alpha1.API_VERSION), ("kind", v1alpha1.KIND))
        if found.get(field) != known
    ]
    if wrong:
        raise InvalidInput(source, wrong)
    try:
        wire = msgspec.convert(found, v1alpha1.CanaryRelease)
    except msgspec.ValidationError as error:
        raise InvalidInput(source, [_path_first(str(error))]) from error
    problems: list[str] = []
    spec = _spec(wire.spec, problems)
    name = str(wire.metadata.get("name") or "")
    if not name:
        problems.append("metadata.name: missing")
    if problems or spec is None:
        raise InvalidInput(source, problems)
    annotations = wire.metadata.get("annotations") or {}
    status, outlook = shown.split(wire.status)
    deleted = wire.metadata.get("deletionTimestamp")
    return Release(
        name=name,
        namespace=str(wire.metadata.get("namespace") or ""),
        spec=spec,
        status=decode_status(status),
        command=decode_command(annotations.get(COMMAND_ANNOTATION)),
        generation=int(wire.metadata.get("generation") or 0),
        deleted_ms=None if deleted is None else timestamps.parse(str(deleted)),
        outlook=outlook,
    )


def encode(release: Release) -> dict[str, Any]:
    """Return the object, as `decode` reads it."""
    spec = release.spec
    wire = v1alpha1.Spec(
        target_ref=v1alpha1.TargetRef(name=spec.target),
        service=v1alpha1.ServiceRef(name=spec.service),
        router=router_options.encode(spec),
        steps=tuple(_encode_step(step) for step in spec.steps),
        promotion=v1alpha1.Promotion(
            method="Adopt" if spec.promotion is Promotion.ADOPT else "RollingUpdate",
            undo_window=text.format_duration(spec.undo_window_ms),
        ),
        abort=v1alpha1.Abort(on_progress_deadline=spec.abort_on_deadline),
        paused=spec.paused,
        allow_recreate=spec.allow_recreate,
        allow_autoscaler=spec.allow_autoscaler,
    )
    metadata: dict[str, Any] = {"name": release.name, "namespace": release.namespace}
    if release.deleted_ms is not None:
        metadata["deletionTimestamp"] = timestamps.format_seconds(release.deleted_ms)
    if release.command is not None:
        metadata["annotations"] = {COMMAND_ANNOTATION: encode_command(release.command)}
    return {
        "apiVersion": v1alpha1.API_VERSION,
        "kind": v1alpha1.KIND,
        "metadata": metadata,
        "spec": msgspec.to_builtins(wire),
        "status": {**encode_status(release.status), **shown.encode(release.outlook)},
    }


def encode_command(command: Command) -> str:
    """Return the text of the command annotation."""
    return msgspec.json.encode(_to_wire(msgspec.to_builtins(command))).decode()


def decode_command(annotation: str | None) -> Command | None:
    """Return the command of an annotation; one that cannot be read is no command."""
    if not annotation:
        return None
    try:
        return msgspec.convert(_from_wire(msgspec.json.decode(annotation)), Command)
    except (InvalidInput, msgspec.MsgspecError, ValueError, TypeError):
        return None


def encode_status(status: Status) -> dict[str, Any]:
    """Return the status on the wire, without what has its default but for what tables show."""
    plain = msgspec.to_builtins(status)
    default = msgspec.to_builtins(Status())
    kept = {k: v for k, v in plain.items() if k in _ALWAYS or v != default[k]}
    wire: dict[str, Any] = _to_wire(kept)
    return wire


def decode_status(found: Mapping[str, Any]) -> Status:
    """Return the status that an object carries.

    Raises:
        InvalidInput: it was written by a version of serinus that this one cannot read.
    """
    try:
        return msgspec.convert(_from_wire(found), Status)
    except (msgspec.ValidationError, ValueError) as error:
        path, colon, problem = _path_first(str(error)).partition(": ")
        raise InvalidInput(
            "status",
            [f"{_camel(path)}{colon}{problem}; it was written by another version of serinus"],
        ) from error


def _spec(wire: v1alpha1.Spec, problems: list[str]) -> Spec | None:
    if wire.target_ref.kind != "Deployment":
        problems.append(
            f"spec.targetRef.kind: {wire.target_ref.kind!r} cannot be released; only a Deployment "
            "can"
        )
    if wire.router.type not in registry.ROUTERS:
        known = ", ".join(sorted(registry.ROUTERS))
        problems.append(f"spec.router.type: {wire.router.type!r} is unknown; known: {known}")
    routing = router_options.decode(wire.router, problems)
    undo_window_ms = _duration("spec.promotion.undoWindow", wire.promotion.undo_window, problems)
    steps = [_decode_step(index, step, problems) for index, step in enumerate(wire.steps)]
    problems.extend(
        f"spec.steps[{index}].setWeight: {problem}" for index, problem in text.order_problems(steps)
    )
    if problems:
        return None
    return Spec(
        target=wire.target_ref.name,
        service=wire.service.name,
        router=wire.router.type,
        router_options=routing.options,
        mode=routing.mode,
        settle_ms=routing.settle_ms,
        allow_coarse=routing.allow_coarse,
        allow_recreate=wire.allow_recreate,
        allow_autoscaler=wire.allow_autoscaler,
        steps=tuple(step for step in steps if step is not None),
        promotion=Promotion(wire.promotion.method),
        undo_window_ms=undo_window_ms,
        abort_on_deadline=wire.abort.on_progress_deadline,
        paused=wire.paused,
    )


def _duration(path: str, value: str, problems: list[str]) -> int:
    try:
        return text.parse_duration(value)
    except ValueError as error:
        problems.append(f"{path}: {error}")
        return 0


def _decode_step(index: int, step: v1alpha1.Step, problems: list[str]) -> Step | None:
    path = f"spec.steps[{index}]"
    if (step.set_weight is None) == (step.pause is None):
        problems.append(f"{path}: needs exactly one of setWeight and pause")
        return None
    if step.pause is not None:
        if step.pause.duration is None:
            return Pause()
        return Pause(_duration(f"{path}.pause.duration", step.pause.duration, problems))
    try:
        return SetWeight(text.parse_weight(repr(step.set_weight)))
    except ValueError as error:
        problems.append(f"{path}.setWeight: {error}")
        return None


def _encode_step(step: Step) -> v1alpha1.Step:
    if isinstance(step, SetWeight):
        return v1alpha1.Step(set_weight=text.percent_of(step.weight_bp))
    duration = None if step.duration_ms is None else text.format_duration(step.duration_ms)
    return v1alpha1.Step(pause=v1alpha1.Pause(duration=duration))


def _to_wire(value: Any) -> Any:
    """Name fields as Kubernetes does, and say instants and weights as people read them."""
    if isinstance(value, list | tuple):
        return [_to_wire(item) for item in value]
    if not isinstance(value, dict):
        return value
    wire: dict[str, Any] = {}
    for key, item in value.items():
        if key.endswith("_ms") and item is not None:
            wire[_camel(key.removesuffix("_ms") + "_time")] = timestamps.format_micros(item)
        elif key.endswith("_bp") and item is not None:
            wire[_camel(key.removesuffix("_bp"))] = text.percent_of(item)
        elif item is not None:
            wire[_camel(key)] = _to_wire(item)
    return wire


def _from_wire(value: Any) -> Any:
    """Name fields as the model does.

    Raises:
        ValueError: a time or a weight is none; its field stands before the colon.
    """
    if isinstance(value, list):
        return [_from_wire(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    plain: dict[str, Any] = {}
    for key, item in value.items():
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in key)
        try:
            if name.endswith("_time"):
                plain[name.removesuffix("_time") + "_ms"] = timestamps.parse(str(item))
                continue
            if name in ("weight", "weight_asked"):
                plain[name + "_bp"] = text.parse_weight(repr(item))
                continue
        except (InvalidInput, ValueError) as error:
            raise ValueError(f"{key}: {error}") from error
        plain[name] = _from_wire(item)
    return plain


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _path_first(message: str) -> str:
    """Turn msgspec's "problem - at `$.a.b`" into "a.b: problem"."""
    problem, found, path = message.partition(" - at `")
    return f"{path.rstrip('`').removeprefix('$.')}: {problem}" if found else problem
