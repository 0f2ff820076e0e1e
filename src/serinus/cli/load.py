"""The verb `serinus load`: make load, count what comes back, report."""

from __future__ import annotations

import asyncio
import enum
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serinus.errors import InvalidInput, UsageError

if TYPE_CHECKING:
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


class Output(enum.StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"


def load(
    url: Annotated[str, typer.Argument(metavar="URL", help="http or https.", show_default=False)],
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="R",
            help="Open loop: start R requests a second, whatever the server does. Without it the "
            "loop is closed: each client waits for its answer.",
            show_default=False,
        ),
    ] = None,
    connections: Annotated[
        int,
        typer.Option(
            "--connections",
            metavar="N",
            help="Clients of a closed loop; with --rate the keep-alive connections that are held.",
        ),
    ] = 20,
    duration: Annotated[
        str, typer.Option("--duration", metavar="TIME", help="Start no request after it: 30s, 5m.")
    ] = "10s",
    requests: Annotated[
        int | None,
        typer.Option(
            "--requests",
            metavar="N",
            help="Stop after N requests; without --duration, however long that takes.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="TIME", help="For one request: 500ms, 10s.")
    ] = "10s",
    *,
    keep_alive: Annotated[
        bool, typer.Option("--keep-alive", help="Use connections again.")
    ] = False,
    new_connections: Annotated[
        bool,
        typer.Option(
            "--new-connections",
            help="A new connection for each request (the default). With --keep-alive: half of "
            "the requests each.",
        ),
    ] = False,
    method: Annotated[str, typer.Option("--method", metavar="METHOD", help="GET, HEAD …")] = "GET",
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="Send it; may be repeated."),
    ] = None,
    data: Annotated[str, typer.Option("--data", metavar="TEXT", help="Body of the request.")] = "",
    version_header: Annotated[
        str | None,
        typer.Option(
            "--version-header",
            metavar="NAME",
            help="The header that names the version (default: X-Serinus-Version).",
            show_default=False,
        ),
    ] = None,
    version_json: Annotated[
        str | None,
        typer.Option(
            "--version-json",
            metavar="PATH",
            help="Or a field of the JSON body: app.version.",
            show_default=False,
        ),
    ] = None,
    version_regex: Annotated[
        str | None,
        typer.Option(
            "--version-regex",
            metavar="PATTERN",
            help="Or a regular expression on the body; its first group is the version.",
            show_default=False,
        ),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect",
            metavar="VERSION=PERCENT",
            help="Show how far the share of VERSION is from PERCENT, in standard deviations (z).",
        ),
    ] = None,
    retry_idle_race: Annotated[
        bool,
        typer.Option(
            "--retry-idle-race",
            help="Ask once more where a keep-alive connection was closed as it was written to, as "
            "most clients do; without it such a request counts as failed.",
        ),
    ] = False,
    one_source: Annotated[
        bool,
        typer.Option(
            "--one-source",
            help="Towards loopback, do not spread over source addresses of 127/8.",
        ),
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", "-k", help="https: trust any certificate.")
    ] = False,
    ca_file: Annotated[
        str | None,
        typer.Option("--ca-file", metavar="FILE", help="https: trust these.", show_default=False),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="FILE.svg",
            help="Write the share by version over time.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Format of the report on standard output.")
    ] = Output.TEXT,
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
    bounded_by_count = requests is not None and not _was_given("duration")
    plan = LoadPlan(
        url=url,
        kinds=tuple(kinds),
        rate_per_s=rate,
        connections=connections,
        duration_ms=None if bounded_by_count else parse_duration("--duration", duration),
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


def _was_given(name: str) -> bool:
    """Tell an option that the user typed from its default."""
    import click

    context = click.get_current_context(silent=True)
    source = None if context is None else context.get_parameter_source(name)
    return source is not None and source.name not in {"DEFAULT", "DEFAULT_MAP"}


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
    import signal

    from serinus.cli.load_display import display
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
    report: Report, output: Output, *, expected: dict[str, float], picture: Path | None
) -> None:
    """Write data to standard output and words to standard error."""
    from serinus.cli.load_display import report_text
    from serinus.load import picture as pictures

    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if picture is not None:
        try:
            picture.write_text(pictures.svg(report.buckets), encoding="utf-8")
        except OSError as e:
            raise UsageError(f"--picture: {picture}: {e.strerror}") from e
        typer.echo(f"picture: {picture}", err=True)
    if output is Output.JSON:
        typer.echo(report.to_json().decode())
        return
    typer.echo(report_text(report, expected))
    if sys.stdout.isatty() and len(report.buckets) > 1:
        color = "NO_COLOR" not in os.environ
        typer.echo("\n" + pictures.terminal(report.buckets, color=color))
