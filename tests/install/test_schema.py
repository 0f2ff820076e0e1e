"""The schema of the definition agrees with what the codec reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.api import codec, text
from serinus.install import schema
from serinus.install.status_words import WORDS
from serinus.kubernetes_model.custom import checking, rules, structural
from serinus.local_cluster.server.rules import evaluate
from serinus.release.model import Pause, Promotion, SetWeight, Spec, Status, Step
from serinus.traffic.plan import WEIGHT_BP_MAX
from serinus.traffic.replica_ratio import SURGE_WEIGHT_BP_MAX
from serinus.traffic.router import Mode
from tests.tidy.full_status import full_status

Schema = dict[str, Any]


def nodes(found: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every schema below the root with its path."""
    for name, field in found.get("properties", {}).items():
        yield f"{path}.{name}".lstrip("."), field
        yield from nodes(field, f"{path}.{name}".lstrip("."))
    if "items" in found:
        yield from nodes(found["items"], f"{path}[]")


def problems(status: Schema) -> list[str]:
    validator = jsonschema_rs.validator_for(schema.closed(schema.status()), validate_formats=True)
    return [error.message for error in validator.iter_errors(status)]


def test_every_node_has_a_type_and_nothing_that_a_structural_schema_forbids() -> None:
    for path, node in nodes(schema.release()):
        assert "type" in node, path
        assert node.keys().isdisjoint({"$ref", "title", "anyOf", "additionalProperties"}), path
        assert node.get("default", "") is not None, path


def test_every_field_has_its_description() -> None:
    bare = [
        path
        for path, node in nodes(schema.release())
        if "description" not in node and "conditions[]" not in path
    ]
    assert bare == ["apiVersion", "kind", "metadata"]


def test_no_words_are_left_over() -> None:
    paths = {path for path, _ in nodes(schema.status())}
    assert set(WORDS) == {path for path in paths if not path.startswith("conditions[]")}


@pytest.mark.parametrize("status", [Status(), full_status()], ids=["empty", "full"])
def test_what_the_codec_writes_is_what_the_schema_knows(status: Status) -> None:
    assert problems(codec.encode_status(status)) == []


def test_a_field_that_the_codec_does_not_write_is_seen() -> None:
    wrong = {"phase": "Healthy", "stepindex": 1}
    assert len(problems(wrong)) == 1
    assert len(problems({"phase": "Healthy", "startedTime": 17})) == 1


def test_a_newer_status_may_say_words_that_are_not_known_yet() -> None:
    assert problems({"phase": "Dreaming", "promotion": "Levitate"}) == []


NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
DURATIONS_MS = st.integers(0, text.DURATION_MS_MAX)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """Draw a spec that the release core would take, of all that there are."""
    mode = draw(st.sampled_from(Mode))
    most = WEIGHT_BP_MAX if mode is Mode.CONSTANT else SURGE_WEIGHT_BP_MAX
    weights = sorted(draw(st.lists(st.integers(0, most), max_size=4)))
    steps: list[Step] = []
    for weight_bp in weights:
        pauses = st.lists(st.builds(Pause, st.none() | DURATIONS_MS), max_size=2)
        steps += [SetWeight(weight_bp), *draw(pauses)]
    return Spec(
        target=draw(NAMES),
        service=draw(NAMES),
        mode=mode,
        settle_ms=draw(DURATIONS_MS),
        undo_window_ms=draw(DURATIONS_MS),
        promotion=draw(st.sampled_from(Promotion)),
        allow_coarse=draw(st.booleans()),
        paused=draw(st.booleans()),
        steps=tuple(steps),
    )


@settings(deadline=None)
@given(specs())
def test_a_record_that_is_written_without_the_definition_fits_into_it(spec: Spec) -> None:
    """The controller takes records over as they are."""
    encoded = codec.encode(codec.Release("shop", "default", spec))
    body = msgspec.json.decode(msgspec.json.encode(encoded))
    known = schema.release()
    structural.fill_defaults(known, body)
    assert checking.check(known, body) == []
    assert rules.check(known, body, None, evaluate) == []
    assert codec.decode(body).spec == spec
