"""Every figure by name: what it should be, and what was measured of other controllers.

The peers' values are medians of our own runs with their default settings on a like bench (three
pods, ready a second after their start; the real control plane of Kubernetes 1.35.4): Argo Rollouts
9f8d111d, Flagger 15bd6ad5 at its shortest interval of 10 s, Kruise Rollouts 9dd6279d.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

Samples: TypeAlias = defaultdict[str, list[float]]

ROWS = (
    "canary",
    "adopt",
    "rolling",
    "writes",
    "promote-25",
    "promote-50",
    "abort-25",
    "abort-50",
    "abort-75",
    "hold",
    "restart",
    "standby",
    "dead",
    "idle",
    "hundred",
    "thousand",
    "many",
)


class Figure(msgspec.Struct, frozen=True):
    """One line of the table; `most` bounds the median, and is empty where there is no aim."""

    words: str
    unit: str
    most: float | None = None
    peers: str = ""
    digits: int = 2


FIGURES = {
    "canary": Figure(
        "change -> canary pod exists", "s", 0.15, "Argo 0.11, Flagger 9.0, Kruise 5.3"
    ),
    "adopt-new": Figure(
        "25 %, 5 s, adoption: every new connection on it",
        "s",
        8.5,
        "Argo 8.3 (whole release), Flagger 59, Kruise 20.9",
    ),
    "adopt-healthy": Figure("  Healthy", "s", 10),
    "adopt-started": Figure("  pods started", "", 3, "Argo 3, Flagger 6, Kruise 3", 0),
    "adopt-most": Figure("  pods at once, at most", "", 6, "Argo 4, Flagger 7, Kruise 4", 0),
    "adopt-failed": Figure("  failed connections", "", 0, digits=0),
    "rolling-new": Figure("the same by rolling update: every new connection", "s", 8.5),
    "rolling-healthy": Figure("  Healthy", "s", 10),
    "rolling-most": Figure("  pods at once, at most", "", 4, "Argo 4, Flagger 7, Kruise 4", 0),
    "rolling-failed": Figure("  failed connections", "", 0, digits=0),
    "writes": Figure(
        "writes in the adopted release, no Events", "", 15, "Argo 23, Flagger 9, Kruise 145", 0
    ),
    "writes-status": Figure("  of them of the status", "", digits=0),
    "writes-reads": Figure("  reads beside the watches", "", 0, "Flagger 69", 0),
    "writes-idle": Figure("requests in 30 s of rest, no Leases", "", 0, digits=0),
    "promote-25-first": Figure(
        "promote at 25 % -> first write", "ms", 20, "Argo 18, Flagger 4,700", 0
    ),
    "promote-25-new": Figure(
        "  every new connection on it (pods start in 1 s)", "s", 2, "Argo 2.4, Flagger 44.7"
    ),
    "promote-25-failed": Figure("  failed connections", "", 0, digits=0),
    "promote-50-first": Figure("promote at 50 % -> first write", "ms", 20, digits=0),
    "promote-50-new": Figure("  every new connection on it", "s", 1),
    "promote-50-failed": Figure("  failed connections", "", 0, digits=0),
    "abort-25-first": Figure(
        "abort at 25 % -> first write", "ms", 15, "Argo 13, Flagger 4,700, Kruise 26", 0
    ),
    "abort-25-out": Figure(
        "  no endpoint of the canary", "s", 0.1, "Argo 0.056, Flagger 4.8, Kruise 3.3", 3
    ),
    "abort-50-first": Figure("abort at 50 % -> first write", "ms", 15, digits=0),
    "abort-50-out": Figure("  no endpoint of the canary", "s", 0.1, digits=3),
    "abort-75-first": Figure("abort at 75 %, Constant -> first write", "ms", 15, digits=0),
    "abort-75-out": Figure(
        "  no endpoint of the canary (a pod starts in 1 s)", "s", 1.3, "Argo 1.25"
    ),
    "hold-take": Figure(
        "taking over a running Deployment",
        "s",
        0.2,
        "Argo 1.2, Flagger 14 (every pod replaced), Kruise 0.12",
    ),
    "hold-take-replaced": Figure("  pods replaced", "", 0, "Argo all, Flagger all, Kruise 0", 0),
    "hold-leave": Figure("letting it go", "s", 0.2),
    "hold-leave-replaced": Figure("  pods replaced", "", 0, digits=0),
    "hold-failed": Figure("  failed connections, both ways", "", 0, digits=0),
    "restart": Figure(
        "killed and started again -> acts", "s", 2, "Argo 19.8, Flagger 11.5, Kruise 12.5"
    ),
    "standby": Figure("killed -> the standby acts", "s", 8, "none of them faster"),
    "dead-out": Figure("pods of a change made while it is dead", "", 0, "Kruise refuses it", 0),
    "dead-waits": Figure("  `kubectl rollout status` said success", "", 0, "Argo, Flagger 1", 0),
    "dead-on": Figure("  started again -> goes on", "s", 2),
    "idle-cpu": Figure(
        "1,000 at rest: CPU in 60 s", "s", 0.3, "Argo 0.09, Flagger 7.5, (300) Kruise 0.06"
    ),
    "idle-memory": Figure("  memory", "MB", 120, "Argo 161, Flagger 118, (300) Kruise 66", 0),
    "hundred-p50": Figure(
        "100 of 1,000 changed at once: canary pod, median",
        "s",
        1.5,
        "Argo 6.9, Flagger 82-107, (300) Kruise 45-63; rolling update 1.0",
    ),
    "hundred-p99": Figure(
        "  99 of 100",
        "s",
        3,
        "Argo 9.0, Flagger 115-121, (300) Kruise 51-76; rolling update 2.4",
    ),
    "thousand-p50": Figure("1,000 changed at once: canary pod, median", "s"),
    "thousand-p99": Figure("  99 of 100", "s"),
    "many-cpu": Figure("10,000 at rest, no pods: CPU in 60 s", "s", 3),
    "many-memory": Figure("  memory", "MB", 400, digits=0),
}


def row_of(name: str) -> str:
    """Return the row that brings a figure: what its name begins with."""
    return next(row for row in ROWS if name == row or name.startswith(f"{row}-"))


class Measured(msgspec.Struct, frozen=True):
    """The median of some runs, and the value that 95 of 100 do not exceed."""

    median: float
    high: float
    run_count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Measured:
        """Return what some values come to."""
        ordered = sorted(values)
        high = ordered[round(0.95 * (len(ordered) - 1))]
        return cls(statistics.median(ordered), high, len(ordered))


def value(figure: Figure, measured: Measured) -> str:
    """Return a figure as people read it."""
    digits = figure.digits
    shown = f"{measured.median:.{digits}f}"
    if measured.run_count > 1:
        shown += f" / {measured.high:.{digits}f}"
    return f"{shown} {figure.unit}".rstrip()


def aim(figure: Figure) -> str:
    """Return what a figure should be."""
    return "" if figure.most is None else f"<= {figure.most:g} {figure.unit}".rstrip()


def line(figure: Figure, measured: Measured, place: str) -> str:
    """Return a line for a terminal: the figure, its aim, the peers."""
    is_missed = figure.most is not None and round(measured.median, figure.digits) > figure.most
    should = aim(figure) + (" MISSED" if is_missed else "")
    words = f"{place:<11}{figure.words:<52}{value(figure, measured):>16}"
    return f"{words}  {should:<18} {figure.peers}".rstrip()
