"""What a new cluster holds before anybody writes to it."""

from __future__ import annotations

from serinus.clock import Instant
from serinus.kubernetes_model import kinds
from serinus.kubernetes_model.cluster import Cluster
from serinus.kubernetes_model.requests import WriteOptions

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def populate(cluster: Cluster, now: Instant, *, server_port: int | None = None) -> None:
    """Create the namespaces, and the Service `kubernetes` when the server's port is known."""
    options = WriteOptions(field_manager="kube-apiserver")
    for name in NAMESPACES:
        cluster.create(kinds.NAMESPACES, {"metadata": {"name": name}}, now=now, options=options)
    if server_port is None:
        return
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = {"name": "https", "port": 443, "targetPort": server_port}
    service = {
        "metadata": {"name": "kubernetes", "labels": labels},
        "spec": {"clusterIP": "10.0.0.1", "ports": [port]},
    }
    cluster.create(kinds.SERVICES, service, "default", now=now, options=options)
