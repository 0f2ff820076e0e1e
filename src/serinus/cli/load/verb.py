"""The verb `serinus load`: make load, count what comes back, report."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from serinus.cli.load import options
from serinus.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from serinus.load.plan import LoadPlan, VersionSource
    from serinus.load.report import Report

EPILOG = """Examples:

 serinus load http://127.0.0.1:32600/

 serinus load http://127.0.0.1:32600/ --rate 500 --duration 30s --keep-alive --new-connections

 serinus load http://127.0.0.1:32600/ --requests 10000 --connections 50 --expect nginx:1.8.0=25

 serinus load https://shop.example/ --rate 20 --version-json app.version -o json > report.json
"""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")


def load(
    context: typer.Context,
    url: options.Url,
    rate: options.Rate = None,
    connections: options.Connections = 20,
    duration: options.Duration = "10s",
    requests: options.Requests = None,
    timeout: options.Timeout = "10s",
    *,
    keep_alive: options.KeepAlive = False,
    new_connections: options.NewConnections = False,
    method: options.Method = "GET",
    header: options.Headers = None,
    data: options.Data = "",
    version_header: options.VersionHeader = None,
    version_json: options.VersionJson = None,
    version_regex: options.VersionRegex = None,
    expect: options.Expectations = None,
    retry_idle_race: options.RetryIdleRace = False,
    one_source: options.OneSource = False,
    insecure: options.Insecure = False,
    ca_file: options.CaFile = None,
    picture: options.PictureFile = None,
    output: options.OutputFormat = options.Output.TEXT,
) -> None:
    """Send requests to URL and count each one: answered by which version, or failed how.

    Ends with 0 when all were answered, 1 when a request failed or this machine was the limit,
    2 when the input is wrong, 130 after Ctrl-C.
    """
    from serinus.load.outcome import ConnectionKind
    from serinus.load.plan import LoadPlan

    kinds = [ConnectionKind.KEEP_ALIVE] if keep_alive else []
    if new_connections or not keep_alive:
        kinds.append(ConnectionKind.NEW)
    plan = LoadPlan(
        url=url,
        kinds=tuple(kinds),
        rate_per_s=rate,
        connections=connections,
        duration_ms=duration_of(context, duration, requests),
        requests_max=requests,
        timeout_ms=parse_duration("--timeout", timeout),
        method=method.upper(),
        headers=tuple(_header(text) for text in header or ()),
        body=data.encode(),
        version_source=_version_source(version_header, version_json, version_regex),
        retry_idle_race=retry_idle_race,
        rotate_sources=not one_source,
        verify_tls=not insecure,
        ca_file=ca_file,
    )
    plan.check()
    expected = dict(_expectation(text) for text in expect or ())
    if picture is not None and not picture.parent.is_dir():
        raise UsageError(f"--picture: no folder {str(picture.parent)!r}")
    report = _run(_observe(plan))
    _write(report, output, expected=expected, picture=picture)
    if report.interrupted:
        raise typer.Exit(130)
    if report.failed_count or not report.valid:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("load", epilog=EPILOG, rich_help_panel="Try it")(load)


def parse_duration(option: str, text: str) -> int:
    """Return the milliseconds of a duration such as 500ms, 30s, 5m or 1h30m.

    Raises:
        InvalidInput: it is not one; the message names `option`.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise InvalidInput(option, [f"{text!r} is not a duration such as 500ms, 30s, 5m or 1h30m"])
    hours, minutes, seconds, millis = (float(part or 0) for part in match.groups())
    return round(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis)


def duration_of(context: typer.Context, duration: str, requests: int | None) -> int | None:
    """Return the duration; none where the user bounded the run by a number of requests alone."""
    source = context.get_parameter_source("duration")
    is_default = source is not None and source.name in {"DEFAULT", "DEFAULT_MAP"}
    if is_default and requests is not None:
        return None
    return parse_duration("--duration", duration)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise InvalidInput("--header", [f"{text!r} is not `Name: value`"])
    return name.strip(), value.strip()


def _version_source(header: str | None, json: str | None, regex: str | None) -> VersionSource:
    from serinus.load.plan import VersionSource

    given = [name for name in (header, json, regex) if name is not None]
    if len(given) > 1:
        raise UsageError("give one of --version-header, --version-json and --version-regex")
    if json is not None:
        return VersionSource("json", json)
    if regex is not None:
        return VersionSource("regex", regex)
    return VersionSource() if header is None else VersionSource("header", header)


def _expectation(text: str) -> tuple[str, float]:
    version, _, percent = text.rpartition("=")
    try:
        share = float(percent.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not version or not 0 <= share <= 1:
        raise InvalidInput("--expect", [f"{text!r} is not VERSION=PERCENT such as v2=25"])
    return version, share


async def _observe(plan: LoadPlan) -> Report:
    """Run the plan under a display; the first Ctrl-C ends it in good order, the second at once."""
    import asyncio
    import signal

    from serinus.cli.load.display import display
    from serinus.load.run import run
    from serinus.process import SystemClock

    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def interrupt() -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        with display(plan) as (on_progress, interval_ms):
            return await run(
                plan,
                clock=SystemClock(),
                on_progress=on_progress,
                progress_interval_ms=interval_ms,
                stop=stop,
            )
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _run(main: Coroutine[None, None, Report]) -> Report:
    """Run on uvloop where it is installed: twice the requests for the same work."""
    import asyncio

    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    try:
        import uvloop
    except ImportError:
        pass
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def _write(
    report: Report, output: options.Output, *, expected: dict[str, float], picture: Path | None
) -> None:
    """Write data to standard output and words to standard error."""
    from serinus.cli.load.display import report_text
    from serinus.load import picture as pictures

    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if picture is not None:
        try:
            picture.write_text(pictures.svg(report.buckets), encoding="utf-8")
        except OSError as e:
            raise UsageError(f"--picture: {picture}: {e.strerror}") from e
        typer.echo(f"picture: {picture}", err=True)
    if output is options.Output.JSON:
        typer.echo(report.to_json().decode())
        return
    typer.echo(report_text(report, expected))
    if sys.stdout.isatty() and len(report.buckets) > 1:
        color = "NO_COLOR" not in os.environ
        typer.echo("\n" + pictures.terminal(report.buckets, color=color))
