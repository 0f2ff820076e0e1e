"""What `serinus load` shows: live while it runs, and its report as text."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import typer

from serinus.load.outcome import Outcome
from serinus.load.report import Latency, Progress, Report, z_score

if TYPE_CHECKING:
    from rich.table import Table

    from serinus.load.plan import LoadPlan

_BAR_WIDTH = 40
_LIVE_INTERVAL_MS = 250
_LINES_MAX = 20
_COLORS = ("blue", "yellow", "green", "magenta", "cyan", "red")


@contextlib.contextmanager
def display(plan: LoadPlan) -> Iterator[tuple[Callable[[Progress], None], int]]:
    """Give what takes the progress of a run, and how often: live on a terminal, else lines."""
    if _may_be_live():
        from rich.console import Console
        from rich.live import Live

        # Standard error: a report on standard output stays clean.
        with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
            yield lambda p: live.update(_live_view(p), refresh=True), _LIVE_INTERVAL_MS
    else:
        interval_ms = max(1000, (plan.duration_ms or 0) // _LINES_MAX)
        yield lambda p: typer.echo(progress_line(p), err=True), interval_ms


def _may_be_live() -> bool:
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return sys.stderr.isatty() and not plain


def progress_line(progress: Progress) -> str:
    """Return the state of a run as one line."""
    total = sum(progress.versions.values())
    shares = [f"{name} {100 * n / total:.1f} %" for name, n in progress.versions.items() if total]
    p99 = "" if progress.latency is None else f"  p99 {progress.latency.p99_ms:.1f} ms"
    return (
        f"{progress.elapsed_ms / 1000:6.1f} s  {progress.ended_count} requests  "
        f"{progress.rate_per_s:.0f}/s  failed {progress.failed_count}{p99}  {', '.join(shares)}"
    ).rstrip()


def _live_view(progress: Progress) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_row(
        f"{progress.elapsed_ms / 1000:.1f} s",
        f"{progress.rate_per_s:.0f}/s",
        f"{progress.ended_count} requests, {progress.in_flight_count} in flight",
    )
    total = sum(progress.versions.values())
    for index, (version, count) in enumerate(progress.versions.items()):
        share = count / total
        bar = Text("█" * round(_BAR_WIDTH * share), style=_COLORS[index % len(_COLORS)])
        table.add_row(Text(version), f"{100 * share:5.1f} %", bar)
    style = "bold red" if progress.failed_count else ""
    failures = ", ".join(_failures(progress.counts)) or "none"
    table.add_row(Text("failed", style=style), Text(str(progress.failed_count), style=style))
    if progress.failed_count:
        table.add_row("", "", Text(failures, style=style))
    if progress.latency is not None:
        table.add_row("latency", "", _latency_text(progress.latency))
    return table


def report_text(report: Report, expected: Mapping[str, float]) -> str:
    """Return a report for people; `expected` holds the share to test for some versions."""
    seconds = report.elapsed_ms / 1000
    lines = [
        f"{report.planned_count} requests in {seconds:.1f} s, {report.rate_per_s:.0f} answers/s"
        + (" (interrupted)" if report.interrupted else "")
    ]
    names = [v.version for v in report.versions]
    width = max([len(name) for name in [*names, *expected]], default=0)
    for version in [*names, *(name for name in expected if name not in names)]:
        count, total = report.answered_by(version), report.answered_count
        line = f"  {version:<{width}}  {count:>9}  {100 * report.share(version):6.2f} %"
        if version in expected:
            z = z_score(count, total, expected[version])
            line += f"  expected {100 * expected[version]:g} %, z = {z:+.2f}"
        latency = next((v.latency for v in report.versions if v.version == version), None)
        lines.append(line + ("" if latency is None else f"  {_latency_text(latency)}"))
    lines += _failure_lines(report)
    if len(report.populations) > 1:
        lines += [
            f"  {p.kind.value}: {sum(p.counts.values())} requests over {p.connections_count} "
            f"connections, {p.failed_count} failed"
            for p in report.populations
        ]
    retries_count = sum(p.idle_race_retries_count for p in report.populations)
    if retries_count:
        lines.append(f"  asked again after an idle race: {retries_count}")
    if not report.valid:
        lines.append("INVALID: this client was the limit, not the server")
    return "\n".join(lines)


def _failure_lines(report: Report) -> list[str]:
    lines = [f"  failed: {report.failed_count}"]
    for outcome in Outcome:
        count = report.count(outcome)
        if count and outcome is not Outcome.ANSWERED:
            example = report.examples.get(outcome.value, "")
            if outcome is Outcome.HTTP_ERROR:
                example = ", ".join(f"{status}: {n}" for status, n in report.statuses.items())
            lines.append(f"    {outcome.value} {count}" + (f" ({example})" if example else ""))
    return lines


def _failures(counts: Mapping[str, int]) -> list[str]:
    passed = {Outcome.ANSWERED.value, Outcome.ABANDONED.value}
    return [f"{name} {count}" for name, count in counts.items() if count and name not in passed]


def _latency_text(latency: Latency) -> str:
    return (
        f"p50 {latency.p50_ms:.1f}  p90 {latency.p90_ms:.1f}  p99 {latency.p99_ms:.1f}  "
        f"max {latency.max_ms:.1f} ms"
    )
