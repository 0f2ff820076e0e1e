"""`metadata.managedFields`: what each write does to it, and server-side apply.

Follows k8s.io/apimachinery 0.36, pkg/util/managedfields, over structured-merge-diff v6,
merge.Updater.
Entries stay in their wire form; only those that a write touches are made anew.
"""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.kubernetes_model.fields import sets, typed
from serinus.kubernetes_model.fields.sets import FieldSet
from serinus.kubernetes_model.schema.nodes import ObjectNode

Entry = dict[str, Any]

BEFORE_FIRST_APPLY = "before-first-apply"
ANCIENT = "ancient-changes"
UPDATERS_MAX = 10

_STRIPPED = sets.of(
    [
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name",
                "namespace",
                "creationTimestamp",
                "selfLink",
                "uid",
                "clusterName",
                "generation",
                "managedFields",
                "resourceVersion",
            )
        ),
    ]
)


class Writer(msgspec.Struct, frozen=True):
    """Who writes, as an entry names it."""

    manager: str
    api_version: str
    subresource: str = ""
    time: str = ""


class FieldConflict(Exception):  # noqa: N818  (carries data to where the Status is worded)
    """Fields of an applied configuration that other managers own, with the entry of each."""

    def __init__(self, conflicts: list[tuple[Entry, FieldSet]]) -> None:
        self.conflicts = conflicts
        super().__init__("conflict")


class Write(msgspec.Struct, frozen=True):
    """Who writes through which endpoint: its type, and the paths that it ignores."""

    writer: Writer
    node: ObjectNode
    ignored: FieldSet


def after_update(
    write: Write, old: dict[str, Any], new: dict[str, Any], entries: list[Entry]
) -> list[Entry]:
    """Return the entries after a create, replace or patch other than apply."""
    writer = write.writer
    difference = typed.compare(write.node, old, new)
    changed = sets.recursive_difference(difference.changed, write.ignored)
    removed = sets.recursive_difference(difference.removed, write.ignored)
    if not changed and not removed:
        return entries
    taken = sets.difference(changed, _STRIPPED)
    kept = [_without(entry, changed, removed) for entry in entries]
    result: list[Entry] = []
    mine: Entry | None = None
    for entry in kept:
        if _is_writer(entry, writer, "Update"):
            mine = entry
        elif entry["fieldsV1"]:
            result.append(entry)
    if taken:
        owned = sets.union(taken, mine["fieldsV1"] if mine else sets.EMPTY)
        result.append(_entry(writer, "Update", owned))
    elif mine and mine["fieldsV1"]:
        result.append(mine)
    return _sorted(_capped(result))


def apply(
    write: Write,
    live: dict[str, Any],
    config: dict[str, Any],
    entries: list[Entry],
    *,
    force: bool,
) -> tuple[dict[str, Any], list[Entry]]:
    """Return the live object with a configuration applied, and the entries after that.

    Raises:
        FieldConflict: other managers own what the configuration would change.
    """
    node, writer = write.node, write.writer
    mine = next((e for e in entries if _is_writer(e, writer, "Apply")), None)
    others = [e for e in entries if e is not mine]
    named = sets.recursive_difference(typed.field_set(node, config), write.ignored)
    merged = typed.merge(node, live, config)
    if mine is not None and mine["fieldsV1"]:
        owned = named
        for entry in others:
            owned = sets.union(owned, entry["fieldsV1"])
        if sets.difference(mine["fieldsV1"], owned):
            # Something that was named last time has no owner any more.
            merged = _pruned(node, merged, mine["fieldsV1"], owned)
    difference = typed.compare(node, live, merged)
    changed = sets.recursive_difference(difference.changed, write.ignored)
    removed = sets.recursive_difference(difference.removed, write.ignored)
    conflicts = [
        (entry, common)
        for entry in others
        if (common := sets.intersection(entry["fieldsV1"], changed))
    ]
    if conflicts and not force:
        raise FieldConflict(conflicts)
    result = [e for e in (_without(e, changed, removed) for e in others) if e["fieldsV1"]]
    named = sets.difference(named, _STRIPPED)
    if named:
        # An apply that changes no value has no time of its own.
        time = writer.time if merged != live else (mine or {}).get("time", "")
        result.append(_entry(writer, "Apply", named, time))
    return merged, _sorted(result)


def last_applied_set(
    node: ObjectNode, live: dict[str, Any], configuration: dict[str, Any]
) -> FieldSet:
    """Return the fields of a last client-side apply that still are as it wrote them."""
    named = typed.field_set(node, configuration)
    difference = typed.compare(node, configuration, live)
    return sets.difference(sets.difference(named, difference.changed), difference.removed)


def _pruned(
    node: ObjectNode, merged: dict[str, Any], last: FieldSet, owned: FieldSet
) -> dict[str, Any]:
    """Take away what the applier named last time, names no more, and nobody else owns."""
    last_named = typed.with_named_fields(node, last)
    pruned = typed.remove(node, merged, last_named) or {}
    everything = typed.with_named_fields(node, typed.field_set(node, merged))
    # What went with a removed parent but has another owner comes back.
    kept = sets.union(
        typed.with_named_fields(node, typed.field_set(node, pruned)),
        typed.with_named_fields(node, owned),
    )
    pruned = typed.remove(node, merged, sets.difference(everything, kept)) or {}
    # What nobody applied (defaults, plain updates) comes back too.
    gone = sets.difference(everything, typed.with_named_fields(node, typed.field_set(node, pruned)))
    return typed.remove(node, merged, sets.intersection(gone, last_named)) or {}


def _is_writer(entry: Entry, writer: Writer, operation: str) -> bool:
    return (
        entry["manager"] == writer.manager
        and entry["operation"] == operation
        and entry.get("subresource", "") == writer.subresource
        and (operation == "Apply" or entry["apiVersion"] == writer.api_version)
    )


def _without(entry: Entry, changed: FieldSet, removed: FieldSet) -> Entry:
    owned = entry["fieldsV1"]
    left = sets.difference(sets.difference(owned, changed), removed)
    return entry if left is owned or left == owned else {**entry, "fieldsV1": left}


def _entry(writer: Writer, operation: str, owned: FieldSet, time: str | None = None) -> Entry:
    entry = {
        "manager": writer.manager,
        "operation": operation,
        "apiVersion": writer.api_version,
        "time": writer.time if time is None else time,
        "fieldsType": "FieldsV1",
        "fieldsV1": owned,
    }
    if not entry["time"]:
        del entry["time"]
    if writer.subresource:
        entry["subresource"] = writer.subresource
    return entry


def _capped(entries: list[Entry]) -> list[Entry]:
    """Fold the oldest updates into one entry when there are more than ten."""
    updates = [e for e in entries if e["operation"] == "Update"]
    if len(updates) <= UPDATERS_MAX:
        return entries
    updates.sort(key=lambda e: (e.get("time", ""), e["manager"]))
    excess = updates[: len(updates) - UPDATERS_MAX + 1]
    owned = sets.EMPTY
    for entry in excess:
        owned = sets.union(owned, entry["fieldsV1"])
    folded = {**excess[-1], "manager": ANCIENT, "fieldsV1": owned}
    folded.pop("subresource", None)
    return [e for e in entries if e not in excess] + [folded]


def _sorted(entries: list[Entry]) -> list[Entry]:
    return sorted(
        entries,
        key=lambda e: (
            e["operation"],
            e.get("time", ""),
            e["manager"],
            e["apiVersion"],
            e.get("subresource", ""),
        ),
    )
