"""`serinus load` as a process: what it prints where, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import typer

from serinus.cli.load import options
from serinus.cli.load.verb import duration_of, parse_duration
from serinus.errors import InvalidInput
from tests.unit.load.servers import Visit, answer, polite, saying, serving

_APP = """
import sys, typer
from serinus.cli import load
from serinus.errors import SerinusError
app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})
load.register(app)
app.command()(lambda: None)
try:
    app()
except SerinusError as e:
    print(f"error: {e}", file=sys.stderr)
    sys.exit(e.exit_code)
"""


class Result:
    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code, self.out, self.err = code, out.decode(), err.decode()


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _APP, "load", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"COLUMNS": "100", "TERM": "dumb"},
    )


async def serinus_load(*arguments: str) -> Result:
    process = await start(*arguments)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return Result(process.returncode, out, err)


async def test_all_answered_ends_with_0_and_shows_share_and_z(tmp_path: Path) -> None:
    svg = tmp_path / "share.svg"
    async with serving(polite("v2")) as server:
        result = await serinus_load(
            server.url,
            *("--requests", "50", "--keep-alive", "--new-connections"),
            *("--expect", "v2=100%", "--picture", str(svg)),
        )
    assert result.code == 0, result.err
    assert "50 requests" in result.out
    assert "v2         50  100.00 %  expected 100 %, z = +0.00" in result.out
    assert "failed: 0" in result.out
    assert "keepAlive: 25 requests" in result.out
    assert ET.parse(svg).getroot().tag.endswith("svg")


async def test_json_is_alone_on_standard_output() -> None:
    async with serving(polite("v2")) as server:
        result = await serinus_load(
            server.url, "--rate", "200", "--duration", "1300ms", "-o", "json"
        )
    assert result.code == 0
    report = json.loads(result.out)
    assert report["counts"]["answered"] == report["plannedCount"] == 260
    assert re.search(r"^ +\d\.\d s +\d+ requests", result.err, re.MULTILINE)  # progress, as lines


async def test_a_duration_bounds_a_number_of_requests_too() -> None:
    async with serving(polite("v2")) as server:
        result = await serinus_load(
            server.url, "--requests", "1000000", "--duration", "300ms", "-o", "json"
        )
    assert result.code == 0
    assert 0 < json.loads(result.out)["plannedCount"] < 100_000


async def test_failed_requests_end_with_1() -> None:
    async with serving(saying(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")) as server:
        result = await serinus_load(server.url, "--requests", "5")
    assert result.code == 1
    assert "httpError 5 (500: 5)" in result.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://127.0.0.1:9/", "--rate", "0"], "--rate"),
        (["http://127.0.0.1:9/", "--connections", "0"], "--connections"),
        (["http://127.0.0.1:9/", "--duration", "30"], "--duration: '30' is not a duration"),
        (["http://127.0.0.1:9/", "--timeout", "x"], "--timeout: 'x' is not a duration"),
        (["http://127.0.0.1:9/", "--header", "nonsense"], "--header"),
        (["http://127.0.0.1:9/", "--expect", "v2=101"], "--expect"),
        (["http://127.0.0.1:9/", "--version-json", "a", "--version-regex", "b"], "one of"),
        (["http://127.0.0.1:9/", "--picture", "/no/such/folder/a.svg"], "--picture"),
        (["ftp://127.0.0.1/"], "'ftp://127.0.0.1/' is not an http or https URL"),
        ([], "Missing argument"),
    ],
)
async def test_bad_input_ends_with_2_and_names_the_option(arguments: list[str], said: str) -> None:
    result = await serinus_load(*arguments)
    assert result.code == 2
    assert said in result.err
    assert result.out == ""


async def test_ctrl_c_reports_and_ends_with_130() -> None:
    async with serving(polite("v2")) as server:
        process = await start(server.url, "--rate", "100", "--duration", "60s", "-o", "json")
        assert process.stderr is not None
        line = await asyncio.wait_for(process.stderr.readline(), 20)
        assert b"requests" in line
        process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 130
    report = json.loads(out)
    assert report["interrupted"]
    assert report["failedCount"] == 0
    assert report["counts"]["answered"] == report["plannedCount"] > 50


async def test_a_second_ctrl_c_ends_at_once() -> None:
    async def hang(visit: Visit) -> None:
        await visit.request()
        if visit.number == 1:
            await visit.say(answer())
        await visit.request()

    async with serving(hang) as server:
        process = await start(server.url, "--connections", "1", "--duration", "60s")
        assert process.stderr is not None
        await asyncio.wait_for(process.stderr.readline(), 20)
        process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.3)  # two signals at the same moment are one
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode != 0


async def test_help_has_examples() -> None:
    result = await serinus_load("-h")
    assert result.code == 0
    assert "serinus load http://127.0.0.1:32600/ --rate 500" in result.out


@pytest.mark.parametrize(
    ("text", "ms"),
    [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h30m", 5_400_000), ("1.5s", 1_500)],
)
def test_durations_are_read_as_users_write_them(text: str, ms: int) -> None:
    assert parse_duration("--duration", text) == ms


@pytest.mark.parametrize("text", ["", "30", "s", "5 m", "-1s", "1s1h", "1d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--duration"):
        parse_duration("--duration", text)


async def stderr_on_a_terminal(url: str, **env: str) -> str:
    """Return what a run writes to a terminal that is its standard error."""
    outer, inner = os.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _APP, "load", url, "--rate", "100", "--duration", "1200ms"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=inner,
            env=os.environ | {"COLUMNS": "100", "TERM": "xterm"} | env,
        )
        os.close(inner)
        # A terminal holds 4 KiB that nobody has read: read while the process runs.
        said, deadline = b"", asyncio.get_running_loop().time() + 20
        while asyncio.get_running_loop().time() < deadline:
            try:
                piece = await asyncio.to_thread(os.read, outer, 4096)
            except OSError:  # EIO: the other end is closed
                break
            said += piece
        assert await asyncio.wait_for(process.wait(), 20) == 0
        return said.decode()
    finally:
        os.close(outer)


async def test_a_terminal_gets_a_live_display() -> None:
    async with serving(polite("v2")) as server:
        said = await stderr_on_a_terminal(server.url)
    assert "100.0 %" in said
    assert "█" in said
    assert "\x1b[" in said


async def test_a_terminal_that_wants_no_colour_gets_plain_lines() -> None:
    async with serving(polite("v2")) as server:
        said = await stderr_on_a_terminal(server.url, NO_COLOR="1")
    assert "1.0 s" in said
    assert "v2 100.0 %" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("arguments", "duration_ms"),
    [
        ([], 10_000),
        (["--duration", "2s"], 2_000),
        (["--requests", "5"], None),
        (["--requests", "5", "--duration", "10s"], 10_000),
    ],
)
def test_requests_alone_are_not_cut_by_the_default_duration(
    arguments: list[str], duration_ms: int | None
) -> None:
    found = []
    app = typer.Typer()

    @app.command()
    def read(
        context: typer.Context,
        duration: options.Duration = "10s",
        requests: options.Requests = None,
    ) -> None:
        found.append(duration_of(context, duration, requests))

    app(arguments, standalone_mode=False)
    assert found == [duration_ms]
