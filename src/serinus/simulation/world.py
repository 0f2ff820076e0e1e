"""One namespace on the model of Kubernetes: its objects, controllers and pods, and virtual time.

Nothing moves by itself. `rest` lets all happen that can; `moves` names each thing that could happen
next, for those who choose the order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from serinus import errors
from serinus import kubernetes_model as model
from serinus.api.codec import Release
from serinus.clock import Instant
from serinus.controller.over_model import admission, pods
from serinus.controller.ports import Stored
from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import (
    DEPLOYMENTS,
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
)
from serinus.release.holding import label_of, paused_by_us
from serinus.release.model import Command, CommandVerb, Status
from serinus.release.observation import HoldBy
from serinus.release.revision import fingerprint
from serinus.simulation.example import NAME, NAMESPACE, NEW, OLD, Example
from serinus.simulation.manifests import a_deployment, a_service, a_template, image_of
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import is_ready

START_MS: Instant = 1_700_000_000_000
STEP_COUNT_MAX = 3_000
_USER = model.WriteOptions(field_manager="kubectl-client-side-apply")


class World:
    """The cluster of one schedule, with the record of its release."""

    def __init__(self, example: Example) -> None:
        self.example = example
        self.now = START_MS
        self._id_count = 0
        self.hold_by = example.hold_by
        """Whether the admission policy is in force."""
        self.cluster = model.Cluster(new_id=self._new_id, admit=self._admitted)
        self.controllers = Controllers(self.cluster, events=False)
        self.stored = Stored(Release(NAME, NAMESPACE, example.spec), "1")
        self.is_forgotten = False
        """Whether the record is gone."""
        self.change_count = 0
        """How often anything changed, the record included."""
        self.change_counts: dict[str, int] = {}
        """The count at the last change, by the plural of the kind."""
        self.asleep_until_ms: Instant = 0
        """Until when the controllers do not run."""
        self.slow_until_ms: Instant = 0
        """Until when pods neither become ready nor end."""
        self.lingering_until_ms: Instant = 0
        """Until when pods that were told to stop do not end."""
        self.down_until_ms: dict[str, Instant] = {}
        """Image -> until when none of its pods is ready."""
        self.command_count = 0
        self.wished_count: int | None = example.replica_count
        """N as its owner wants it; None where two people could disagree about that."""
        self.paused_by_person = False
        """Whether the pause of the Deployment is one of its owner's, which is not ours to lift."""
        self.listeners: list[Callable[[model.Change], None]] = []
        self.cluster.on_change.append(self._changed)
        for kind, name in ((NODES, pods.NODE), (NAMESPACES, NAMESPACE)):
            self.cluster.create(kind, {"metadata": {"name": name}}, now=self.now)
        self.create(DEPLOYMENTS, a_deployment(example, OLD))
        self.create(SERVICES, a_service())
        self.before = {kind.kind: self.find(kind) for kind in (DEPLOYMENTS, SERVICES)}
        """The user's objects as they were before anything of ours was there."""

    def copy(self) -> World:
        """Return a world in the same state that goes its own way; nobody listens to it."""
        other = copy.copy(self)
        other.part()
        return other

    def part(self) -> None:
        """Share no longer what changes with the world that this is a copy of."""
        self.cluster = self.cluster.copy(new_id=self._new_id, admit=self._admitted)
        self.controllers = Controllers(self.cluster, events=False, like=self.controllers)
        self.change_counts = dict(self.change_counts)
        self.down_until_ms = dict(self.down_until_ms)
        self.listeners = []
        self.cluster.on_change.append(self._changed)

    def _new_id(self) -> str:
        self._id_count += 1
        return f"uid-{self._id_count:06}"

    def _admitted(self, manager: str, old: Manifest, new: dict[str, Any]) -> dict[str, Any]:
        is_in_force = self.hold_by is HoldBy.POLICY
        return admission.admitted(manager, old, new) if is_in_force else new

    def _changed(self, change: model.Change) -> None:
        self.note_change(change.resource.plural)
        for listener in self.listeners:
            listener(change)

    def note_change(self, plural: str) -> None:
        """Count a change of one kind."""
        self.change_count += 1
        self.change_counts[plural] = self.change_count

    # The cluster's own motion.

    def rest(self) -> None:
        """Let the cluster do all that it does by itself now."""
        for _ in range(STEP_COUNT_MAX):
            if self.now >= self.asleep_until_ms:
                self.controllers.run(self.now)
            if not self._pods_advance():
                return
        raise errors.RefusedError("NoRest", "the cluster does not come to rest")

    def _pods_advance(self) -> bool:
        moved = [self._advance(pod) for pod in self.list(PODS) if self.now >= self.slow_until_ms]
        return any(moved)

    def _advance(self, pod: Manifest) -> bool:
        is_leaving = "deletionTimestamp" in pod["metadata"]
        if is_leaving and self.now < self.lingering_until_ms:
            return False
        if is_leaving or not self.is_broken(pod):
            return pods.advance(self.cluster, pod, self.now)
        if pod["spec"].get("nodeName"):
            return False
        pods.bind(self.cluster, pod, self.now)
        pods.report(self.cluster, pod, self.now, ready=False)
        return True

    def is_broken(self, pod: Manifest) -> bool:
        """Tell whether a pod is not ready and does not become so now."""
        image = image_of(pod)
        is_bad = self.example.broken and image == NEW
        return is_bad or self.down_until_ms.get(image, 0) > self.now

    def break_down(self, image: str, until_ms: Instant) -> None:
        """Let no pod of an image be ready until then."""
        self.down_until_ms[image] = until_ms
        for pod in self.list(PODS):
            if image_of(pod) == image and is_ready(pod):
                pods.report(self.cluster, pod, self.now, ready=False)

    def moves(self) -> list[Callable[[], object]]:
        """Return each single thing that could happen next without us."""
        found: list[Callable[[], object]] = []
        if self.now >= self.asleep_until_ms:
            found.extend(
                lambda key=key: self.controllers.step(self.now, key)  # type: ignore[misc]
                for key in self.controllers.pending
            )
        if self.now >= self.slow_until_ms:
            found.extend(
                lambda pod=pod: self._advance(pod)  # type: ignore[misc]  # bound now
                for pod in self.list(PODS)
                if self._can_advance(pod)
            )
        return found

    def _can_advance(self, pod: Manifest) -> bool:
        if "deletionTimestamp" in pod["metadata"]:
            return self.now >= self.lingering_until_ms
        return not is_ready(pod) and not (self.is_broken(pod) and bool(pod["spec"].get("nodeName")))

    def next_due(self) -> Instant | None:
        """Return when time alone brings the cluster more to do."""
        ends = (
            self.asleep_until_ms,
            self.slow_until_ms,
            self.lingering_until_ms,
            *self.down_until_ms.values(),
        )
        due = [until for until in ends if until > self.now]
        wake_at = self.controllers.run(self.now, max_steps=0)
        # A Deployment that was complete, is not any more and missed its deadline is looked at again
        # and again, as fast as the queue goes; nothing comes of it.
        is_idle = wake_at == self.now + 1 and not self.controllers.pending
        if wake_at is not None and not is_idle:
            due.append(max(wake_at, self.asleep_until_ms))
        return min(due, default=None)

    # What is there.

    @property
    def status(self) -> Status:
        """Return the status in the record."""
        return self.stored.release.status

    def list(self, kind: model.Resource) -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        return self.cluster.list(kind, NAMESPACE).items

    def find(self, kind: model.Resource, name: str = NAME) -> dict[str, Any] | None:
        """Return one object, or None."""
        try:
            return self.cluster.get(kind, name, NAMESPACE)
        except errors.NotFound:
            return None

    def canaries(self) -> Iterator[Manifest]:
        """Yield the Deployments beside the user's own that are marked as ours."""
        for found in self.list(DEPLOYMENTS):
            if (found["metadata"].get("labels") or {}).get("serinus.dev/role") == "canary":
                yield found

    # What people do.

    def create(self, kind: model.Resource, body: dict[str, Any]) -> None:
        """Create an object."""
        self.cluster.create(kind, body, NAMESPACE, now=self.now, options=_USER)

    def change(self, kind: model.Resource, name: str, **spec: Any) -> None:
        """Change fields of a spec, as a merge patch does."""
        if "template" in spec:
            # From here on the pause is the hold of the changed template; but what a release that
            # has let go of the Deployment left paused is its owner's to resume.
            self.paused_by_person = self._is_let_go_paused()
        self._merge(kind, name, {"spec": spec})

    def _is_let_go_paused(self) -> bool:
        found = self.find(DEPLOYMENTS)
        return (
            self.stored.release.leaving
            and found is not None
            and bool(found["spec"].get("paused"))
            and not label_of(found)
            and not paused_by_us(found)
        )

    def label(self, kind: model.Resource, name: str, label: str, value: str | None) -> None:
        """Set a label, or take it off."""
        self._merge(kind, name, {"metadata": {"labels": {label: value}}})

    def _merge(self, kind: model.Resource, name: str, patch: dict[str, Any]) -> None:
        self.cluster.patch(
            kind,
            name,
            patch,
            NAMESPACE,
            patch_type=model.PatchType.MERGE,
            now=self.now,
            options=_USER,
        )

    def delete(
        self, kind: model.Resource, name: str, propagation: model.Propagation | None = None
    ) -> None:
        """Delete an object."""
        options = model.DeleteOptions(propagation=propagation)
        self.cluster.delete(kind, name, NAMESPACE, now=self.now, options=options)

    def set_image(self, image: str) -> None:
        """Give the Deployment another template, as `kubectl set image` does."""
        self.change(DEPLOYMENTS, NAME, template=a_template(image))

    def image(self) -> str | None:
        """Return the image of the Deployment's template."""
        found = self.find(DEPLOYMENTS)
        return None if found is None else image_of(found)

    def give(self, verb: CommandVerb, weight_bp: int | None = None, *, full: bool = False) -> None:
        """Write a command into the record, as another terminal does."""
        target = self.find(DEPLOYMENTS)
        self.command_count += 1
        command = Command(
            id=f"command-{self.command_count}",
            verb=verb,
            revision="" if target is None else fingerprint(target["spec"]["template"]),
            weight_bp=weight_bp,
            full=full,
        )
        self.store(msgspec.structs.replace(self.stored.release, command=command))

    def switch_hold(self, hold_by: HoldBy) -> None:
        """Install the admission policy, or take it away."""
        self.hold_by = hold_by
        self.note_change("policies")

    def delete_release(self) -> None:
        """Delete the release; its finalizer keeps the record until it is forgotten."""
        self.store(msgspec.structs.replace(self.stored.release, deleted_ms=self.now))

    def forget(self) -> None:
        """Take the finalizer off the record: it is gone."""
        self.note_change("records")
        self.is_forgotten = True

    def store(self, release: Release) -> Stored:
        """Write the record."""
        self.note_change("records")
        self.stored = Stored(release, str(self.change_count))
        return self.stored
