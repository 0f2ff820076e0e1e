"""All that a decision may depend on, as frozen values read at one moment."""

from __future__ import annotations

import enum

import msgspec

from serinus.release.model import Command, Spec, Status
from serinus.traffic.plan import Live, Manifest


class HoldBy(enum.Enum):
    """What keeps a changed template from rolling out by itself."""

    FIELD = "Field"
    """`spec.paused: true`, ours by server-side apply, also at rest."""
    POLICY = "Policy"
    """An admission policy of the cluster, which pauses when the template changes."""


class ReplicaSet(msgspec.Struct, frozen=True):
    """One ReplicaSet whose template may matter, with what its pods do."""

    name: str
    uid: str
    hash: str
    template: str
    """Fingerprint of its template."""
    restart_template: str
    """The same with the mark of `rollout restart` left out."""
    number: int
    """kubectl's revision number; 0 when it has none."""
    owner_uid: str
    """The Deployment that controls it; empty for none."""
    wanted_count: int
    desired_count: int | None
    """The Deployment controller's own note of what it wants in all."""
    ready_count: int
    available_count: int
    standing_count: int
    """Pods that have not been told to stop."""
    deleting: bool = False


class Target(msgspec.Struct, frozen=True):
    """The user's own Deployment."""

    name: str
    uid: str
    generation: int
    observed_generation: int
    replica_count: int
    updated_count: int
    total_count: int
    available_count: int
    paused: bool
    template: str
    restart_template: str
    surge: bool
    """Whether its strategy lets one pod more than N run."""
    recreate: bool
    progress_deadline_ms: int
    deleting: bool = False
    hold_label: str = ""
    """What the label of the hold says: managed, held, off, or nothing."""
    paused_by_us: bool = False
    """Whether `spec.paused` is there because we applied it."""

    @property
    def complete(self) -> bool:
        """Tell whether its own template runs at full strength and nothing else does."""
        return (
            self.observed_generation >= self.generation
            and self.updated_count == self.replica_count
            and self.total_count == self.replica_count
            and self.available_count >= self.replica_count
        )


class Canary(msgspec.Struct, frozen=True):
    """Our canary Deployment."""

    name: str
    uid: str
    replica_count: int
    template: str
    owner_uid: str
    deleting: bool = False
    orphaning: bool = False


class Finding(msgspec.Struct, frozen=True):
    """Something about the cluster that a release must respect.

    A blocking one refuses the start; the others are shown.
    """

    reason: str
    message: str
    blocking: bool = False


class Observation(msgspec.Struct, frozen=True):
    """The world at one moment. `decide` asks nobody else."""

    name: str
    namespace: str
    spec: Spec
    status: Status
    command: Command | None
    target: Target | None
    canary: Canary | None
    replica_sets: tuple[ReplicaSet, ...]
    live: Live
    narrowable: bool
    """Whether the Service's selector may be narrowed to one revision."""
    broader: tuple[str, ...]
    """Other Deployments whose selector matches the canary's pods."""
    findings: tuple[Finding, ...] = ()
    hold_by: HoldBy = HoldBy.FIELD
    leaving: bool = False
    """Whether the release was deleted: what it changed is put back."""

    def owned_by(self, uid: str) -> tuple[ReplicaSet, ...]:
        """Return the ReplicaSets that a Deployment controls."""
        return tuple(rs for rs in self.replica_sets if rs.owner_uid == uid)


class Objects(msgspec.Struct, frozen=True):
    """The same moment as plain JSON, for writes that need a whole object."""

    target: Manifest | None
    canary: Manifest | None
    replica_sets: tuple[Manifest, ...]
    live: Live
    hold_by: HoldBy = HoldBy.FIELD
