"""When two moments of a simulation are alike: the same can follow from both.

Names of pods, uids, versions and ages are left out, and instants count from now. What is kept of a
pod is its ReplicaSet, whether it is ready, leaving, and listed. So faults that were overcome lead
back to a moment that is known, and all that follows from it need not be played again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from serinus.clock import Instant
from serinus.controller.observe import DESIRED_ANNOTATION, controller_uid
from serinus.controller.over_model.port import READ_KINDS
from serinus.kubernetes_model.kinds import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from serinus.release.holding import label_of, paused_by_us
from serinus.release.model import Command, Status
from serinus.release.render import REVISION_ANNOTATION
from serinus.release.revision import RESTARTED_AT
from serinus.release.stages.landing import ADOPTION_TOLERANCE_MS
from serinus.simulation.manifests import image_of
from serinus.simulation.simulation import Simulation
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import is_ready


def key(sim: Simulation) -> int:
    """Return a number that is equal for moments that are alike."""
    world, driver = sim.world, sim.driver
    last = driver.last
    waiting = None if last is None else last.decision.status.waiting
    seen = {kind: world.list(kind) for kind in READ_KINDS}
    return hash(
        (
            _status(world.status, driver.now, world.example.spec.settle_ms),
            _command(world.stored.release.command, world.status),
            _known(seen[DEPLOYMENTS], world.status),
            _objects(seen, sim),
            _pending(sim),
            tuple(
                max(0, until_ms - world.now)
                for until_ms in (
                    world.asleep_until_ms,
                    world.slow_until_ms,
                    world.lingering_until_ms,
                )
            ),
            tuple(
                (i, t - world.now) for i, t in sorted(world.down_until_ms.items()) if t > world.now
            ),
            world.wished_count,
            world.hold_by,
            world.paused_by_person,
            world.is_forgotten,
            world.stored.release.leaving,
            None if sim.comes_again is None else image_of(sim.comes_again),
            driver.queue,
            driver.skew_ms,
            driver.is_due(),
            _behind(sim),
            last is not None and last.at_rest,
            None if waiting is None else waiting.reason,
            last is None or last.decision.wake_at is None,
            sim.answer_count,
            sim.watch.key,
        )
    )


def _status(status: Status, now: Instant, settle_ms: int) -> tuple[Any, ...]:
    def left(instant: Instant | None) -> int | None:
        return None if instant is None else max(0, instant - now)

    def gone(instant: Instant | None, most: int) -> int | None:
        return None if instant is None else min(most, now - instant)

    shown, progress, landing = status.shown, status.progress, status.landing_since_ms
    return (
        status.phase,
        status.revision,
        bool(status.target_uid),
        status.step_index,
        status.weight_bp,
        status.weight_asked_bp,
        status.stable_hash,
        status.canary_hash,
        status.promotion,
        status.held_by_person,
        left(status.pause_until_ms),
        left(status.undo_until_ms),
        None if shown is None else (shown.route, gone(shown.since_ms, settle_ms)),
        progress and (progress.available_count, progress.wanted_count, left(progress.deadline_ms)),
        status.full_replica_count,
        status.stable_replica_count,
        status.stable_previous_count,
        status.started_ms is None,
        gone(landing, ADOPTION_TOLERANCE_MS),
        status.waiting and (status.waiting.reason, status.waiting.message),
    )


def _command(command: Command | None, status: Status) -> tuple[Any, ...] | None:
    """Return what of a command is still to come."""
    last = status.last_command
    if command is None or (last is not None and last.id == command.id):
        return None
    return command.verb, command.revision, command.weight_bp


def _known(deployments: Sequence[Manifest], status: Status) -> tuple[tuple[Any, ...], ...]:
    """Return what the status knows of each Deployment: is it the same, older or newer."""
    return tuple(
        (
            d["metadata"]["uid"] == status.target_uid,
            (d["metadata"]["generation"] > status.generation)
            - (d["metadata"]["generation"] < status.generation),
        )
        for d in deployments
    )


def _pending(sim: Simulation) -> tuple[tuple[str, str], ...]:
    keys = sim.world.controllers.pending
    return tuple(sorted((k.controller, "" if k.controller == "garbage" else k.name) for k in keys))


def _behind(sim: Simulation) -> tuple[Any, ...]:
    """Return what lagging watches show, and whether a write from it would be refused."""
    cache, world = sim.driver.cache, sim.world
    seen = cache.objects()
    found: list[Any] = []
    for kind in READ_KINDS:
        behind = cache.behind.get(kind.plural)
        if behind is not None:
            now = {_version(o) for o in world.list(kind)}
            fresh = tuple(_version(o) in now for o in seen[kind])
            found.append((kind.plural, behind.until_ms - world.now, fresh))
    record = cache.record()
    if record is not world.stored:
        settle_ms = world.example.spec.settle_ms
        status = None if record is None else record.release.status
        found.append(status and _status(status, sim.driver.now, settle_ms))
        found.append(record is not None and record.release.leaving)
    if found:
        found.append(_objects(seen, sim))
        found.append(_known(seen[DEPLOYMENTS], world.status))
    return tuple(found)


def _version(found: Manifest) -> tuple[str, str]:
    return found["metadata"]["name"], found["metadata"]["resourceVersion"]


def _objects(seen: Mapping[Resource, Sequence[Manifest]], sim: Simulation) -> tuple[Any, ...]:
    sets = {rs["metadata"]["uid"]: rs["metadata"]["name"] for rs in seen[REPLICA_SETS]}
    deployments = {d["metadata"]["uid"]: d["metadata"]["name"] for d in seen[DEPLOYMENTS]}
    pods = {pod["metadata"]["uid"]: _pod(pod, sets, sim) for pod in seen[PODS]}
    return (
        tuple(_deployment(d, deployments) for d in seen[DEPLOYMENTS]),
        tuple(_replica_set(rs, deployments) for rs in seen[REPLICA_SETS]),
        tuple(sorted(pods.values(), key=repr)),
        tuple(tuple(sorted(s["spec"]["selector"].items())) for s in seen[SERVICES]),
        tuple(sorted(_endpoints(seen[ENDPOINT_SLICES], pods), key=repr)),
    )


def _deployment(found: Manifest, deployments: dict[str, str]) -> tuple[Any, ...]:
    meta, spec, status = found["metadata"], found["spec"], found["status"]
    return (
        meta["name"],
        *_life(found),
        spec["replicas"],
        spec.get("paused", False),
        label_of(found),
        paused_by_us(found),
        _template(found),
        tuple(deployments.get(owner["uid"]) for owner in meta.get("ownerReferences") or ()),
        status.get("observedGeneration", 0) == meta["generation"],
        *(status.get(k, 0) for k in ("replicas", "updatedReplicas", "availableReplicas")),
    )


def _replica_set(found: Manifest, deployments: dict[str, str]) -> tuple[Any, ...]:
    meta, status = found["metadata"], found["status"]
    annotations = meta.get("annotations") or {}
    return (
        meta["name"],
        *_life(found),
        found["spec"]["replicas"],
        _template(found),
        deployments.get(controller_uid(found), controller_uid(found) and "gone"),
        annotations.get(DESIRED_ANNOTATION),
        annotations.get(REVISION_ANNOTATION),
        status.get("availableReplicas", 0),
    )


def _pod(pod: Manifest, sets: dict[str, str], sim: Simulation) -> tuple[Any, ...]:
    return (
        sets.get(controller_uid(pod), "gone"),
        _life(pod)[0],
        is_ready(pod),
        bool(pod["spec"].get("nodeName")),
        sim.watch.listed_since(pod["metadata"]["uid"]),
    )


def _endpoints(
    slices: Iterable[Manifest], pods: dict[str, tuple[Any, ...]]
) -> Iterable[tuple[Any, ...]]:
    for found in slices:
        for endpoint in found.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready")
            yield ready, pods.get(endpoint["targetRef"]["uid"], ())


def _life(found: Manifest) -> tuple[bool, tuple[str, ...]]:
    meta = found["metadata"]
    return "deletionTimestamp" in meta, tuple(meta.get("finalizers") or ())


def _template(found: Manifest) -> tuple[str, bool]:
    annotations = found["spec"]["template"]["metadata"].get("annotations") or {}
    return image_of(found), RESTARTED_AT in annotations
