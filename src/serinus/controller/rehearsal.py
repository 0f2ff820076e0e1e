"""Rehearse a release on the model of Kubernetes: every write it would make, in virtual time.

The rounds are the production ones; the cluster is a copy of the real objects in memory, where pods
become ready at once and a pause for a person is resumed at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from serinus import kubernetes_model as model
from serinus.api.codec import Release
from serinus.clock import Instant
from serinus.controller.over_model import pods, port, routers
from serinus.controller.ports import Snapshot, Stored
from serinus.controller.reconcile import Round, reconcile
from serinus.errors import ClusterError, RefusedError
from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import PODS
from serinus.release.decision import Reason
from serinus.release.model import Command, CommandVerb, Spec
from serinus.traffic.plan import Manifest
from serinus.traffic.write import Write

ROUND_COUNT_MAX = 2_000


class Planned(msgspec.Struct, frozen=True):
    """One write of a rehearsal and when it came, counted from the beginning."""

    after_ms: int
    write: Write


class Rehearsal:
    """A copy of one namespace, its controllers, and a clock that jumps."""

    def __init__(self, release: Release, objects: Sequence[Manifest], now: Instant) -> None:
        numbers = itertools.count(1)
        self._model = model.Cluster(new_id=lambda: f"rehearsal-{next(numbers)}")
        version = max((_version(o) for o in objects), default=1)
        nodes = {str(o["spec"].get("nodeName") or pods.NODE) for o in objects if o["kind"] == "Pod"}
        surroundings = [_namespace(release.namespace), *map(_node, sorted({*nodes, pods.NODE}))]
        self._model.restore([*surroundings, *map(dict, objects)], version)
        if release.spec.routed_by.capabilities.stands_in_front:
            routers.define(self._model, now)
        self._controllers = Controllers(self._model, events=False)
        self._namespace = release.namespace
        self._began_ms = now
        self._now = now
        self._stored = Stored(release, "1")
        self._command_count = 0
        self.writes: list[Planned] = []

    async def load(self, _: str) -> Stored | None:
        """Return the record of the release."""
        return self._stored

    async def save(self, stored: Stored) -> Stored:
        """Keep the record."""
        self._stored = stored
        return stored

    async def forget(self, _: str) -> None:
        """Do nothing: what is rehearsed is a release that stays."""

    async def read(self, spec: Spec) -> Snapshot:
        """Return the copied namespace as it is by now."""
        return port.read(self._model, self._namespace, spec)

    async def current(self, spec: Spec) -> Snapshot:
        """Return the copied namespace: there is no cache before it."""
        return await self.read(spec)

    async def send(self, write: Write) -> None:
        """Make a write on the copy, and note it."""
        port.send(self._model, write, self._now)
        # One whose precondition failed is no part of the plan: it is decided anew.
        self.writes.append(Planned(self._now - self._began_ms, write))

    async def play(self) -> Round:
        """Go on until the release is at rest; return the last round.

        Raises:
            RefusedError: it does not come to rest.
        """
        for _ in range(ROUND_COUNT_MAX):
            done = await self.step()
            if done is None:
                continue
            if done.at_rest:
                return done
            waiting = done.decision.status.waiting
            if waiting is not None and waiting.reason == Reason.WAITING_FOR_PERSON.value:
                self._resume(done)
        raise RefusedError(
            "NoEnd", "the rehearsal does not come to rest: the release would not either"
        )

    async def step(self) -> Round | None:
        """Let the cluster act and play one round; None when a precondition failed.

        Time jumps to the next deadline when there is nothing else to do.
        """
        self._let_the_cluster_act()
        try:
            done = await reconcile(self, self._stored.release.name, self._now)
        except ClusterError:
            # As on a real cluster: the next round reads again.
            return None
        wake_at = done.decision.wake_at
        if wake_at is not None and not done.sent:
            self._now = max(self._now, wake_at)
        return done

    def _resume(self, done: Round) -> None:
        self._command_count += 1
        target = done.observation.target
        command = Command(
            id=f"rehearsal-{self._command_count}",
            verb=CommandVerb.RESUME,
            revision="" if target is None else target.template,
        )
        release = msgspec.structs.replace(self._stored.release, command=command)
        self._stored = Stored(release, self._stored.version)

    def _let_the_cluster_act(self) -> None:
        """Run the controllers and the pods until neither has anything to do now."""
        for _ in range(ROUND_COUNT_MAX):
            self._controllers.run(self._now)
            moved_count = sum(
                pods.advance(self._model, pod, self._now)
                for pod in self._model.list(PODS, self._namespace).items
            )
            moved_count += routers.answer(self._model, self._namespace, self._now)
            if moved_count == 0:
                return


def copies(snapshot: Snapshot) -> Iterator[Manifest]:
    """Yield the objects of a real namespace that a rehearsal needs, as the model keeps them."""
    groups: tuple[tuple[str, str, Sequence[Manifest]], ...] = (
        ("apps/v1", "Deployment", snapshot.deployments),
        ("apps/v1", "ReplicaSet", snapshot.replica_sets),
        ("v1", "Pod", snapshot.pods),
        ("v1", "Service", snapshot.services),
        ("discovery.k8s.io/v1", "EndpointSlice", snapshot.slices),
    )
    for api_version, kind, objects in groups:
        for found in objects:
            copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
            yield {**copied, "apiVersion": api_version, "kind": kind}


def _namespace(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "uid": "namespace", "resourceVersion": "1"},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _node(name: str) -> dict[str, Any]:
    """Return the Node of a pod: endpoints of pods without one are left out."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"node-{name}", "resourceVersion": "1"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def _version(found: Manifest) -> int:
    version = str(found["metadata"].get("resourceVersion", "1"))
    return int(version) if version.isdecimal() else 1
