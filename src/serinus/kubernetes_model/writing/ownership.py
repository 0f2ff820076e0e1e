"""Field ownership on the way of a write: `managedFields` in, `managedFields` out."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.fields import managers, sets
from serinus.kubernetes_model.fields.managers import Entry, FieldConflict, Write, Writer
from serinus.kubernetes_model.writing import strategies
from serinus.kubernetes_model.writing.behaviour import Behaviour, Manifest

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def track_update(behaviour: Behaviour, old: Manifest | None, new: Manifest, writer: Writer) -> None:
    """Set the managedFields of an object that is about to be created or replaced."""
    metadata = new["metadata"]
    live = _entries(old)
    given = metadata.pop("managedFields", None)
    if writer.subresource or given is live:
        entries = live
    elif given is not None and _is_reset(given):
        entries = []
    else:
        entries = given if given and all(map(_is_entry, given)) else live
    if not entries and old is not None:
        return  # nothing was ever tracked: it stays so until somebody applies
    before = behaviour.empty() if old is None else old
    write = _write(behaviour, writer)
    _set(metadata, managers.after_update(write, before, new, entries))


def apply(
    behaviour: Behaviour, live: Manifest | None, config: Manifest, writer: Writer, *, force: bool
) -> Manifest:
    """Return the live object with a configuration applied and its managedFields set.

    Raises:
        Conflict: another manager owns what the configuration would change.
    """
    write = _write(behaviour, writer)
    entries = _entries(live)
    base = behaviour.empty() if live is None else live
    if not entries and live is not None:
        before = Writer(managers.BEFORE_FIRST_APPLY, writer.api_version, time=writer.time)
        first = _write(behaviour, before)
        entries = managers.after_update(first, behaviour.empty(), live, [])
    try:
        merged, entries = _apply(write, (base, config, entries), force=force)
    except FieldConflict as error:
        raise _conflict(error) from error
    merged = dict(merged)
    metadata = dict(merged.get("metadata") or {})
    merged["metadata"] = metadata
    if writer.manager == "kubectl" and metadata.get("annotations", {}).get(LAST_APPLIED):
        metadata["annotations"] = {**metadata["annotations"], LAST_APPLIED: _last_applied(config)}
    _set(metadata, entries)
    return merged


def same_but_for_times(new: Manifest, old: Manifest) -> bool:
    """Tell whether two objects differ at most in when their fields were written."""
    if new == old:
        return True
    if {**new, "metadata": None} != {**old, "metadata": None}:
        return False
    left, right = _timeless(new["metadata"]), _timeless(old["metadata"])
    return left == right


def _timeless(metadata: Manifest) -> Manifest:
    entries = [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in metadata.get("managedFields", ())
    ]
    entries.sort(
        key=lambda e: (e.get("manager", ""), e.get("operation", ""), e.get("subresource", ""))
    )
    return {**metadata, "managedFields": entries}


_State = tuple[Manifest, Manifest, list[Entry]]


def _apply(write: Write, state: _State, *, force: bool) -> tuple[Manifest, list[Entry]]:
    base, config, entries = state
    try:
        return managers.apply(write, base, config, entries, force=force)
    except FieldConflict as error:
        if write.writer.manager != "kubectl":
            raise
        # kubectl may take over what it wrote itself by client-side apply.
        allowed = _written_by_client_side_apply(write, base)
        rest = [(e, left) for e, c in error.conflicts if (left := sets.difference(c, allowed))]
        if rest:
            raise FieldConflict(rest) from None
        return managers.apply(write, base, config, entries, force=True)


def _written_by_client_side_apply(write: Write, live: Manifest) -> sets.FieldSet:
    text = live.get("metadata", {}).get("annotations", {}).get(LAST_APPLIED)
    try:
        configuration = msgspec.json.decode(text or "null")
    except msgspec.DecodeError:
        return sets.EMPTY
    if not isinstance(configuration, dict):
        return sets.EMPTY
    if configuration.get("apiVersion") != write.writer.api_version:
        return sets.EMPTY
    return managers.last_applied_set(write.node, live, configuration)


def _write(behaviour: Behaviour, writer: Writer) -> Write:
    ignored = strategies.ignored_fields(behaviour.strategy, writer.subresource or None)
    return Write(writer, behaviour.node, ignored)


def _entries(item: Manifest | None) -> list[Entry]:
    entries: list[Entry] = item["metadata"].get("managedFields", []) if item else []
    return entries


def _set(metadata: Manifest, entries: list[Entry]) -> None:
    if entries:
        metadata["managedFields"] = entries
    else:
        metadata.pop("managedFields", None)


def _is_reset(entries: list[Any]) -> bool:
    return not entries or (len(entries) == 1 and not entries[0])


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("operation") in {"Apply", "Update"}
        and bool(entry.get("apiVersion"))
        and entry.get("fieldsType") == "FieldsV1"
        and isinstance(entry.get("fieldsV1"), dict)
    )


def _conflict(error: FieldConflict) -> Exception:
    causes: list[dict[str, str]] = []
    lines: list[str] = []
    for entry, fields in sorted(error.conflicts, key=lambda pair: _manager_words(pair[0])):
        owner = _manager_words(entry)
        lines.append(f"conflicts with {owner}:")
        for path in sets.paths(fields):
            shown = sets.describe(path)
            lines.append(f"- {shown}")
            causes.append(
                {
                    "reason": "FieldManagerConflict",
                    "message": f"conflict with {owner}",
                    "field": shown,
                }
            )
    if len(causes) == 1:
        words = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        words = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return failures.apply_conflict(causes, words)


def _manager_words(entry: Entry) -> str:
    words = f'"{entry["manager"]}"'
    if entry.get("subresource"):
        words = f'{words} with subresource "{entry["subresource"]}"'
    return f"{words} using {entry['apiVersion']}" if entry["operation"] == "Update" else words


def _last_applied(config: Manifest) -> str:
    metadata = dict(config.get("metadata") or {})
    annotations = {k: v for k, v in metadata.get("annotations", {}).items() if k != LAST_APPLIED}
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)
    encoded = msgspec.json.encode({**config, "metadata": metadata}, order="deterministic")
    return f"{encoded.decode()}\n"
