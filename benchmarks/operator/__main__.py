"""Measure the operator: `python -m benchmarks.operator --rows canary,adopt --runs 20`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from benchmarks.operator import bench, herd, outages, releases, shop
from benchmarks.operator.bench import Bench
from benchmarks.operator.figures import FIGURES, Samples, line
from benchmarks.operator.shop import Shop
from serinus.errors import RefusedError
from tests.control_plane import kube_proxy, namespace
from tests.control_plane.build import find_or_build

ShopRow: TypeAlias = Callable[[Shop, int, Samples], Awaitable[None]]
HerdRow: TypeAlias = Callable[[Bench, Samples], Awaitable[None]]

SHOP_ROWS: dict[str, ShopRow] = {
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
HERD_ROWS: dict[str, HerdRow] = {
    "idle": herd.idle,
    "hundred": herd.hundred,
    "thousand": herd.thousand,
    "many": herd.many,
}
QUICK = ("canary", "writes", "promote-50", "abort-25", "hold", "restart")


async def measure(kind: str, rows: Sequence[str], run_count: int) -> None:
    """Measure rows one after another and print each as soon as it is known."""
    for row in rows:
        found: Samples = defaultdict(list)
        is_herd = row in HERD_ROWS
        async with bench.running(kind, with_node=not is_herd) as opened:
            if is_herd:
                await HERD_ROWS[row](opened, found)
            else:
                async with shop.opened(opened) as stage:
                    await SHOP_ROWS[row](stage, run_count, found)
        for name, values in found.items():
            print(line(FIGURES[name], values, kind), flush=True)


def _rows(text: str) -> list[str]:
    known = [*SHOP_ROWS, *HERD_ROWS]
    chosen = {"all": known, "quick": list(QUICK)}.get(text) or text.split(",")
    if unknown := set(chosen) - set(known):
        words = f"no row {', '.join(sorted(unknown))}; there are: all, quick, {', '.join(known)}"
        raise argparse.ArgumentTypeError(words)
    return chosen


def main() -> int:
    """Read the options, go into a network namespace where real pods need one, measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operator", description=__doc__)
    parser.add_argument("--cluster", choices=["local", "kubernetes"], default="local")
    parser.add_argument("--rows", type=_rows, default=list(QUICK), metavar="ROW,...|quick|all")
    parser.add_argument("--runs", type=int, default=20, help="of each row about one release")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        try:
            if given.cluster == "kubernetes":
                _prepare(set(given.rows) & SHOP_ROWS.keys())
            asyncio.run(measure(given.cluster, given.rows, given.runs))
        except RefusedError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _prepare(rows_with_pods: set[str]) -> None:
    """Build what is missing, and become this program inside a namespace where pods can live."""
    binaries = find_or_build(os.environ)
    if not rows_with_pods:
        return
    if not namespace.is_inside():
        again = [sys.executable, "-m", "benchmarks.operator", *sys.argv[1:]]
        command = namespace.enter(again)
        os.execvp(command[0], command)
    if reason := kube_proxy.missing(binaries):
        sys.stderr.write(f"NO KUBE-PROXY: {reason}; our own node plays the Services\n")


if __name__ == "__main__":
    sys.exit(main())
