"""The schema of the definition agrees with what the codec reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from serinus.api import codec
from serinus.install import schema
from serinus.install.status_words import WORDS
from serinus.release.model import Status
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
