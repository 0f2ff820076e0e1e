"""What one driver sees: a watch for each kind, each of which may lie behind for a while.

As on a real cluster a driver never reads a kind as older than its own last write to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from serinus import kubernetes_model as model
from serinus.clock import Instant
from serinus.controller.over_model.port import READ_KINDS
from serinus.controller.ports import Stored
from serinus.simulation.world import World
from serinus.traffic.plan import Manifest

RECORDS = "records"
PLURALS = (*(kind.plural for kind in READ_KINDS), RECORDS)
POLICIES = "policies"


class Behind:
    """One kind as it was, with what changed since, oldest first."""

    def __init__(self, until_ms: Instant, objects: Sequence[Manifest]) -> None:
        self.until_ms = until_ms
        self.objects = {found["metadata"]["name"]: found for found in objects}
        self._changes: list[model.Change] = []

    def copy(self) -> Behind:
        """Return the same view."""
        other = Behind(self.until_ms, tuple(self.objects.values()))
        other._changes = list(self._changes)
        return other

    def note(self, change: model.Change) -> None:
        """Keep a change for later."""
        self._changes.append(change)

    def reach(self, version: int) -> None:
        """Show all changes up to a version."""
        while self._changes and self._changes[0].version <= version:
            change = self._changes.pop(0)
            name = change.object["metadata"]["name"]
            if change.type is model.ChangeType.DELETED:
                self.objects.pop(name, None)
            else:
                self.objects[name] = change.object


class Cache:
    """The watches of one driver."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.behind: dict[str, Behind] = {}
        self._record: tuple[Instant, Stored | None] | None = None
        self._seen_count = 0
        self._caught_up = False
        """Whether a watch that lay behind has shown something since `listen`."""
        world.listeners.append(self._note)

    def copy(self, world: World) -> Cache:
        """Return the same cache over a copy of the world."""
        other = Cache(world)
        other.behind = {plural: behind.copy() for plural, behind in self.behind.items()}
        other._record = self._record
        other._seen_count, other._caught_up = self._seen_count, self._caught_up
        return other

    def close(self) -> None:
        """Stop to listen."""
        self._world.listeners.remove(self._note)

    def fall_behind(self, plural: str, until_ms: Instant) -> None:
        """Show one kind as it is now until then."""
        if plural == RECORDS:
            self._record = (until_ms, self._stored)
            return
        kind = next(kind for kind in READ_KINDS if kind.plural == plural)
        self.behind[plural] = Behind(until_ms, self._world.list(kind))

    def lags(self, plural: str | None = None) -> bool:
        """Tell whether one watch, or any, lies behind."""
        self._catch_up()
        if plural is None:
            return bool(self.behind) or self._record is not None
        return plural in self.behind or (plural == RECORDS and self._record is not None)

    def next_due(self) -> Instant | None:
        """Return when a watch catches up."""
        self._catch_up()
        due = [behind.until_ms for behind in self.behind.values()]
        if self._record is not None:
            due.append(self._record[0])
        return min(due, default=None)

    def has_news(self) -> bool:
        """Tell whether a watch has shown something since `listen`."""
        self._catch_up()
        hidden = {*self.behind, *((RECORDS,) if self._record is not None else ())}
        counts = self._world.change_counts
        return self._caught_up or any(
            counts.get(plural, 0) > self._seen_count
            for plural in (*PLURALS, POLICIES)
            if plural not in hidden
        )

    def listen(self) -> None:
        """Count as news only what comes from now on."""
        self._seen_count, self._caught_up = self._world.change_count, False

    def objects(self) -> dict[model.Resource, Sequence[Manifest]]:
        """Return the objects of all kinds as their watches show them."""
        self._catch_up()
        found: dict[model.Resource, Sequence[Manifest]] = {}
        for kind in READ_KINDS:
            behind = self.behind.get(kind.plural)
            if behind is None:
                found[kind] = self._world.list(kind)
            else:
                found[kind] = [behind.objects[name] for name in sorted(behind.objects)]
        return found

    @property
    def _stored(self) -> Stored | None:
        return None if self._world.is_forgotten else self._world.stored

    def record(self) -> Stored | None:
        """Return the record as its watch shows it; None when it is gone."""
        self._catch_up()
        return self._stored if self._record is None else self._record[1]

    def wrote(self, written: model.Written | None, kind: model.Resource) -> None:
        """Wait for our own write: what lies behind it must be seen too."""
        behind = self.behind.get(kind.plural)
        if behind is not None and written is not None:
            behind.reach(int(written.object["metadata"]["resourceVersion"]))

    def wrote_record(self, stored: Stored | None) -> None:
        """Wait for our own write of the record."""
        if self._record is not None:
            self._record = (self._record[0], stored)

    def _catch_up(self) -> None:
        now = self._world.now
        for plural in [p for p, behind in self.behind.items() if behind.until_ms <= now]:
            self._caught_up = True
            del self.behind[plural]
        if self._record is not None and self._record[0] <= now:
            self._caught_up = True
            self._record = None

    def _note(self, change: model.Change) -> None:
        behind = self.behind.get(change.resource.plural)
        if behind is not None:
            behind.note(change)
