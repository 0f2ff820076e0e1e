"""The figures that were recorded, and the page of the docs that shows them.

`python -m benchmarks.operator.page` writes the page from `measured.json`, which
`python -m benchmarks.operator --record` brings up to date, row by row.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.operator.figures import FIGURES, Measured, aim, row_of, value

RECORD = Path(__file__).with_name("measured.json")
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "operator-figures.md"
CLUSTERS = ("local", "kubernetes")
HEAD = """\
# What the operator takes

<!-- Written by `python -m benchmarks.operator.page` from benchmarks/operator/measured.json. -->

Median / 95 of 100 of several runs, on a machine with two cores that also plays the cluster, the
pods and the load. What a row does is said in
[benchmarks/README.md](../../benchmarks/README.md#the-operator);
`python -m benchmarks.operator --cluster CLUSTER --rows ROW` measures it again. `local` is the local
cluster, `kubernetes` real etcd, kube-apiserver, kube-controller-manager and kube-proxy.

The peers are Argo Rollouts 9f8d111d, Flagger 15bd6ad5 at its shortest interval of 10 s and Kruise
Rollouts 9dd6279d with their default settings, medians of our own runs on a like bench (Kubernetes
1.35.4, three pods that are ready a second after their start).

| Figure | Aim | local | kubernetes | Peers | `--rows` |
|---|---|---|---|---|---|
"""

Record = dict[str, dict[str, Measured]]


def read() -> Record:
    """Return what was recorded: cluster, figure, value."""
    return msgspec.json.decode(RECORD.read_bytes(), type=Record) if RECORD.exists() else {}


def record(cluster: str, measured: Mapping[str, Measured]) -> None:
    """Put figures in the place of those that were recorded before."""
    known = read()
    known.setdefault(cluster, {}).update(measured)
    ordered = {
        place: {name: figures[name] for name in FIGURES if name in figures}
        for place, figures in sorted(known.items())
    }
    RECORD.write_bytes(msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n")


def render() -> str:
    """Return the page."""
    known = read()
    rows = []
    for name, figure in FIGURES.items():
        found = [known.get(cluster, {}).get(name) for cluster in CLUSTERS]
        values = ["" if one is None else value(figure, one) for one in found]
        cells = [
            figure.words.replace("  ", "… ", 1),
            aim(figure),
            *values,
            figure.peers,
            f"`{row_of(name)}`",
        ]
        rows.append(f"| {' | '.join(cells)} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
