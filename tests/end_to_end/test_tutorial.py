"""The tutorial, word for word: its commands run in one shell, and print what the page shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.end_to_end.stage import BIN

pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial" / "first-canary.md"
PROMPT, ANYTHING = "$ ", "…"
LIMIT_S = 240
# A verb that drives prints the time of day before what it says.
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d  ")


class Step(msgspec.Struct, frozen=True):
    """One command of the page, and the lines that it is said to print."""

    command: str
    shown: list[str]


def steps_of(page: str) -> Iterator[Step]:
    """Yield the commands of all console blocks in their order."""
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        step: Step | None = None
        for line in block.splitlines():
            if line.startswith(PROMPT):
                if step is not None:
                    yield step
                step = Step(line.removeprefix(PROMPT), [])
            else:
                assert step is not None, f"output before a command: {line}"
                step.shown.append(line)
        if step is not None:
            yield step


def missing(shown: list[str], printed: str) -> list[str]:
    """Return the lines of the page that were not printed, each looked for behind the one before."""
    lines = iter([_CLOCK.sub("", line) for line in printed.splitlines()])
    absent = []
    for wanted in shown:
        parts = [re.escape(part.strip()) for part in wanted.split(ANYTHING)]
        pattern = re.compile(r"\s*" + ".*".join(parts) + r"\s*")
        if not any(pattern.fullmatch(line) or pattern.fullmatch(f" {line}") for line in lines):
            absent.append(wanted)
    return absent


def script_of(steps: list[Step]) -> str:
    """Return one script for all commands, so that exported variables last; it ends at a failure."""
    parts = [
        f"echo {shlex.quote(_mark(number))}\n{step.command} 2>&1 || exit 1"
        for number, step in enumerate(steps)
    ]
    return "\n".join(parts)


def _mark(number: int) -> str:
    return f"=== step {number} ==="


def test_every_command_of_the_tutorial_works_and_prints_what_the_page_shows(tmp_path: Path) -> None:
    steps = list(steps_of(PAGE.read_text(encoding="utf-8")))
    assert len(steps) > 10
    environment = {
        **{k: v for k, v in os.environ.items() if k != "KUBECONFIG"},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "SERINUS_STATE": str(tmp_path / "state"),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    output = tmp_path / "output"
    try:
        # To a file: the cluster in the background would keep a pipe open.
        with output.open("w") as sink:
            code = subprocess.run(
                ["bash", "-c", script_of(steps)],
                cwd=ROOT,
                env=environment,
                stdout=sink,
                stderr=subprocess.STDOUT,
                timeout=LIMIT_S,
                check=False,
            ).returncode
    finally:
        subprocess.run([BIN / "serinus", "local", "reset"], env=environment, check=False)
    printed = output.read_text()
    assert code == 0, printed
    sections = re.split(r"^=== step \d+ ===\n", printed, flags=re.MULTILINE)[1:]
    absent = [
        (step.command, lines)
        for step, section in zip(steps, sections, strict=True)
        if (lines := missing(step.shown, section))
    ]
    assert absent == [], printed


def test_a_line_that_was_not_printed_is_seen() -> None:
    printed = "03:00:00  canary with 1 pods\n  1.8.0   10  expected 25 %, z = +1.0\nPaused\n"
    assert missing(["… canary with 1 pods", "  1.8.0 … z = …", "Paused"], printed) == []
    assert missing(["canary with 2 pods"], printed) == ["canary with 2 pods"]
    assert missing(["Paused", "… canary with 1 pods"], printed) == ["… canary with 1 pods"]
