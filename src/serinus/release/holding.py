"""What holding a Deployment means on the wire: a field of ours, or a label for the policy."""

from __future__ import annotations

from typing import Any

from serinus.release import decision as d
from serinus.release.observation import HoldBy
from serinus.traffic.plan import Manifest
from serinus.traffic.write import ObjectRef, Verb, Write

RELEASE_LABEL = "serinus.dev/release"
HOLD_POLICY = "serinus-hold"
"""The name of the admission policy and of its binding."""
MANAGED, HELD, OFF = "managed", "held", "off"
OUR_MANAGER = "serinus"
"""The field manager of our writes; the policy lets it through."""
_NAMED = ("name", "namespace", "uid", "resourceVersion")


def writes(
    action: d.Hold | d.Guard | d.Resume | d.LetGo, target: Manifest, hold_by: HoldBy
) -> tuple[Write, ...]:
    """Return what an action of the hold means on a Deployment."""
    by_policy = hold_by is HoldBy.POLICY
    match action:
        case d.Hold():
            why = "hold: a changed template must not roll out by itself"
            if by_policy:
                return (_merge(target, why, held_fields()),)
            return (_apply(target, why, {"paused": True}),)
        case d.Resume():
            why = "let the Deployment roll its template out"
            if by_policy:
                return (_merge(target, why, {"spec": {"paused": None}}),)
            return (_apply(target, why, {"paused": False}),)
        case d.Guard():
            label = OFF if label_of(target) == OFF else MANAGED
            body = {"metadata": {"labels": {RELEASE_LABEL: label}}, **_unpaused(target)}
            return (_merge(target, "let the admission policy hold the next template", body),)
        case d.LetGo():
            return _let_go(target, hold_by, lift=action.lift)


def held_fields() -> dict[str, Any]:
    """Return the fields of a Deployment whose template waits, under the policy."""
    return {"metadata": {"labels": {RELEASE_LABEL: HELD}}, "spec": {"paused": True}}


def operations(target: Manifest, hold_by: HoldBy) -> list[dict[str, Any]]:
    """Return how a JSON patch of ours that changes a template brings the hold along.

    The policy lets our writes through; by the field the Deployment is paused already.
    """
    if hold_by is HoldBy.FIELD or label_of(target) not in (MANAGED, HELD):
        return []
    path = f"/metadata/labels/{RELEASE_LABEL.replace('/', '~1')}"
    return [
        {"op": "replace", "path": path, "value": HELD},
        {"op": "add", "path": "/spec/paused", "value": True},
    ]


def label_of(target: Manifest) -> str:
    """Return what the label of the hold says, or nothing."""
    return str((target["metadata"].get("labels") or {}).get(RELEASE_LABEL, ""))


def paused_by_us(target: Manifest) -> bool:
    """Tell whether `spec.paused` is our doing: applied by us, or set by the policy."""
    if not target["spec"].get("paused"):
        return False
    label = label_of(target)
    if label == OFF:
        # Switched off in the midst of a release: what the policy set belongs to nobody.
        return _owners(target, "f:paused") <= {OUR_MANAGER}
    return label == HELD or OUR_MANAGER in apply_owners(target, "f:paused")


def apply_owners(found: Manifest, field: str) -> list[str]:
    """Return the managers that own `spec.<field>` by server-side apply."""
    return [
        entry["manager"]
        for entry in found["metadata"].get("managedFields") or ()
        if entry.get("operation") == "Apply"
        and field in (entry.get("fieldsV1") or {}).get("f:spec", {})
    ]


def _owners(found: Manifest, field: str) -> set[str]:
    return {
        entry["manager"]
        for entry in found["metadata"].get("managedFields") or ()
        if field in (entry.get("fieldsV1") or {}).get("f:spec", {})
    }


def _let_go(target: Manifest, hold_by: HoldBy, *, lift: bool) -> tuple[Write, ...]:
    why = "let the Deployment go"
    unlabelled: dict[str, Any] = {"metadata": {"labels": {RELEASE_LABEL: None}}}
    if hold_by is HoldBy.POLICY:
        return (_merge(target, why, {**unlabelled, **(_unpaused(target) if lift else {})}),)
    if lift and OUR_MANAGER in apply_owners(target, "f:paused"):
        # Owning no field any more takes `paused` away, unless somebody else set it too. A label
        # that a policy of before left goes in the next round.
        return (_apply(target, why, None),)
    return (_merge(target, why, {**unlabelled, **(_unpaused(target) if lift else {})}),)


def _unpaused(target: Manifest) -> dict[str, Any]:
    """Return the field that lifts our own pause; a pause of somebody else's stays."""
    return {"spec": {"paused": None}} if paused_by_us(target) else {}


def _apply(target: Manifest, why: str, spec: dict[str, Any] | None) -> Write:
    meta = target["metadata"]
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {key: meta[key] for key in _NAMED},
    }
    if spec is not None:
        body["spec"] = spec
    return Write(verb=Verb.APPLY, target=_ref(target), why=why, body=body)


def _merge(target: Manifest, why: str, body: dict[str, Any]) -> Write:
    metadata = {
        **body.get("metadata", {}),
        "resourceVersion": target["metadata"]["resourceVersion"],
    }
    return Write(verb=Verb.MERGE, target=_ref(target), why=why, body={**body, "metadata": metadata})


def _ref(target: Manifest) -> ObjectRef:
    meta = target["metadata"]
    return ObjectRef("apps/v1", "Deployment", meta["namespace"], meta["name"])
