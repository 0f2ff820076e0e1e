"""Measure the operator: `python -m benchmarks.operator --rows canary,adopt --runs 20`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from benchmarks.operator import bench, herd, outages, page, releases, shop
from benchmarks.operator.figures import (
    FIGURES,
    ROWS,
    Measured,
    Samples,
    line,
)
from serinus.errors import RefusedError
from tests.control_plane import kube_proxy, namespace
from tests.control_plane.build import find_or_build

MANY_COUNT = 10_000
QUICK = ("canary", "writes", "promote-50", "abort-25", "hold", "restart")
PLAYS = {
    "canary": releases.canary,
    "adopt": releases.adopt,
    "rolling": releases.rolling,
    "writes": releases.writes,
    "promote-25": releases.promote_25,
    "promote-50": releases.promote_50,
    "abort-25": releases.abort_25,
    "abort-50": releases.abort_50,
    "abort-75": releases.abort_75,
    "hold": releases.hold,
    "restart": outages.restart,
    "standby": outages.standby,
    "dead": outages.dead,
}
HERDS: dict[str, Callable[[bench.Bench, Samples], Awaitable[None]]] = {
    "idle": herd.idle,
    "hundred": herd.hundred,
    "thousand": herd.thousand,
    "many": partial(herd.many, count=MANY_COUNT),
}


async def measure(kind: str, rows: Sequence[str], run_count: int, *, recorded: bool) -> None:
    """Measure rows one after another and print each as soon as it is known."""
    for row in rows:
        found: Samples = defaultdict(list)
        slowed = row in ("hundred", "thousand")
        async with bench.running(kind, with_node=row in PLAYS, is_slowed=slowed) as opened:
            if row in HERDS:
                await HERDS[row](opened, found)
            else:
                async with shop.opened(opened) as stage:
                    await PLAYS[row](stage, run_count, found)
        measured = {name: Measured.of(found[name]) for name in FIGURES if name in found}
        for name, one in measured.items():
            print(line(FIGURES[name], one, kind), flush=True)
        if recorded:
            page.record(kind, measured)


def _rows(text: str) -> list[str]:
    groups = {"all": ROWS, "quick": QUICK}
    chosen = list(groups.get(text, ())) or text.split(",")
    if unknown := set(chosen) - set(ROWS):
        words = f"no row {', '.join(sorted(unknown))}; there are: all, quick, {', '.join(ROWS)}"
        raise argparse.ArgumentTypeError(words)
    return chosen


def main() -> int:
    """Read the options, go into a network namespace where real pods need one, measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__)
    parser.add_argument("--cluster", choices=["local", "kubernetes"], default="local")
    parser.add_argument("--rows", type=_rows, default=list(QUICK), metavar="ROW,...|quick|all")
    parser.add_argument("--runs", type=int, default=20, help="of each row about one release")
    parser.add_argument(
        "--record", action="store_true", help="keep the figures for the page of the docs"
    )
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        try:
            if given.cluster == "kubernetes":
                _prepare(with_pods=bool(set(given.rows) & PLAYS.keys()))
            asyncio.run(measure(given.cluster, given.rows, given.runs, recorded=given.record))
        except RefusedError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _prepare(*, with_pods: bool) -> None:
    """Build what is missing, and become this program inside a namespace where pods can live."""
    binaries = find_or_build(os.environ)
    if not with_pods:
        return
    if not namespace.is_inside():
        command = namespace.enter([sys.executable, "-m", "benchmarks.operator", *sys.argv[1:]])
        os.execvp(command[0], command)
    if reason := kube_proxy.missing(binaries):
        sys.stderr.write(f"NO KUBE-PROXY: {reason}; our own node plays the Services\n")


if __name__ == "__main__":
    sys.exit(main())
