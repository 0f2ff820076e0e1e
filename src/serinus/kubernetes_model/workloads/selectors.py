"""Label selectors of manifests: `matchLabels` with `matchExpressions`, and a Service's plain map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.objects import SERVICE, Kind


def selector_of(kind: Kind, obj: Object) -> Mapping[str, Any]:
    """Return the label selector by which an object finds others, in the LabelSelector form."""
    selector = obj["spec"].get("selector") or {}
    return {"matchLabels": selector} if kind == SERVICE else selector


def is_empty(selector: Mapping[str, Any]) -> bool:
    """Say whether a selector has no requirement, and so would match everything."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether labels satisfy all requirements of a selector."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_satisfies(item, labels) for item in selector.get("matchExpressions") or ())


def _satisfies(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, operator = requirement["key"], requirement["operator"]
    values = requirement.get("values") or ()
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            # The API server refuses any other operator, so that such an object cannot be stored.
            return False
