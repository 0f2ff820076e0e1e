"""The command line as people expect it: help, names, streams, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from serinus.cli.completion import suggestions
from serinus.cli.main import app

BIN = Path(sys.executable).parent
ROOT = typer.main.get_command(app)
VERBS = sorted(ROOT.commands)  # type: ignore[attr-defined] # a group has commands
ON_A_CLUSTER = [
    v for v in VERBS if v not in ("controller", "demo", "lint", "load", "local", "router")
]
WRITING = ["abort", "promote", "release", "set-weight"]


def ran(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / program), *arguments],
        env={**os.environ, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def options_of(verb: str) -> set[str]:
    command = ROOT.commands[verb]  # type: ignore[attr-defined] # a group has commands
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_has_an_example(verb: str) -> None:
    done = CliRunner().invoke(app, [verb, "-h"], env={"COLUMNS": "200"}, prog_name="serinus")
    assert done.exit_code == 0
    _, _, below = done.stdout.partition("Usage:")
    assert f"serinus {verb} " in below.partition("Example")[2]


@pytest.mark.parametrize("verb", ON_A_CLUSTER)
def test_every_verb_on_a_cluster_has_the_options_of_kubectl(verb: str) -> None:
    expected = {"--kubeconfig", "--context", "--namespace", "-n", "--as", "--request-timeout"}
    assert expected | {"--output", "-o", "--verbose", "-v", "--debug"} <= options_of(verb)


@pytest.mark.parametrize("verb", WRITING)
def test_a_verb_that_writes_can_be_rehearsed_and_limited(verb: str) -> None:
    assert {"--dry-run", "--timeout"} <= options_of(verb)


def test_lists_are_narrowed_as_in_kubectl() -> None:
    assert {"-A", "--all-namespaces", "-l", "--selector"} <= options_of("list")
    assert {"-w", "--watch"} <= options_of("status")


@pytest.mark.parametrize(
    ("program", "words"), [("serinus", "serinus"), ("kubectl-serinus", "kubectl serinus")]
)
def test_the_usage_line_says_what_was_typed(program: str, words: str) -> None:
    assert f"Usage: {words} status [OPTIONS]" in ran(program, "status", "-h").stdout
    mistyped = ran(program, "statuss")
    assert mistyped.returncode == 2
    assert mistyped.stdout == ""
    assert f"Usage: {words}" in mistyped.stderr
    assert "No such command 'statuss'" in mistyped.stderr


@pytest.mark.parametrize(
    "arguments", [["status"], ["status", "shop", "--wach"], ["status", "shop", "-o", "xml"]]
)
def test_words_that_are_wrong_exit_2_on_stderr(arguments: list[str]) -> None:
    done = ran("serinus", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["no terminal", "NO_COLOR"])
def test_nothing_is_coloured_without_a_terminal(environment: dict[str, str]) -> None:
    for arguments in (["-h"], ["release", "-h"], ["statuss"], ["status", "shop", "-o", "xml"]):
        done = ran("serinus", *arguments, **environment)
        assert "\x1b" not in done.stdout + done.stderr


def test_a_reader_that_left_hears_no_complaint() -> None:
    done = subprocess.run(
        f"{BIN / 'serinus'} release -h | head -1",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["rel"], ["release"]),
        (["pro"], ["promote"]),
        (["status", "--wa"], ["--watch"]),
        (["status", "shop", "-o", ""], ["text", "json", "yaml", "name"]),
        (["release", "shop", "--mode", "s"], ["surge"]),
        (["nothing-like-it"], []),
    ],
)
def test_kubectl_is_told_what_may_follow(words: list[str], found: list[str]) -> None:
    assert suggestions(words) == found


def test_every_verb_is_suggested() -> None:
    assert sorted(suggestions([""])) == VERBS


def test_the_completion_program_ends_with_the_directive() -> None:
    done = ran("kubectl_complete-serinus", "status", "--wa")
    assert done.stdout == "--watch\n:4\n"
