"""Pods between the API server and their node: binding and status."""

from __future__ import annotations

import pytest

from serinus.errors import Conflict, Invalid, NotFound
from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import pod


async def bind(cluster: Cluster, node: str, name: str = "one") -> Object:
    body = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
    return await cluster.create("pods", body, name=name, subresource="binding")


def conditions(body: Object) -> dict[str, str]:
    return {each["type"]: each["status"] for each in body["status"].get("conditions") or []}


async def test_a_binding_gives_a_pod_its_node(cluster: Cluster) -> None:
    made = await cluster.create("pods", pod())
    answer = await bind(cluster, "node-9")
    assert answer["kind"] == "Status"
    assert answer["status"] == "Success"
    bound = await cluster.get("pods", "one")
    assert bound["spec"]["nodeName"] == "node-9"
    assert conditions(bound) == {"PodScheduled": "True"}
    assert bound["metadata"]["uid"] == made["metadata"]["uid"]


async def test_a_pod_is_bound_only_once(cluster: Cluster) -> None:
    await cluster.create("pods", pod())
    await bind(cluster, "node-9")
    with pytest.raises(Conflict, match='pod one is already assigned to node "node-9"') as refused:
        await bind(cluster, "node-8")
    assert refused.value.code == 409


async def test_a_missing_pod_cannot_be_bound(cluster: Cluster) -> None:
    with pytest.raises(NotFound, match='pods "absent" not found'):
        await bind(cluster, "node-9", "absent")


async def test_conditions_of_a_status_are_merged_by_type(cluster: Cluster) -> None:
    await cluster.create("pods", pod(nodeName="node-9"))

    async def tell(kind: str, status: str) -> Object:
        body = {"status": {"conditions": [{"type": kind, "status": status}]}}
        return await cluster.patch("pods", "one", body, type="strategic", subresource="status")

    await tell("Initialized", "True")
    await tell("Ready", "False")
    written = await tell("Ready", "True")
    found = conditions(written)
    assert found["Initialized"] == "True"
    assert found["Ready"] == "True"


async def test_a_status_write_of_a_pod_leaves_its_spec(cluster: Cluster) -> None:
    made = await cluster.create("pods", pod(nodeName="node-9"))
    body = {
        "spec": {"containers": [{"name": "web", "image": "other:1"}]},
        "status": {"phase": "Running"},
    }
    written = await cluster.patch("pods", "one", body, type="strategic", subresource="status")
    assert written["spec"] == made["spec"]
    assert written["status"]["phase"] == "Running"


async def test_a_pod_address_may_be_written_only_in_the_status(cluster: Cluster) -> None:
    await cluster.create("pods", pod(nodeName="node-9"))
    status = {"phase": "Running", "podIP": "10.244.1.7", "podIPs": [{"ip": "10.244.1.7"}]}
    kept = await cluster.patch("pods", "one", {"status": status})
    assert "podIP" not in kept["status"]
    written = await cluster.patch("pods", "one", {"status": status}, subresource="status")
    assert written["status"]["podIP"] == "10.244.1.7"
    assert written["status"]["podIPs"] == [{"ip": "10.244.1.7"}]


async def test_the_node_of_a_pod_is_fixed(cluster: Cluster) -> None:
    await cluster.create("pods", pod(nodeName="node-9"))
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        await cluster.patch("pods", "one", {"spec": {"nodeName": "node-8"}})


async def test_a_pod_counts_generations(cluster: Cluster) -> None:
    made = await cluster.create("pods", pod(nodeName="node-9"))
    assert made["metadata"]["generation"] == 1
    body = {"spec": {"containers": [{"name": "web", "image": "shop:2"}]}}
    changed = await cluster.patch("pods", "one", body, type="strategic")
    assert changed["metadata"]["generation"] == 2
