"""The picture of a hand-made pair, as data and as a tree."""

from __future__ import annotations

from typing import Any

from serinus.api.text import format_weight, percent_of
from serinus.api.v1alpha1 import API_VERSION
from serinus.cli.look.tree import Branch
from serinus.controller.pair import Pair
from serinus.release.pair.model import PairObservation
from serinus.traffic.replica_ratio import narrowed_to


def _share_bp(obs: PairObservation) -> int:
    canary = 0 if obs.canary_set is None else obs.canary_set.ready_count
    stable = 0 if obs.stable_set is None else obs.stable_set.ready_count
    return 0 if canary + stable == 0 else 10_000 * canary // (canary + stable)


def body(namespace: str, pair: Pair, obs: PairObservation) -> dict[str, Any]:
    """Return the pair as data."""

    def side(name: str, wanted: int, ready: int) -> dict[str, Any]:
        return {"name": name, "replicas": wanted, "readyReplicas": ready}

    found: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "PairStatus",
        "metadata": {"name": pair.stable, "namespace": namespace},
        "service": pair.service,
        "weight": percent_of(_share_bp(obs)),
        "stable": side(
            pair.stable,
            obs.stable.replica_count,
            0 if obs.stable_set is None else obs.stable_set.ready_count,
        ),
    }
    if obs.canary is not None:
        ready = 0 if obs.canary_set is None else obs.canary_set.ready_count
        found["canary"] = side(pair.canary, obs.canary.replica_count, ready)
    return found


def picture(pair: Pair, obs: PairObservation) -> Branch:
    """Return the tree of a pair."""
    root = Branch(f"{pair.stable}  " + ("pair" if obs.canary is not None else "no canary"))
    share = format_weight(_share_bp(obs))
    narrowed = None if obs.live.service is None else narrowed_to(obs.live.service)
    traffic = f"Service {pair.service}: canary {share} % of ready pods"
    if narrowed is not None:
        traffic = (
            f"Service {pair.service} is narrowed to {narrowed} by an unfinished verb: give it again"
        )
    root.children = [Branch(traffic)]
    for role, target, rs in (
        ("stable", obs.stable, obs.stable_set),
        ("canary", obs.canary, obs.canary_set),
    ):
        if target is not None:
            ready = 0 if rs is None else rs.ready_count
            images = _images(obs, role)
            root.children.append(
                Branch(f"{role} {target.name}  {ready}/{target.replica_count} ready  {images}")
            )
    return root


def _images(obs: PairObservation, role: str) -> str:
    found = obs.stable_object if role == "stable" else obs.canary_object
    if found is None:
        return ""
    return ", ".join(c["image"] for c in found["spec"]["template"]["spec"]["containers"])
