"""Where routers stand: the names of their objects, and what of a Service is the owner's.

Router pods carry the labels that the Service selects, one of them with a value of ours. To point
the Service to them is to give that one key of its selector this value; no key comes or goes, so a
manifest that is applied again means plain pods again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serinus.traffic.naming import LABEL_VALUE_MAX, shorten
from serinus.traffic.plan import Live, Manifest, RouterParts
from serinus.traffic.pods import HASH_LABEL
from serinus.traffic.router import Reads
from serinus.traffic.write import ObjectRef

ROUTER_LABEL = "serinus.dev/router"
"""On all that belongs to the routers of a Service, with its name; also on their pods."""
_NAME_MAX = 63
GROUP_VERSIONS = {
    "Service": "v1",
    "ServiceAccount": "v1",
    "Deployment": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "TrafficPlan": "serinus.dev/v1alpha1",
}


class Names(msgspec.Struct, frozen=True):
    """What belongs to the routers of one Service."""

    service: str
    namespace: str

    @property
    def mark(self) -> str:
        """Return the value of the label on all of it."""
        return shorten(self.service, LABEL_VALUE_MAX)

    @property
    def stable(self) -> str:
        """Return the Service of the stable revision."""
        return self._with("stable")

    @property
    def canary(self) -> str:
        """Return the Service of the revision on trial."""
        return self._with("canary")

    @property
    def router(self) -> str:
        """Return the name of the Deployment and what goes with it; also the label's value."""
        return self._with("router")

    def _with(self, word: str) -> str:
        return f"{shorten(self.service, _NAME_MAX - len(word) - 1)}-{word}"

    def ref(self, kind: str, name: str) -> ObjectRef:
        """Return a reference to one of the objects."""
        return ObjectRef(GROUP_VERSIONS[kind], kind, self.namespace, name)

    @property
    def own(self) -> tuple[ObjectRef, ...]:
        """Return all objects of the routers, each before those that need it."""
        kinds = ("ServiceAccount", "Role", "RoleBinding", "PodDisruptionBudget")
        return (
            *(self.ref(kind, self.router) for kind in kinds),
            self.ref("Service", self.stable),
            self.ref("Service", self.canary),
            self.ref("TrafficPlan", self.service),
            self.ref("Deployment", self.router),
        )

    @property
    def reads(self) -> Reads:
        """Return what is looked at."""
        return Reads(
            objects=self.own,
            services=(self.stable, self.canary),
            pod_labels={ROUTER_LABEL: self.mark},
        )


class Place(msgspec.Struct, frozen=True):
    """A Service and its routers, as the cluster shows them."""

    names: Names
    service: Manifest
    target: Manifest | None
    parts: RouterParts
    key: str
    """The key of the selector whose value points to pods or to routers; empty without selector."""
    is_routed: bool
    selector: Mapping[str, str]
    """The owner's own; empty where nothing tells any more what it was."""

    @classmethod
    def of(cls, live: Live) -> Place | None:
        """Return the place; None without a Service."""
        service = live.service
        if service is None:
            return None
        meta = service["metadata"]
        names = Names(meta["name"], meta["namespace"])
        found = dict(service["spec"].get("selector") or {})
        key = next((k for k, v in sorted(found.items()) if v == names.router), "")
        selector = found
        if key:
            value = _value_before(key, names, live)
            selector = {**found, key: value} if value else {}
        return cls(
            names=names,
            service=service,
            target=live.target,
            parts=live.parts,
            key=key or _key(found, live.target),
            is_routed=bool(key),
            selector=selector,
        )

    @property
    def routed_selector(self) -> dict[str, str]:
        """Return the selector that takes the routers."""
        return {**self.selector, self.key: self.names.router}

    def found(self, kind: str, name: str) -> Manifest | None:
        """Return an object of the routers; one of somebody else's is none."""
        seen = self.parts.find(kind, name)
        return seen if seen is not None and is_ours(seen, self.names) else None

    @property
    def plan(self) -> Manifest | None:
        """Return the TrafficPlan."""
        return self.found("TrafficPlan", self.names.service)

    @property
    def deployment(self) -> Manifest | None:
        """Return the Deployment of the routers."""
        return self.found("Deployment", self.names.router)

    def pin(self, name: str) -> str:
        """Return the revision that the Service of a version is pinned to, or nothing."""
        seen = self.found("Service", name)
        return "" if seen is None else selector_of(seen).get(HASH_LABEL, "")


def selector_of(service: Manifest) -> dict[str, str]:
    """Return what a Service selects."""
    return dict(service["spec"].get("selector") or {})


def is_ours(found: Manifest, names: Names) -> bool:
    """Tell whether an object carries the mark of these routers."""
    return bool((found["metadata"].get("labels") or {}).get(ROUTER_LABEL) == names.mark)


def template_labels(target: Manifest | None) -> dict[str, Any]:
    """Return the labels of a Deployment's pods."""
    if target is None:
        return {}
    return dict(target["spec"]["template"].get("metadata", {}).get("labels") or {})


def _value_before(key: str, names: Names, live: Live) -> str:
    """Return what the owner's selector says: the Service of stable keeps it, and its pods do."""
    stable = live.parts.find("Service", names.stable)
    kept = "" if stable is None else selector_of(stable).get(key, "")
    return kept or str(template_labels(live.target).get(key, ""))


def _key(selector: Mapping[str, str], target: Manifest | None) -> str:
    """Return which key to change: one of the Deployment's own, so that it takes no router pod."""
    own = {} if target is None else target["spec"]["selector"].get("matchLabels") or {}
    return min((k for k in selector), key=lambda k: (k not in own, k), default="")
