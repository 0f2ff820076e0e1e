"""What a new cluster holds before anyone writes to it, and what its server keeps right."""

from __future__ import annotations

import contextlib
import secrets
import sys
import uuid

from serinus import errors
from serinus.kubernetes_model import Cluster, Object, WriteOptions, kinds
from serinus.kubernetes_model.kinds import Resource
from serinus.local_cluster.server import rules
from serinus.local_cluster.server.live_cluster import LiveCluster

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
# Linux answers on all of 127/8, so cluster IPs work there; elsewhere nobody listens on them.
_SERVICE_NETWORK = "127.96.0.0/16" if sys.platform == "linux" else "10.0.0.0/24"
_OPTIONS = WriteOptions(field_manager="kube-apiserver")


def new_cluster() -> Cluster:
    """Return an empty model whose ids come from the system's source of randomness."""
    return Cluster(
        new_id=lambda: str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)),
        service_network=_SERVICE_NETWORK,
        evaluate=rules.evaluate,
    )


def populate(live: LiveCluster, port: int) -> None:
    """Make what every cluster has, as far as it is missing, and say where the server listens."""
    for name in NAMESPACES:
        _create(live, kinds.NAMESPACES, {"metadata": {"name": name}}, None)
    for name in NAMESPACES:
        _create(live, kinds.SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, name)
    _create(live, kinds.SERVICES, _service(), "default")
    _put_endpoints(live, port)


def _create(live: LiveCluster, resource: Resource, item: Object, namespace: str | None) -> None:
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
    with contextlib.suppress(errors.AlreadyExists):
        live.write(
            lambda: live.cluster.create(
                resource, body, namespace, now=live.clock.now_ms(), options=_OPTIONS
            )
        )


def _service() -> Object:
    return {
        "metadata": {
            "name": "kubernetes",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": _SERVICE_NETWORK.replace(".0/", ".1/").partition("/")[0],
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 443}],
        },
    }


def _put_endpoints(live: LiveCluster, port: int) -> None:
    """Say in an EndpointSlice where the server listens; the port may have changed."""
    item = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    _create(live, kinds.ENDPOINT_SLICES, item, "default")
    live.write(
        lambda: live.cluster.replace(
            kinds.ENDPOINT_SLICES,
            "kubernetes",
            item,
            "default",
            now=live.clock.now_ms(),
            options=_OPTIONS,
        )
    )
