"""The answers of `list` and `history`: what is known of releases, in rows and as data."""

from __future__ import annotations

from collections.abc import Sequence

from serinus.api import codec
from serinus.api.text import format_weight
from serinus.api.v1alpha1 import API_VERSION
from serinus.cli import output
from serinus.cli.look.tree import ago
from serinus.cli.output import Answer
from serinus.clock import Instant
from serinus.kube import timestamps
from serinus.release.model import Phase


def listed(
    releases: Sequence[codec.Release], now: Instant, *, with_namespace: bool = False
) -> Answer:
    """Return one row for each release."""
    rows = [
        [
            *([r.namespace] if with_namespace else []),
            r.name,
            r.status.phase.value,
            _step(r),
            f"{format_weight(r.status.weight_bp)} %",
            ago(r.status.started_ms, now) or "-",
        ]
        for r in releases
    ]
    header = ["NAME", "PHASE", "STEP", "WEIGHT", "RUNNING"]
    return Answer(
        body={
            "apiVersion": API_VERSION,
            "kind": "CanaryReleaseList",
            "items": [codec.encode(r) for r in releases],
        },
        text=output.table(["NAMESPACE", *header] if with_namespace else header, rows),
        name="\n".join(f"canaryrelease/{r.name}" for r in releases),
    )


def _step(release: codec.Release) -> str:
    count = len(release.spec.steps)
    if release.status.phase in (Phase.HEALTHY, Phase.ABORTED):
        return f"-/{count}"
    return f"{min(release.status.step_index + 1, count)}/{count}"


def ended(release: codec.Release) -> Answer:
    """Return one row for each release that ended."""
    rows = [
        [
            e.revision[:10],
            e.outcome,
            timestamps.format_seconds(e.started_ms),
            ago(e.started_ms, e.ended_ms) or "0s",
            e.message,
        ]
        for e in release.status.history
    ]
    return Answer(
        body={
            "apiVersion": API_VERSION,
            "kind": "ReleaseHistory",
            "metadata": {"name": release.name, "namespace": release.namespace},
            "items": codec.encode_status(release.status).get("history", []),
        },
        text=output.table(["REVISION", "OUTCOME", "STARTED", "TOOK", "MESSAGE"], rows),
        name=f"canaryrelease/{release.name}",
    )
