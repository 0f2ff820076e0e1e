"""Whole releases on the model of Kubernetes in virtual time, one small step after another.

The rounds are the production ones (observe, decide, act). What is special here is who is watching:
after every single change of the cluster `users_are_served` holds the world to what users notice.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec

from serinus import errors
from serinus import kubernetes_model as model
from serinus.api.codec import Release
from serinus.api.text import parse_steps
from serinus.controller.over_model import admission, port, routers
from serinus.controller.ports import Snapshot, Stored
from serinus.controller.reconcile import Round, reconcile
from serinus.kubernetes_model.kinds import (
    DEPLOYMENTS,
    KINDS,
    PODS,
    REPLICA_SETS,
    SERVICES,
)
from serinus.release.model import Command, CommandVerb, Phase, Spec, Status, Step
from serinus.release.observation import HoldBy
from serinus.release.revision import fingerprint
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import is_ready
from serinus.traffic.write import ObjectRef, Write
from tests.unit.kubernetes_model.workloads.world import World, a_deployment, a_template, image_of

_T = TypeVar("_T")
SETTLE_MS = 2_000
ROUNDS_MAX = 1_500


def finished(work: Coroutine[Any, Any, _T]) -> _T:
    """Return what a coroutine returns that never has to wait for anything."""
    try:
        work.send(None)
    except StopIteration as done:
        result: _T = done.value
        return result
    raise AssertionError("it waits for something that is not of this world")


class ReleaseWorld(World):
    """A Deployment `shop`, a Service in front of it, and a release of it."""

    def __init__(self, *, replicas: int = 3, spec: Spec | None = None, **deployment: Any) -> None:
        super().__init__(self._admitted)
        self.broken: set[str] = set()
        """Images whose pods never become ready."""
        self.rounds: list[Round] = []
        self.sent: list[Write] = []
        self.after_each_change: Callable[[], None] = lambda: None
        self.forgotten = False
        self.hold_by = HoldBy.FIELD
        self.answering = True
        """Whether routers answer their plans."""
        self._command_count = 0
        self.stored = Stored(Release("shop", "default", spec or a_spec()), "1")
        self.apply(a_deployment(replicas=replicas, **deployment))
        self.apply(a_service())

    # The port that production code awaits.

    async def load(self, _: str) -> Stored | None:
        return self.stored

    async def save(self, stored: Stored) -> Stored:
        self.stored = stored
        return stored

    async def forget(self, _: str) -> None:
        self.forgotten = True

    async def read(self, spec: Spec) -> Snapshot:
        seen = port.read(self.cluster, "default", spec)
        return msgspec.structs.replace(seen, hold_by=self.hold_by)

    async def current(self, spec: Spec) -> Snapshot:
        return port.read(self.cluster, "default", spec)

    async def send(self, write: Write) -> None:
        self.sent.append(write)
        port.send(self.cluster, write, self.now)
        self.after_each_change()

    # What a test does to it.

    @property
    def status(self) -> Status:
        return self.stored.release.status

    def found(self, kind: str, name: str) -> Manifest | None:
        resource = next(item for item in KINDS if item.kind == kind)
        try:
            return self.get(resource, name)
        except errors.NotFound:
            return None

    def set_image(self, image: str, **annotations: str) -> None:
        """Give the Deployment another template, as `kubectl set image` does."""
        template = a_template(image)
        if annotations:
            template["metadata"]["annotations"] = annotations
        self.change(DEPLOYMENTS, "shop", template=template)

    def _admitted(self, manager: str, old: Manifest, new: dict[str, Any]) -> dict[str, Any]:
        is_in_force = self.hold_by is HoldBy.POLICY
        return admission.admitted(manager, old, new) if is_in_force else new

    def delete_release(self) -> None:
        """Delete the record, as a person does."""
        release = msgspec.structs.replace(self.stored.release, deleted_ms=self.now)
        self.stored = Stored(release, "1")

    def set_spec(self, **changes: Any) -> None:
        release = self.stored.release
        spec = msgspec.structs.replace(release.spec, **changes)
        self.stored = Stored(msgspec.structs.replace(release, spec=spec), "1")

    def set_status(self, status: Status) -> None:
        release = msgspec.structs.replace(self.stored.release, status=status)
        self.stored = Stored(release, "1")

    def give(self, verb: CommandVerb, **arguments: Any) -> str:
        """Write a command into the record, as another terminal does; return its id."""
        self._command_count += 1
        target = self.found("Deployment", "shop")
        revision = "" if target is None else fingerprint(target["spec"]["template"])
        arguments.setdefault("revision", revision)
        command = Command(id=f"command-{self._command_count}", verb=verb, **arguments)
        release = msgspec.structs.replace(self.stored.release, command=command)
        self.stored = Stored(release, "1")
        return command.id

    def delete_ours(self) -> None:
        """Delete the canary Deployment, as a person who does not know what it is."""
        self.delete(DEPLOYMENTS, self.canary_name, model.Propagation.BACKGROUND)

    def kill(self, pod: Manifest) -> None:
        """Delete a pod, as a person or an eviction does."""
        self.delete(PODS, pod["metadata"]["name"])
        self.after_each_change()

    # Its parts, step by step.

    def round(self) -> Round | None:
        """Play one round of the controller; None when the cluster refused a write."""
        try:
            done = finished(reconcile(self, "shop", self.now))
        except errors.ClusterError:
            return None
        self.rounds.append(done)
        return done

    def moves(self) -> list[Callable[[], None]]:
        """Return all that could happen next in the cluster, without us."""
        found: list[Callable[[], None]] = [
            lambda key=key: self.control(key)  # type: ignore[misc]  # bound now
            for key in self.controllers.pending
        ]
        for pod in self.pods():
            if pod["metadata"].get("deletionTimestamp"):
                found.append(lambda pod=pod: self.end(pod))  # type: ignore[misc]  # bound now
            elif not is_ready(pod) and (
                image_of(pod) not in self.broken or not pod["spec"].get("nodeName")
            ):
                found.append(lambda pod=pod: self.begin(pod))  # type: ignore[misc]  # bound now
        return found

    def control(self, key: Any) -> None:
        self.controllers.step(self.now, key)
        self.after_each_change()

    def end(self, pod: Manifest) -> None:
        self.stop(dict(pod))
        self.after_each_change()

    def begin(self, pod: Manifest) -> None:
        works = image_of(dict(pod)) not in self.broken
        if pod["spec"].get("nodeName"):
            self.set_ready(dict(pod), ready=works)
        else:
            self.start(dict(pod), ready=works)
        self.after_each_change()

    def quiet(self) -> None:
        """Let the cluster do all that it does by itself."""
        for _ in range(2_000):
            moves = self.moves()
            if not moves:
                self.wake_at = self.controllers.run(self.now)
                if self.controllers.pending or self.moves():
                    continue
                if self.answering and routers.answer(self.cluster, "default", self.now):
                    self.after_each_change()
                    continue
                return
            moves[0]()
        raise AssertionError("the cluster does not come to rest")

    def play(self, until: Callable[[Round], bool] | None = None) -> Round:
        """Go on until a round fits (until the release rests); time jumps where all waits for it."""
        for _ in range(ROUNDS_MAX):
            self.quiet()
            done = self.round()
            if done is None:
                continue
            if until(done) if until is not None else done.at_rest:
                return done
            if not done.sent and done.decision.wake_at is not None:
                self.now = max(self.now, done.decision.wake_at)
            elif not done.sent and not self._changed(done):
                self.pass_time_or_fail(done)
        raise AssertionError(f"no end: {self.status}")

    def play_until(self, phase: Phase) -> Round:
        """Go on until nothing moves in a phase."""
        return self.play(lambda done: done.decision.status.phase is phase and not done.sent)

    def play_to_waiting(self, reason: str) -> Round:
        """Go on until the release waits for one thing."""

        def waits(done: Round) -> bool:
            waiting = done.decision.status.waiting
            return waiting is not None and waiting.reason == reason and not done.sent

        return self.play(waits)

    def pass_time_or_fail(self, done: Round) -> None:
        """Jump to when the cluster moves by itself; without that this is a dead end."""
        if self.wake_at is None:
            raise AssertionError(f"stuck: {done.decision.status}")
        self.now = max(self.now, self.wake_at)

    def _changed(self, done: Round) -> bool:
        return done.decision.status != done.observation.status

    # What can be seen.

    @property
    def canary(self) -> Manifest | None:
        return next(
            (
                d
                for d in self.all(DEPLOYMENTS)
                if (d["metadata"].get("labels") or {}).get("serinus.dev/role") == "canary"
            ),
            None,
        )

    @property
    def canary_name(self) -> str:
        assert self.canary is not None
        name: str = self.canary["metadata"]["name"]
        return name

    def ready(self) -> dict[str, int]:
        """Return image -> pods that are ready and stay."""
        counts: dict[str, int] = {}
        for pod in self.pods():
            if is_ready(pod):
                counts[image_of(pod)] = counts.get(image_of(pod), 0) + 1
        return counts

    def wanted(self) -> dict[str, int]:
        """Return image -> wanted replicas over all ReplicaSets, without those that want none."""
        counts: dict[str, int] = {}
        for rs in self.all(REPLICA_SETS):
            if rs["spec"]["replicas"]:
                image = image_of(rs)
                counts[image] = counts.get(image, 0) + rs["spec"]["replicas"]
        return counts

    def selector(self) -> dict[str, str]:
        found = self.get(SERVICES, "shop")
        selector: dict[str, str] = found["spec"]["selector"]
        return selector

    def selected(self) -> list[Manifest]:
        """Return the ready pods that the Service sends to by its selector."""
        wanted = self.selector().items()
        return [p for p in self.pods() if is_ready(p) and wanted <= p["metadata"]["labels"].items()]

    def served_images(self) -> set[str]:
        """Return the images that new connections reach."""
        return {image_of(dict(pod)) for pod in self.selected()}

    def whys(self) -> list[str]:
        return [write.why for write in self.sent]


def a_spec(steps: str | tuple[Step, ...] = "25,pause,50", **changes: Any) -> Spec:
    """Return the spec of a release of `shop`; `steps` as people type them, or as they are."""
    return Spec(
        **{
            "target": "shop",
            "service": "shop",
            "settle_ms": SETTLE_MS,
            "steps": parse_steps(steps) if isinstance(steps, str) else steps,
            **changes,
        }
    )


def a_service() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop", "namespace": "default"},
        "spec": {
            "selector": {"app": "shop"},
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
        },
    }


def service_ref() -> ObjectRef:
    return ObjectRef("v1", "Service", "default", "shop")
