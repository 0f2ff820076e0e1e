"""By what the objects around a release are found: the keys of each index, and what selectors take.

One pair of a selector is enough as a key: who has all of its pairs has this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from serinus.controller.observe import matches
from serinus.kube.index import Index
from serinus.kube.index import pairs as pairs_of
from serinus.release.render import CANARY_OF_LABEL
from serinus.traffic.plan import Manifest
from serinus.traffic.replica_ratio import base_selector

_ANY = ""
"""The key of a selector that names no pair: it may match anything."""


def selector_text(selector: Manifest) -> str:
    """Return a LabelSelector as the text form of a list request."""
    parts = pairs(selector.get("matchLabels") or {})
    for expression in selector.get("matchExpressions") or ():
        key, operator = expression["key"], expression["operator"]
        values = ",".join(expression.get("values") or ())
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[operator]
        )
    return ",".join(parts)


def pairs(labels: Mapping[str, str]) -> list[str]:
    """Return labels as `key=value` texts, in order."""
    return sorted(pairs_of(labels))


def near(index: Index[Any], namespace: str, keys: Iterable[str]) -> list[Manifest]:
    """Return the objects under any of some keys, and those that may match whatever there is."""
    found = {o["metadata"]["name"]: o for key in (_ANY, *keys) for o in index.get(namespace, key)}
    return [found[name] for name in sorted(found)]


def selected(index: Index[Any], namespace: str, selector: Manifest) -> list[Manifest]:
    """Return the objects whose labels a selector takes."""
    keys = [f"{k}={v}" for k, v in (selector.get("matchLabels") or {}).items()] or [_ANY]
    fewest = min(keys, key=lambda key: index.count(namespace, key))
    near = index.get(namespace, fewest)
    return [o for o in near if matches(selector, o["metadata"].get("labels") or {})]


def label_keys(found: Manifest) -> list[str]:
    """Return the labels of an object."""
    return [*pairs_of(found["metadata"].get("labels")), _ANY]


def deployment_keys(found: Manifest) -> list[str]:
    """Return whose canary a Deployment is, and what it selects."""
    own = found["spec"]["selector"].get("matchLabels") or {}
    selects = [f"selects {pair}" for pair in pairs(own)[:1]] or [_ANY]
    return [
        *(p for p in pairs_of(found["metadata"].get("labels")) if CANARY_OF_LABEL in p),
        *selects,
    ]


def service_keys(found: Manifest) -> list[str]:
    """Return what a Service selects."""
    return pairs(base_selector(found))[:1]


def autoscaler_keys(found: Manifest) -> list[str]:
    """Return what an autoscaler scales."""
    ref = found["spec"].get("scaleTargetRef") or {}
    return [str(ref.get("name"))]


def release_keys(found: Manifest) -> list[str]:
    """Return what a CanaryRelease names."""
    spec = found.get("spec") or {}
    target, service = spec.get("targetRef") or {}, spec.get("service") or {}
    return [f"target={target.get('name')}", f"service={service.get('name')}"]


def budget_keys(found: Manifest) -> list[str]:
    """Return what a PodDisruptionBudget selects; without a selector it selects nothing."""
    selector = found["spec"].get("selector")
    own = (selector or {}).get("matchLabels") or {}
    return [] if selector is None else pairs(own)[:1] or [_ANY]
