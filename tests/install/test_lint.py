"""`serinus lint`: every problem at once, each with its file and line, and nothing that is fine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.api import codec
from serinus.errors import InvalidInput
from serinus.install import linting
from tests.tidy import sources

PROGRAM = Path(sys.executable).with_name("serinus")
WRONG = """\
apiVersion: serinus.dev/v1alpha1
kind: CanaryRelease
metadata:
  labels: {team: shop}
spec:
  targetRef:
    nme: shop
  stepz: []
  steps:
  - setWeight: "5"
  - setWeight: 120
  - setWeight: 25
  - pause: {duration: 10x}
  - {}
  - setWeight: 0.125
  - setWeight: 20
  paused: yes please
  router:
    type: Sorcery
    replicaRatio: {mode: Up}
"""
SAID = [
    "3: metadata.name: missing",
    "5: spec.service: missing",
    "6: spec.targetRef.name: missing",
    "7: spec.targetRef.nme: unknown field",
    "8: spec.stepz: unknown field",
    '10: spec.steps[0].setWeight: "5" is not of type "number"',
    "11: spec.steps[1].setWeight: '120' is outside 0..100",
    "13: spec.steps[3].pause.duration: '10x' is no duration; write 500ms, 30s, 10m or 1h30m",
    "14: spec.steps[4]: needs exactly one of setWeight and pause",
    "15: spec.steps[5].setWeight: '0.125' has more than two decimals",
    "16: spec.steps[6].setWeight: 20 after 25; weights may only grow",
    '17: spec.paused: "yes please" is not of type "boolean"',
    '19: spec.router.type: "Sorcery" is not one of "Envoy" or "ReplicaRatio"',
    '20: spec.router.replicaRatio.mode: "Up" is not one of "Constant" or "Surge"',
]
RIGHT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
---
apiVersion: serinus.dev/v1alpha1
kind: CanaryRelease
metadata: {name: shop}
spec:
  targetRef: {name: shop}
  service: {name: shop}
  steps:
  - setWeight: 25
  - pause: {duration: 10m}
"""


def linted(folder: Path, *texts: str) -> subprocess.CompletedProcess[str]:
    names = []
    for index, text in enumerate(texts):
        path = folder / f"{index}.yaml"
        path.write_text(text)
        names.append(path.name)
    return subprocess.run(
        [PROGRAM, "lint", *names], cwd=folder, capture_output=True, text=True, check=False
    )


def test_every_problem_is_named_with_its_line(tmp_path: Path) -> None:
    done = linted(tmp_path, WRONG)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [f"0.yaml:{line}" for line in SAID]


def test_what_is_fine_is_passed_and_other_kinds_are_passed_over(tmp_path: Path) -> None:
    done = linted(tmp_path, RIGHT)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "1 CanaryRelease, nothing wrong\n"


def test_all_files_are_checked_whatever_is_in_the_first(tmp_path: Path) -> None:
    done = linted(tmp_path, "a: [", RIGHT.replace("25", "101"), RIGHT)
    assert done.returncode == 2
    first, second, third = done.stdout.splitlines()
    assert first == "0.yaml:2:1: did not find expected node content"
    assert second == "1.yaml:12: spec.steps[0].setWeight: '101' is outside 0..100"
    assert third == "2.yaml:9: spec.targetRef.name: 'shop': 1.yaml:9 releases it already"


def test_the_items_of_a_list_are_checked_where_they_stand(tmp_path: Path) -> None:
    items = "".join(f"  {line}\n" for line in WRONG.splitlines())
    done = linted(tmp_path, f"kind: List\nitems:\n-{items[1:]}")
    shifted = [(int(n) + 2, words) for n, _, words in (said.partition(":") for said in SAID)]
    assert done.stdout.splitlines() == [f"0.yaml:{n}:{words}" for n, words in shifted]


def test_a_weight_beyond_the_reach_of_surge_is_named(tmp_path: Path) -> None:
    done = linted(tmp_path, RIGHT.replace("25", "75"))
    assert done.stdout.startswith("0.yaml:12: spec.steps[0].setWeight: 75 % is more than Surge")


def test_another_version_is_named(tmp_path: Path) -> None:
    done = linted(tmp_path, RIGHT.replace("v1alpha1", "v9"))
    assert done.stdout == "0.yaml:5: apiVersion: 'serinus.dev/v9' is not 'serinus.dev/v1alpha1'\n"


@pytest.mark.parametrize("text", ["", "kind: Pod\n", "kind: List\nitems: 3\n"])
def test_nothing_to_check_is_an_error(tmp_path: Path, text: str) -> None:
    done = linted(tmp_path, text)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no CanaryRelease" in done.stderr


def test_the_examples_of_this_repository_are_fine() -> None:
    found = [
        path
        for path in sources.tracked_files()
        if path.suffix in (".yaml", ".yml")
        and path.is_relative_to(sources.ROOT / "examples")
        and "CanaryRelease" in path.read_text(encoding="utf-8")
    ]
    assert found
    for path in found:
        done = subprocess.run([PROGRAM, "lint", path], capture_output=True, check=False)
        assert done.returncode == 0, done.stdout


NAMES = st.sampled_from(
    ["name", "kind", "targetRef", "service", "steps", "setWeight", "pause", "duration", "router"]
)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | st.floats(-1, 101) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(NAMES | st.just("spec"), ANY, max_size=4), ANY)
def test_whatever_stands_there_lint_agrees_with_the_codec(more: dict[str, Any], spec: Any) -> None:
    value = {**more, "apiVersion": "serinus.dev/v1alpha1", "kind": "CanaryRelease"}
    value |= {"metadata": {"name": "shop"}, "spec": spec}
    found = linting.problems(value)
    try:
        codec.decode(value)
    except InvalidInput:
        assert found


@settings(deadline=None)
@given(st.lists(st.sampled_from([{"setWeight": 5}, {"setWeight": 50}, {"pause": {}}, {}])), ANY)
def test_one_wrong_field_hides_no_other(steps: list[dict[str, Any]], paused: Any) -> None:
    spec = {"targetRef": {"name": "shop"}, "service": {"name": "shop"}, "steps": steps}
    value = {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "CanaryRelease",
        "metadata": {"name": "shop"},
        "spec": spec,
    }
    alone = linting.problems(value)
    beside = linting.problems({**value, "spec": {**spec, "paused": paused, "nobody": 1}})
    assert set(alone) < set(beside)
