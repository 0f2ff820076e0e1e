"""A CanaryRelease goes to the wire and back, and what is wrong with one is said with its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.api import codec
from serinus.api.codec import COMMAND_ANNOTATION, Release
from serinus.errors import InvalidInput
from serinus.release.model import (
    Command,
    CommandVerb,
    Ended,
    Outcome,
    Pause,
    Phase,
    Progress,
    Promotion,
    SetWeight,
    Shown,
    Spec,
    Status,
    Step,
    Waiting,
)
from serinus.traffic.router import Mode

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
names = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
instants = st.integers(0, 4_000_000_000_000)
counts = st.integers(0, 5_000)
weights_bp = st.integers(0, 10_000)
durations_ms = st.integers(0, 365 * 86_400_000)


@st.composite
def steps(draw: st.DrawFn) -> tuple[Step, ...]:
    found: list[Step] = [SetWeight(w) for w in sorted(draw(st.lists(weights_bp, max_size=4)))]
    for pause in draw(st.lists(st.builds(Pause, st.none() | durations_ms), max_size=3)):
        found.insert(draw(st.integers(0, len(found))), pause)
    return tuple(found)


specs = st.builds(
    Spec,
    target=names,
    service=names,
    router=st.just("ReplicaRatio"),
    mode=st.sampled_from(Mode),
    settle_ms=durations_ms,
    allow_coarse=st.booleans(),
    allow_recreate=st.booleans(),
    allow_autoscaler=st.booleans(),
    steps=steps(),
    promotion=st.sampled_from(Promotion),
    undo_window_ms=durations_ms,
    abort_on_deadline=st.booleans(),
    paused=st.booleans(),
)
commands = st.builds(
    Command,
    id=names,
    verb=st.sampled_from(CommandVerb),
    revision=words,
    step_index=st.none() | counts,
    weight_bp=st.none() | weights_bp,
    full=st.booleans(),
)
outcomes = st.builds(
    Outcome, id=names, verb=st.sampled_from(CommandVerb), accepted=st.booleans(), message=words
)
ends = st.builds(
    Ended, revision=words, outcome=words, started_ms=instants, ended_ms=instants, message=words
)
statuses = st.builds(
    Status,
    phase=st.sampled_from(Phase),
    message=words,
    revision=words,
    generation=counts,
    step_index=counts,
    weight_bp=weights_bp,
    weight_asked_bp=st.none() | weights_bp,
    stable_hash=words,
    canary_hash=words,
    promotion=st.none() | st.sampled_from(Promotion),
    held_by_person=st.booleans(),
    pause_until_ms=st.none() | instants,
    undo_until_ms=st.none() | instants,
    shown=st.none() | st.builds(Shown, route=words, since_ms=instants),
    progress=st.none() | st.builds(Progress, counts, counts, instants),
    full_replica_count=st.none() | counts,
    stable_replica_count=st.none() | counts,
    stable_previous_count=st.none() | counts,
    target_uid=names,
    started_ms=st.none() | instants,
    landing_since_ms=st.none() | instants,
    waiting=st.none() | st.builds(Waiting, words, words, instants),
    last_command=st.none() | outcomes,
    history=st.lists(ends, max_size=3).map(tuple),
)


def on_the_wire(found: Any) -> Any:
    """Return what arrives when this is sent as JSON."""
    return msgspec.json.decode(msgspec.json.encode(found))


@given(names, names, specs, statuses, st.none() | commands)
def test_a_release_goes_to_the_wire_and_back(
    name: str, namespace: str, spec: Spec, status: Status, command: Command | None
) -> None:
    release = Release(name, namespace, spec, status, command)
    assert codec.decode(on_the_wire(codec.encode(release))) == release


@given(statuses)
def test_the_wire_says_times_as_texts_and_weights_in_percent(status: Status) -> None:
    wire = codec.encode_status(status)
    assert not [key for key in keys_of(wire) if "_" in key or key.endswith(("Ms", "Bp"))]
    if status.history:
        assert wire["history"][0]["startedTime"].endswith("Z")
    assert wire["phase"] == status.phase.value
    if status.weight_bp:
        assert round(wire["weight"] * 100) == status.weight_bp
    if status.started_ms is not None:
        assert wire["startedTime"].endswith("Z")


def keys_of(found: Any) -> list[str]:
    """Return every key at any depth."""
    if isinstance(found, list):
        return [key for item in found for key in keys_of(item)]
    if not isinstance(found, dict):
        return []
    return [*found, *(key for item in found.values() for key in keys_of(item))]


def test_a_record_of_before_that_had_plain_milliseconds_in_its_history_is_read() -> None:
    wire = {"history": [{"revision": "x", "outcome": "y", "started_ms": 1, "ended_ms": 2}]}
    assert codec.decode_status(wire).history == (Ended("x", "y", 1, 2),)


def a_manifest(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "CanaryRelease",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {"targetRef": {"name": "shop"}, "service": {"name": "shop"}, **spec},
    }


def test_a_manifest_with_only_its_names_has_the_documented_defaults() -> None:
    assert codec.decode(a_manifest()) == Release("shop", "default", Spec("shop", "shop"))


def test_a_manifest_is_read_in_full() -> None:
    found = codec.decode(
        a_manifest(
            router={
                "type": "ReplicaRatio",
                "replicaRatio": {"mode": "Constant", "settle": "1s", "allowCoarse": True},
            },
            steps=[{"setWeight": 0.5}, {"pause": {"duration": "10m"}}, {"pause": {}}],
            promotion={"method": "RollingUpdate", "undoWindow": "5m"},
            abort={"onProgressDeadline": False},
            paused=True,
            allowRecreate=True,
            allowAutoscaler=True,
        )
    )
    assert found.spec == Spec(
        target="shop",
        service="shop",
        mode=Mode.CONSTANT,
        settle_ms=1_000,
        allow_coarse=True,
        allow_recreate=True,
        allow_autoscaler=True,
        steps=(SetWeight(50), Pause(600_000), Pause()),
        promotion=Promotion.ROLLING_UPDATE,
        undo_window_ms=300_000,
        abort_on_deadline=False,
        paused=True,
    )


def problems_of(manifest: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(InvalidInput) as caught:
        codec.decode(manifest, source="shop.yaml")
    assert str(caught.value).startswith("shop.yaml:")
    return caught.value.problems


def test_all_that_is_wrong_is_said_at_once_with_its_path() -> None:
    problems = problems_of(
        a_manifest(
            targetRef={"name": "shop", "kind": "StatefulSet"},
            router={"type": "Istio", "replicaRatio": {"settle": "soon"}},
            promotion={"undoWindow": "1y"},
            steps=[
                {"setWeight": 50},
                {"setWeight": 25},
                {},
                {"setWeight": 1, "pause": {}},
                {"pause": {"duration": "x"}},
                {"setWeight": 0.001},
            ],
        )
    )
    assert [p.partition(": ")[0] for p in problems] == [
        "spec.targetRef.kind",
        "spec.router.type",
        "spec.router.replicaRatio.settle",
        "spec.promotion.undoWindow",
        "spec.steps[2]",
        "spec.steps[3]",
        "spec.steps[4].pause.duration",
        "spec.steps[5].setWeight",
        "spec.steps[1].setWeight",
    ]
    assert "only a Deployment can" in problems[0]
    assert "known: Envoy, ReplicaRatio" in problems[1]
    assert "exactly one of setWeight and pause" in problems[4]
    assert "weights may only grow" in problems[-1]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"kind": "Rollout"}, "kind: 'Rollout' is not 'CanaryRelease'"),
        ({"apiVersion": "serinus.dev/v2"}, "apiVersion: 'serinus.dev/v2' is not"),
        ({"spec": {"service": {"name": "shop"}}}, "spec: "),
        ({"metadata": {}}, "metadata.name: missing"),
    ],
)
def test_what_is_no_canary_release_is_refused(change: dict[str, Any], path: str) -> None:
    (problem, *_) = problems_of({**a_manifest(), **change})
    assert problem.startswith(path)


def test_an_unknown_field_is_refused_with_its_place() -> None:
    (problem,) = problems_of(a_manifest(steps=[{"setWeihgt": 5}]))
    assert "setWeihgt" in problem
    assert problem.startswith("spec.steps[")


def test_an_empty_name_is_refused_with_its_place() -> None:
    (problem,) = problems_of(a_manifest(service={"name": ""}))
    assert problem.startswith("spec.service.name: ")


def test_a_status_of_an_older_version_has_defaults_for_what_it_lacks() -> None:
    assert codec.decode_status({}) == Status()
    assert codec.decode_status({"phase": "Paused", "stepIndex": 2}) == Status(
        phase=Phase.PAUSED, step_index=2
    )


def test_what_a_newer_version_adds_to_a_status_is_not_looked_at() -> None:
    wire = {"phase": "Paused", "verdict": {"mean": 1}, "seenTime": "2026-01-01T00:00:00Z"}
    assert codec.decode_status(wire) == Status(phase=Phase.PAUSED)


@pytest.mark.parametrize(
    ("wire", "place"),
    [
        ({"phase": "Dancing"}, "phase"),
        ({"stepIndex": "two"}, "stepIndex"),
        ({"startedTime": "yesterday"}, "startedTime"),
        ({"startedTime": 5}, "startedTime"),
        ({"weight": 101}, "weight"),
        ({"weight": "much"}, "weight"),
        ({"history": [{"revision": "x"}]}, "history"),
    ],
)
def test_a_status_that_cannot_be_read_is_refused_with_its_place(
    wire: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidInput, match="another version of serinus") as caught:
        codec.decode_status(wire)
    assert place in str(caught.value)


@pytest.mark.parametrize(
    "annotation",
    [None, "", "{", "[]", "5", "{}", '{"id":"1","verb":"dance","revision":"x"}', '{"weight":101}'],
)
def test_an_annotation_that_is_no_command_is_none(annotation: str | None) -> None:
    assert codec.decode_command(annotation) is None


@given(commands)
def test_commands_travel_as_one_annotation(command: Command) -> None:
    assert codec.decode_command(codec.encode_command(command)) == command
    wire = codec.encode(Release("shop", "default", Spec("shop", "shop"), command=command))
    assert list(wire["metadata"]["annotations"]) == [COMMAND_ANNOTATION]
