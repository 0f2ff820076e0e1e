"""Every reason, every field of the record and every exit code stands in the reference."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from serinus import errors
from serinus.api import codec, shown, v1alpha1
from serinus.release.decision import Reason
from serinus.release.model import Phase
from tests.tidy import sources
from tests.tidy.full_status import full_status, types

REFERENCE = sources.ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def rows(name: str) -> set[str]:
    """Return what stands in code marks in the first cell of each row of a page's tables."""
    firsts = re.findall(r"^\| ([^|]*) \|", page(name), re.MULTILINE)
    return {word for first in firsts for word in re.findall(r"`([^`]+)`", first)}


def test_each_situation_names_tests_that_are_there() -> None:
    lines = [line for line in page("situations.md").splitlines() if line.startswith("| ")]
    tested = [re.findall(r"`(test_\w+)`", line) for line in lines if " | Test |" not in line]
    assert all(tested), "a situation without a test"
    there = {
        node.name
        for path in sources.modules("tests")
        for node in ast.walk(sources.tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name for names in tested for name in names} - there == set()


def finding_reasons() -> set[str]:
    """Return the reasons that findings are made with, as they stand in the code."""
    release, traffic = sources.PACKAGE / "release", sources.PACKAGE / "traffic"
    found = [*(release / "neighbours").glob("*.py"), *traffic.rglob("*.py")]
    paths = [release / "preflight.py", *sorted(found)]
    calls = [
        node.args[0]
        for path in paths
        for node in ast.walk(sources.tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("Finding", "Obstacle")
    ]
    # Preflight hands the obstacles of routers on.
    told = [first for first in calls if not isinstance(first, ast.Attribute)]
    assert all(isinstance(first, ast.Constant) for first in told)
    return {str(first.value) for first in told if isinstance(first, ast.Constant)}


TROUBLES = {"TwoReleases", "Forbidden", "Invalid", "InvariantViolation", "Defect"}
"""What the operator says of a release that it cannot drive."""


def test_every_reason_is_documented_and_no_other() -> None:
    known = {reason.value for reason in Reason} | finding_reasons() | TROUBLES
    assert len(finding_reasons()) > 5
    assert rows("reasons.md") == known


def test_every_reason_is_given_somewhere() -> None:
    """A reason that nobody gives is a promise in the docs that the code does not keep."""
    given = {
        node.attr
        for path in sources.modules("src/serinus")
        for node in ast.walk(sources.tree_of(path))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Reason"
    }
    assert {reason.name for reason in Reason} - given == set()


def wire_fields(struct: Any, path: str) -> Iterator[str]:
    """Yield the path of each field that has no fields of its own."""
    for field in msgspec.structs.fields(struct):
        here = f"{path}.{field.encode_name}"
        inner = [t for t in types(field.type) if msgspec.inspect.is_struct_type(t)]
        if field.encode_name in ("steps", "rules"):
            here += "[]"
        if not inner:
            yield here
        for found in inner:
            # `pause: {}` means something by itself.
            if here.endswith(".pause"):
                yield here
            yield from wire_fields(found, here)


def test_every_field_of_the_spec_is_documented_and_no_other() -> None:
    documented = {name for name in rows("record.md") if name.startswith("spec.")}
    assert documented == set(wire_fields(v1alpha1.Spec, "spec"))


def test_every_field_of_the_status_is_documented_and_no_other() -> None:
    """Asked of the codec itself, with a status in which nothing has its default."""
    names = (*codec.encode_status(full_status()), *shown.FIELDS)
    wire = {f"status.{name}" for name in names}
    assert {name for name in rows("record.md") if name.startswith("status.")} == wire


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_is_documented(phase: Phase) -> None:
    assert f"`{phase.value}`" in page("record.md")


def exit_codes(kind: type[errors.SerinusError]) -> set[int]:
    return {kind.exit_code}.union(*(exit_codes(k) for k in kind.__subclasses__()))


def test_every_exit_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page("exit-codes.md"), re.M)}
    assert documented == {0, 130} | exit_codes(errors.SerinusError)
