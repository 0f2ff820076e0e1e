"""What the agents of routers do on a real cluster, done to the model: each answers its plan."""

from __future__ import annotations

from typing import Any

from serinus import kubernetes_model as model
from serinus.assignment.intervals import Version
from serinus.clock import Instant
from serinus.errors import NotFound
from serinus.kubernetes_model.kinds import (
    CUSTOM_RESOURCE_DEFINITIONS,
    ENDPOINT_SLICES,
    PODS,
)
from serinus.traffic.envoy.in_cluster.place import ROUTER_LABEL
from serinus.traffic.envoy.in_cluster.slices import endpoints_of
from serinus.traffic.envoy.report import Report, digest, endpoint_count
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import is_ready

_GROUP, _VERSION, _KIND, _PLURAL = "serinus.dev", "v1alpha1", "TrafficPlan", "trafficplans"
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def define(cluster: model.Cluster, now: Instant) -> None:
    """Let the model serve TrafficPlans."""
    version = {
        "name": _VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": dict(_ANYTHING), "status": dict(_ANYTHING)},
            }
        },
    }
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{_PLURAL}.{_GROUP}"},
        "spec": {
            "group": _GROUP,
            "scope": "Namespaced",
            "names": {"kind": _KIND, "plural": _PLURAL},
            "versions": [version],
        },
    }
    cluster.create(CUSTOM_RESOURCE_DEFINITIONS, body, now=now)


def answer(cluster: model.Cluster, namespace: str, now: Instant) -> bool:
    """Let every ready router do what its plan says, and say so; tell whether one had to."""
    plans = cluster.resource(f"{_GROUP}/{_VERSION}", _KIND)
    if plans is None:
        return False
    told = [_tell(cluster, plans, plan, now) for plan in cluster.list(plans, namespace).items]
    return any(told)


def _tell(cluster: model.Cluster, plans: model.Resource, plan: Manifest, now: Instant) -> bool:
    meta = plan["metadata"]
    before = (plan.get("status") or {}).get("routers") or []
    pods = [
        pod["metadata"]["name"]
        for pod in cluster.list(PODS, meta["namespace"]).items
        if is_ready(pod) and (pod["metadata"].get("labels") or {}).get(ROUTER_LABEL) == meta["name"]
    ]
    found = [_report(cluster, plan, name) for name in sorted(pods)]
    others = [each for each in before if each["router"] not in pods]
    if all(each in before for each in found):
        return False
    try:
        cluster.patch(
            plans,
            meta["name"],
            {"status": {"routers": [*others, *found]}},
            meta["namespace"],
            patch_type=model.PatchType.MERGE,
            now=now,
            subresource="status",
        )
    except NotFound:
        return False
    return True


def _report(cluster: model.Cluster, plan: Manifest, name: str) -> dict[str, Any]:
    meta, spec = plan["metadata"], plan["spec"]
    services = {v: spec[v.value]["service"] for v in Version}
    slices = cluster.list(ENDPOINT_SLICES, meta["namespace"]).items
    endpoints = endpoints_of(slices, services, [port["name"] for port in spec["ports"]])
    counts = {v: endpoint_count(endpoints, v) for v in Version}
    weight_bp = round(100 * spec["split"]["weight"])
    if not counts[Version.CANARY]:
        weight_bp = 0
    elif not counts[Version.STABLE]:
        weight_bp = 10_000
    return Report(
        router=name,
        generation=meta["generation"],
        in_force_generation=meta["generation"],
        weight_bp=weight_bp,
        stable_endpoint_count=counts[Version.STABLE],
        canary_endpoint_count=counts[Version.CANARY],
        endpoints=digest(endpoints),
        ready=True,
        restart_count=0,
        envoy_version="model",
        changed_at_ms=0,
    ).to_json()
