"""What is held to be true of the world after every single change, whatever goes wrong.

`trouble` says how much of it the faults of a schedule have put beyond our power.
"""

from __future__ import annotations

import copy
import enum
from typing import Any

import msgspec

from serinus import kubernetes_model as model
from serinus.clock import Instant
from serinus.controller.observe import controller_uid, matches
from serinus.controller.reconcile import Round
from serinus.errors import SerinusError
from serinus.kubernetes_model.kinds import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    PODS,
    REPLICA_SETS,
    SERVICES,
)
from serinus.release.decide import decide
from serinus.release.model import Phase, Promotion
from serinus.simulation.example import NAME
from serinus.simulation.manifests import image_of
from serinus.simulation.world import World
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import HASH_LABEL, is_ready
from serinus.traffic.replica_ratio import base_selector
from serinus.traffic.write import Propagation, Verb, Write

LATER_MS = 86_400_000
STRANDED_MS_MAX = 90_000
"""How long a Service may stay narrowed to nobody: a recheck, a back-off and a late watch."""


class Violation(SerinusError):  # noqa: N818 - it says what happened, as the others do
    """The world is in a state in which it must never be."""


class Trouble(enum.IntEnum):
    """How much capacity is beyond our power."""

    NONE = 0
    """Only our own acts and pods that work: nobody may notice anything."""
    QUARTER = 1
    """Somebody wants to be back at once, and takes three quarters for enough."""
    OTHERS = 2
    """Other people and nodes take pods away."""


class Watch:
    """Look on, and raise a Violation at the first wrong."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.trouble = Trouble.NONE
        self.blind = False
        """Whether a watch that lags, or a clock that jumps, hides from a driver what proxies do."""
        self.fault_count = 0
        self._stranded_since_ms: Instant | None = None
        self._listed: dict[str, Instant | None] = {}
        """Pod uid -> when it was last an endpoint; None while it is one."""
        self._owners = {
            rs["metadata"]["uid"]: controller_uid(rs) for rs in world.list(REPLICA_SETS)
        }
        self._adopted_uid = ""
        """The ReplicaSet that was handed over."""
        self._served = {image_of(pod) for pod in world.list(PODS)}
        """Images that the user's Deployment has run pods of, and what was promoted into it."""
        self._leaving: dict[str, str] = {}
        """Deployment or ReplicaSet uid -> why its pods get no connection any more."""
        world.listeners.append(self._changed)

    def copy(self, world: World) -> Watch:
        """Return the same watch over a copy of the world."""
        other = copy.copy(self)
        other.move_to(world)
        return other

    def move_to(self, world: World) -> None:
        """Look at a copy of the world from now on."""
        self.world = world
        self._listed = dict(self._listed)
        self._owners = dict(self._owners)
        self._leaving = dict(self._leaving)
        self._served = set(self._served)
        world.listeners.append(self._changed)

    @property
    def key(self) -> tuple[Any, ...]:
        """Return what matters of it for what comes."""
        since = self._stranded_since_ms
        return (
            self.trouble,
            self.blind,
            None if since is None else self.world.now - since,
            len(self._leaving),
            bool(self._adopted_uid),
            tuple(sorted(self._served)),
        )

    def listed_since(self, uid: str) -> int | None:
        """Return how long ago proxies may have sent to a pod, at most `settle`; None: they do."""
        settle_ms = self.world.example.spec.settle_ms
        listed_ms = self._listed.get(uid, 0)
        return None if listed_ms is None else min(settle_ms, self.world.now - listed_ms)

    # After each change.

    def _changed(self, change: model.Change) -> None:
        plural = change.resource.plural
        if plural == PODS.plural:
            self._told_to_stop(change)
            self._starts(change)
            self._rolls_out(change)
            self._users_are_served()
        elif plural == SERVICES.plural:
            self._users_are_served()
        elif plural == ENDPOINT_SLICES.plural:
            self._follow_endpoints()
        elif plural == REPLICA_SETS.plural:
            self._follow_owner(change)

    def _follow_owner(self, change: model.Change) -> None:
        """Remember who controls a ReplicaSet; one that changes hands was handed over on purpose."""
        uid, owner = change.object["metadata"]["uid"], controller_uid(change.object)
        before = self._owners.get(uid)
        if owner and before and owner != before:
            self._served.add(image_of(change.object))
        self._owners[uid] = owner or before or ""

    def _users_are_served(self) -> None:
        """Count the ready pods behind the Service."""
        service = self.world.find(SERVICES)
        if service is None:
            return
        pods = [pod for pod in self.world.list(PODS) if is_ready(pod)]
        wanted = service["spec"]["selector"].items()
        behind = sum(1 for pod in pods if wanted <= pod["metadata"]["labels"].items())
        base = base_selector(service).items()
        stranded = not behind and any(base <= pod["metadata"]["labels"].items() for pod in pods)
        if not stranded:
            self._stranded_since_ms = None
        elif self._stranded_since_ms is None:
            self._stranded_since_ms = self.world.now
        if behind < self.needed:
            raise Violation(f"{behind} ready pods of at least {self.needed} behind {dict(wanted)}")

    @property
    def needed(self) -> int:
        """Return how many ready pods the Service must have behind it."""
        if self.trouble is Trouble.OTHERS:
            return 0
        example = self.world.example
        spare = 0 if example.surge else 1
        if self.trouble is Trouble.QUARTER or self.world.status.phase is Phase.ABORTING:
            self.trouble = Trouble.QUARTER
            spare = max(spare, example.replica_count // 4)
        return example.replica_count - spare

    def _follow_endpoints(self) -> None:
        now_listed = {
            endpoint["targetRef"]["uid"]
            for found in self.world.list(ENDPOINT_SLICES)
            for endpoint in found.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready") is not False
        }
        for uid, since in self._listed.items():
            if since is None and uid not in now_listed:
                self._listed[uid] = self.world.now
        self._listed.update(dict.fromkeys(now_listed))

    def _told_to_stop(self, change: model.Change) -> None:
        """Hold our removals to their word: proxies have left a pod before it is told to stop."""
        previous, meta = change.previous, change.object["metadata"]
        if previous is None or "deletionTimestamp" not in meta:
            return
        if "deletionTimestamp" in previous["metadata"] or not is_ready(previous):
            return
        replica_set = controller_uid(change.object)
        why = self._leaving.get(replica_set) or self._leaving.get(self._owners.get(replica_set, ""))
        if why is None or self.blind or self.trouble is Trouble.OTHERS:
            return
        since_ms = self.listed_since(meta["uid"])
        if since_ms is None or since_ms < self.world.example.spec.settle_ms:
            raise Violation(f"{why}: {meta['name']} is told to stop while proxies send to it")

    def _starts(self, change: model.Change) -> None:
        """Hold an adoption to its word: no pod of the new revision is started for it."""
        if change.previous is not None or not self._adopted_uid:
            return
        target = self.world.find(DEPLOYMENTS)
        is_new = target is not None and image_of(change.object) == image_of(target)
        is_elsewhere = controller_uid(change.object) != self._adopted_uid
        if is_new and is_elsewhere and self.trouble is not Trouble.OTHERS and not self.blind:
            raise Violation(f"an adoption starts pod {change.object['metadata']['name']}")

    def _rolls_out(self, change: model.Change) -> None:
        """Hold the hold to its word: what was not promoted does not roll out."""
        target, pod = self.world.find(DEPLOYMENTS), change.object
        if target is None or self._owners.get(controller_uid(pod)) != target["metadata"]["uid"]:
            return
        image, world = image_of(pod), self.world
        is_held = self.trouble is not Trouble.OTHERS and not self.blind
        is_promoted = world.status.phase is Phase.PROMOTING and not world.is_forgotten
        if is_held and image not in self._served and not is_promoted:
            raise Violation(f"{image} rolls out, and nobody promoted it")
        self._served.add(image)

    def time_passed(self) -> None:
        """Look at what may only last for a while."""
        since = self._stranded_since_ms
        bound_ms = STRANDED_MS_MAX * (1 + self.fault_count)
        if since is not None and self.world.now - since > bound_ms:
            raise Violation(
                f"narrowed to nobody for {(self.world.now - since) // 1000} s while others serve"
            )

    # Before each write of ours.

    def write(self, write: Write, seen_count: int) -> None:
        """Look at what a driver is about to send; it read when `seen_count` changes had been."""
        if not has_precondition(write):
            raise Violation(f"no precondition: {write.verb.value} {write.target}: {write.why}")
        if write.verb is Verb.CREATE:
            # Another release begins: what the last one took leave of may serve in this one.
            self._adopted_uid = ""
            self._leaving.clear()
        elif write.verb is Verb.DELETE and write.target.kind == "Deployment":
            self._deletes_canary(write)
        elif write.target.kind == "Service":
            self._narrows(write, seen_count)

    def _narrows(self, write: Write, seen_count: int) -> None:
        revision = write.body["spec"]["selector"].get(HASH_LABEL)
        service = self.world.find(SERVICES)
        if revision is None or self.blind or service is None:
            return
        if service["metadata"]["resourceVersion"] != write.body["metadata"]["resourceVersion"]:
            return
        others_were_faster = (
            self.trouble is Trouble.OTHERS
            and self.world.change_counts.get(PODS.plural, 0) > seen_count
        )
        if not others_were_faster and not any(
            is_ready(pod) and pod["metadata"]["labels"].get(HASH_LABEL) == revision
            for pod in self.world.list(PODS)
        ):
            raise Violation(f"narrow the Service to {revision}, which has no ready pod")

    def _deletes_canary(self, write: Write) -> None:
        canary = self.world.find(DEPLOYMENTS, write.target.name)
        if canary is None or canary["metadata"]["uid"] != write.uid:
            return
        own = [rs for rs in self.world.list(REPLICA_SETS) if controller_uid(rs) == write.uid]
        if write.propagation is not Propagation.ORPHAN:
            if self.world.status.promotion is not Promotion.ROLLING_UPDATE:
                self._leaving[canary["metadata"]["uid"]] = "the canary was deleted"
            return
        if canary["metadata"]["resourceVersion"] != write.resource_version:
            return
        if len(own) != 1:
            raise Violation(f"orphan {write.target.name} with {len(own)} ReplicaSets under it")
        labels = own[0]["metadata"]["labels"]
        strangers = [
            found["metadata"]["name"]
            for found in self.world.list(DEPLOYMENTS)
            if found["metadata"]["name"] not in (NAME, write.target.name)
            and matches(found["spec"]["selector"], labels)
        ]
        if strangers and not self.blind:
            raise Violation(f"orphan {write.target.name} while {strangers} matches its pods")
        self._adopted_uid = own[0]["metadata"]["uid"]
        for found in self.world.list(REPLICA_SETS):
            if found["metadata"]["uid"] != own[0]["metadata"]["uid"]:
                self._leaving[found["metadata"]["uid"]] = "the canary's pods were adopted"

    # After each round.

    def round(self, done: Round, now: Instant) -> None:
        """Look at a decision beside what it was made of."""
        obs, decision = done.observation, done.decision
        command, last = obs.command, obs.status.last_command
        if command is not None and last is not None and command.id == last.id:
            without = decide(msgspec.structs.replace(obs, command=None), now)
            if without != decision:
                raise Violation(f"{command.verb.value} acts although it was answered before")
        if decision.wake_at is None and not decision.actions and decision.status == obs.status:
            later = decide(obs, now + LATER_MS)
            if later != decision:
                raise Violation(
                    f"time alone changes the decision, and it is not waited for: {later}"
                )


def has_precondition(write: Write) -> bool:
    """Tell whether the server refuses a write when its object has moved on."""
    if write.verb is Verb.CREATE:
        return True
    if write.verb is Verb.DELETE:
        return write.uid is not None or write.resource_version is not None
    if write.verb is Verb.JSON:
        return any(operation["op"] == "test" for operation in write.body)
    meta: Manifest = write.body.get("metadata") or {}
    return "resourceVersion" in meta or (write.verb is Verb.APPLY and "uid" in meta)
