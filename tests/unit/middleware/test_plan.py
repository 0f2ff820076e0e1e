"""The plan in force: read again when it changes, and never lost."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from serinus.errors import UsageError
from serinus.middleware.plan import Plan


def text(weight: float) -> str:
    return json.dumps({"salt": "s", "weight": weight})


def weight_bp(plan: Plan) -> int | None:
    assignment = plan.current()
    return None if assignment is None else assignment.split.weight_bp


def is_broken(plan: Plan) -> bool:
    return plan.problem is not None


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text(5))
    plan = Plan.from_file(path, look_every_s=0)
    for weight in (5, 6, 0.5, 7):
        # Equal in length, and within one tick of the file system's clock.
        path.write_text(text(weight))
        assert weight_bp(plan) == weight * 100


def test_what_has_not_changed_is_not_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text(5))
    plan = Plan.from_file(path, look_every_s=0)
    before = plan.current()
    os.utime(path, (1, 1))
    assert plan.current() is before


def test_between_two_looks_the_file_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text(5))
    plan = Plan.from_file(path, look_every_s=3_600)
    path.unlink()
    assert weight_bp(plan) == 500
    assert plan.problem is None


def test_a_mounted_config_map_is_followed_over_the_swap_of_its_link(tmp_path: Path) -> None:
    """As the kubelet does it: files in a dated folder, `..data` to it, swapped by a rename."""

    def publish(name: str, weight: int) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text(text(weight))
        (tmp_path / "..tmp").symlink_to(name)
        (tmp_path / "..tmp").replace(tmp_path / "..data")

    publish("..2026_1", 5)
    (tmp_path / "plan.json").symlink_to("..data/plan.json")
    plan = Plan.from_file(tmp_path / "plan.json", look_every_s=0)
    assert weight_bp(plan) == 500
    publish("..2026_2", 25)
    assert weight_bp(plan) == 2_500


@pytest.mark.parametrize(
    "broken",
    [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"salt": "s", "weight": 101}', None],
    ids=["empty", "cut", "deep", "not UTF-8", "wrong", "gone"],
)
def test_a_broken_plan_keeps_the_last_good_one_and_says_so_once(
    broken: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "serinus.middleware")
    path = tmp_path / "plan.json"
    path.write_text(text(5))
    plan = Plan.from_file(path, look_every_s=0)
    if broken is None:
        path.unlink()
    else:
        path.write_bytes(broken)
    assert [weight_bp(plan) for _ in range(3)] == [500] * 3
    assert is_broken(plan)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(path) in caplog.text
    assert "the last good plan stays" in caplog.text

    path.write_text(text(5))
    assert weight_bp(plan) == 500
    assert not is_broken(plan)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_without_a_good_plan_there_is_none_until_one_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = Plan.from_file(tmp_path / "plan.json", look_every_s=0)
    assert plan.current() is None
    assert "every request gets stable" in caplog.text
    (tmp_path / "plan.json").write_text(text(5))
    assert weight_bp(plan) == 500


def test_a_rule_that_is_wrong_is_told_with_a_mark_at_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rule = {"name": "a", "when": "request.pth == '/'", "to": "canary"}
    document = json.dumps({"salt": "s", "weight": 5, "rules": [rule]}).encode()
    Plan(lambda: document, "test", look_every_s=None)
    assert "rules[0].when: column 9: unknown attribute request.pth" in caplog.text
    assert "request.pth == '/'\n        ^" in caplog.text


def test_a_plan_comes_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text(7))
    assert weight_bp(Plan.from_environment({"SERINUS_PLAN": text(5)})) == 500
    assert weight_bp(Plan.from_environment({"SERINUS_PLAN_FILE": str(path)})) == 700


@pytest.mark.parametrize("environ", [{}, {"SERINUS_PLAN": "{}", "SERINUS_PLAN_FILE": "plan.json"}])
def test_an_environment_must_name_one_plan(environ: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="set one of SERINUS_PLAN"):
        Plan.from_environment(environ)
