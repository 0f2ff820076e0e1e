"""The objects of routers. They belong to the user's Service: without it they go by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import xxhash

import serinus
from serinus.assignment.split import Split
from serinus.assignment.text_form import document_of
from serinus.traffic.envoy.in_cluster.options import EnvoyOptions
from serinus.traffic.envoy.in_cluster.place import ROUTER_LABEL, Names, Place
from serinus.traffic.envoy.in_cluster.ports import Listener
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import HASH_LABEL
from serinus.traffic.write import Verb, Write

RENDERED = "serinus.dev/rendered"
"""What the manifest was, in short: another one is applied again."""
_USER = 65532
_GRACE_S = 15
_UNPRIVILEGED = 1_024
_RBAC = "rbac.authorization.k8s.io"


def applied(manifest: dict[str, Any], why: str, names: Names) -> Write:
    """Return the write of an object of ours: the fields that it names are ours alone."""
    kind, meta = manifest["kind"], manifest["metadata"]
    ref = names.ref(kind, meta["name"])
    return Write(verb=Verb.APPLY, target=ref, why=why, body=manifest)


def is_rendered(found: Manifest | None, manifest: Mapping[str, Any]) -> bool:
    """Tell whether an object was last applied as this manifest, and is not on its way out."""
    if found is None:
        return False
    meta = found["metadata"]
    mark = (meta.get("annotations") or {}).get(RENDERED)
    return bool(
        mark == manifest["metadata"]["annotations"][RENDERED] and not meta.get("deletionTimestamp")
    )


def version_service(
    place: Place, name: str, revision: str, ports: tuple[Listener, ...]
) -> dict[str, Any]:
    """Return the Service of one version: the owner's selector, pinned where a revision is named."""
    pinned = {HASH_LABEL: revision} if revision else {}
    return _marked(
        place,
        "Service",
        name,
        spec={
            "selector": {**place.selector, **pinned},
            "ports": [
                {
                    "name": each.name,
                    "port": each.listen,
                    "targetPort": each.target_port,
                    "protocol": "TCP",
                }
                for each in ports
            ],
        },
    )


def traffic_plan(
    place: Place, split: Split, ports: tuple[Listener, ...], options: EnvoyOptions, *, mirrors: bool
) -> dict[str, Any]:
    """Return the plan."""
    names = place.names
    spec: dict[str, Any] = {
        "ports": [msgspec.to_builtins(each.port) for each in ports],
        "split": document_of(split),
        "stable": {"service": names.stable},
        "canary": {"service": names.canary},
    }
    if options.retry_on_stable is not None:
        spec["retryOnStable"] = msgspec.to_builtins(options.retry_on_stable)
    if options.mirror is not None and mirrors:
        spec["mirror"] = msgspec.to_builtins(options.mirror)
    return _marked(place, "TrafficPlan", names.service, spec=spec)


def accounts(place: Place) -> list[dict[str, Any]]:
    """Return the account of the routers and what it may do: follow their plan, and answer it."""
    names = place.names
    plans = {"apiGroups": ["serinus.dev"], "resourceNames": [names.service]}
    rules = [
        {**plans, "resources": ["trafficplans"], "verbs": ["get", "list", "watch"]},
        {**plans, "resources": ["trafficplans/status"], "verbs": ["patch"]},
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["get", "list", "watch"],
        },
    ]
    return [
        _marked(place, "ServiceAccount", names.router),
        _marked(place, "Role", names.router, rules=rules),
        _marked(
            place,
            "RoleBinding",
            names.router,
            roleRef={"apiGroup": _RBAC, "kind": "Role", "name": names.router},
            subjects=[
                {"kind": "ServiceAccount", "name": names.router, "namespace": names.namespace}
            ],
        ),
        _marked(
            place,
            "PodDisruptionBudget",
            names.router,
            spec={
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": {ROUTER_LABEL: names.mark}},
            },
        ),
    ]


def deployment(place: Place, ports: tuple[Listener, ...], options: EnvoyOptions) -> dict[str, Any]:
    """Return the Deployment of the routers: their pods are what the routed Service selects."""
    names = place.names
    own = {ROUTER_LABEL: names.mark}
    return _marked(
        place,
        "Deployment",
        names.router,
        spec={
            "replicas": options.replica_count,
            "selector": {"matchLabels": own},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {"labels": {**place.routed_selector, **own}},
                "spec": _pod(names, ports, options),
            },
        },
    )


def _pod(names: Names, ports: tuple[Listener, ...], options: EnvoyOptions) -> dict[str, Any]:
    security: dict[str, Any] = {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if any(each.listen < _UNPRIVILEGED for each in ports):
        security["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {ROUTER_LABEL: names.mark}},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
    return {
        "serviceAccountName": names.router,
        "securityContext": security,
        "terminationGracePeriodSeconds": -(-options.drain_ms // 1000) + _GRACE_S,
        "topologySpreadConstraints": spread,
        "containers": [_container(names, ports, options)],
        "volumes": [{"name": "files", "emptyDir": {}}],
    }


def _container(names: Names, ports: tuple[Listener, ...], options: EnvoyOptions) -> dict[str, Any]:
    fields = (
        ("POD_NAME", "metadata.name"),
        ("POD_NAMESPACE", "metadata.namespace"),
        ("POD_IP", "status.podIP"),
    )
    serving = {"tcpSocket": {"port": ports[0].listen if ports else 0}}
    return {
        "name": "router",
        "image": options.image or f"serinus:{serinus.__version__}",
        "args": [
            "router",
            "agent",
            names.service,
            # In one place with others, as in a sandbox, each has an address of its own.
            "--listen=$(POD_IP)",
            f"--drain={options.drain_ms}ms",
        ],
        "env": [
            *({"name": n, "valueFrom": {"fieldRef": {"fieldPath": path}}} for n, path in fields),
            {"name": "ROUTER_PORTS", "value": ",".join(str(each.listen) for each in ports)},
        ],
        "ports": [_container_port(each) for each in ports],
        "readinessProbe": {**serving, "periodSeconds": 1, "failureThreshold": 2},
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # Envoy's files, and the socket of its admin.
        "volumeMounts": [{"name": "files", "mountPath": "/tmp"}],  # noqa: S108 - in a pod of ours
    }


def _container_port(each: Listener) -> dict[str, Any]:
    # Named as the user's own containers name it, so that the Service finds it by that name.
    named = isinstance(each.target_port, str) and not each.target_port.isdigit()
    name = {"name": each.target_port} if named else {}
    return {**name, "containerPort": each.listen, "protocol": "TCP"}


def _marked(place: Place, kind: str, name: str, **parts: Any) -> dict[str, Any]:
    names, owner = place.names, place.service["metadata"]
    metadata = {
        "name": name,
        "namespace": names.namespace,
        "labels": {ROUTER_LABEL: names.mark},
        "ownerReferences": [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "name": owner["name"],
                "uid": owner["uid"],
                "controller": False,
                "blockOwnerDeletion": False,
            }
        ],
    }
    made = {
        "apiVersion": names.ref(kind, name).api_version,
        "kind": kind,
        "metadata": metadata,
        **parts,
    }
    mark = xxhash.xxh64_hexdigest(msgspec.json.encode(made, order="sorted"))
    return {**made, "metadata": {**metadata, "annotations": {RENDERED: mark}}}
