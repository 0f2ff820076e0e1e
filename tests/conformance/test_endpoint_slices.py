"""EndpointSlices follow Services and pods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import pod, service
from tests.conformance.pods import always, never
from tests.conformance.workloads import pods, running, set_image

OF_SHOP = "kubernetes.io/service-name=shop"


async def one_slice(cluster: Cluster, labels: str = OF_SHOP) -> Object:
    """Return the only EndpointSlice of the Service."""
    found = (await cluster.list("endpointslices", labels=labels)).items
    assert len(found) == 1, found
    return found[0]


def ready_addresses(body: Object) -> set[str]:
    """Return the addresses that take new connections."""
    return {
        address
        for endpoint in body["endpoints"] or []
        if endpoint["conditions"]["ready"]
        for address in endpoint["addresses"]
    }


def ready_is(cluster: Cluster, count: int) -> Callable[[], Awaitable[Object]]:
    """Return a condition: so many endpoints are ready."""

    async def check() -> Object:
        found = await one_slice(cluster)
        assert len(ready_addresses(found)) == count, found["endpoints"]
        return found

    return check


async def test_a_slice_names_its_service_and_the_ready_pods(cluster: Cluster) -> None:
    made = await cluster.create("services", service())
    await running(cluster)
    found = await cluster.eventually(ready_is(cluster, 3))
    assert found["addressType"] == "IPv4"
    assert found["metadata"]["generateName"] == "shop-"
    assert found["metadata"]["labels"] == {
        "kubernetes.io/service-name": "shop",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert found["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "name": "shop",
            "uid": made["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    assert found["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]
    assert ready_addresses(found) == {each["status"]["podIP"] for each in await pods(cluster)}
    names = {endpoint["targetRef"]["name"] for endpoint in found["endpoints"]}
    assert names == {each["metadata"]["name"] for each in await pods(cluster)}
    first = found["endpoints"][0]
    assert first["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert first["nodeName"] == "node-1"
    assert first["targetRef"]["kind"] == "Pod"
    assert first["targetRef"]["namespace"] == cluster.namespace


async def test_a_service_without_pods_has_an_empty_slice(cluster: Cluster) -> None:
    await cluster.create("services", service())

    async def empty() -> None:
        assert not (await one_slice(cluster))["endpoints"] or []

    await cluster.eventually(empty)


async def test_an_unready_pod_is_listed_as_not_ready(cluster: Cluster) -> None:
    cluster.pods.ready_when = never
    await cluster.create("services", service())
    await cluster.create("pods", pod())

    async def listed() -> None:
        endpoints = (await one_slice(cluster))["endpoints"] or []
        assert [each["conditions"] for each in endpoints] == [
            {"ready": False, "serving": False, "terminating": False}
        ]

    await cluster.eventually(listed)
    cluster.pods.ready_when = always
    await cluster.eventually(ready_is(cluster, 1))


async def test_a_terminating_pod_serves_and_is_not_ready(cluster: Cluster) -> None:
    await cluster.create("services", service())
    await cluster.create("pods", pod())
    await cluster.eventually(ready_is(cluster, 1))
    cluster.pods.gone_when = never
    await cluster.delete("pods", "one")

    async def leaving() -> None:
        endpoints = (await one_slice(cluster))["endpoints"] or []
        assert [each["conditions"] for each in endpoints] == [
            {"ready": False, "serving": True, "terminating": True}
        ]

    await cluster.eventually(leaving)
    cluster.pods.gone_when = always

    async def left() -> None:
        assert not (await one_slice(cluster))["endpoints"] or []

    await cluster.eventually(left)


async def test_publish_not_ready_addresses_makes_all_endpoints_ready(cluster: Cluster) -> None:
    cluster.pods.ready_when = never
    await cluster.create("services", service(publishNotReadyAddresses=True))
    await cluster.create("pods", pod())
    found = await cluster.eventually(ready_is(cluster, 1))
    assert found["endpoints"][0]["conditions"]["ready"] is True


async def test_a_named_target_port_is_the_pods_own(cluster: Cluster) -> None:
    ports = [{"name": "web", "port": 80, "targetPort": "http"}]
    await cluster.create("services", service(ports=ports))
    body = pod()
    body["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}]
    await cluster.create("pods", body)
    found = await cluster.eventually(ready_is(cluster, 1))
    assert found["ports"] == [{"name": "web", "port": 8080, "protocol": "TCP"}]


async def test_pods_with_different_ports_of_one_name_go_into_two_slices(cluster: Cluster) -> None:
    ports = [{"name": "web", "port": 80, "targetPort": "http"}]
    await cluster.create("services", service(ports=ports))
    for name, port in (("one", 8080), ("two", 9090)):
        body = pod(name)
        body["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": port}]
        await cluster.create("pods", body)

    async def two_slices() -> None:
        found = (await cluster.list("endpointslices", labels=OF_SHOP)).items
        by_port = {
            each["ports"][0]["port"]: len(ready_addresses(each)) for each in found if each["ports"]
        }
        assert by_port == {8080: 1, 9090: 1}

    await cluster.eventually(two_slices)


async def test_a_changed_selector_changes_the_endpoints(cluster: Cluster) -> None:
    await cluster.create("services", service())
    await running(cluster)
    await cluster.eventually(ready_is(cluster, 3))
    hashed = (await pods(cluster))[0]["metadata"]["labels"]["pod-template-hash"]
    await set_image(cluster, "shop", "shop:2")

    async def only_old() -> None:
        narrowed = {"spec": {"selector": {"pod-template-hash": hashed}}}
        await cluster.patch("services", "shop", narrowed)
        old = await pods(cluster, f"pod-template-hash={hashed}")
        found = ready_addresses(await one_slice(cluster))
        assert found <= {each["status"]["podIP"] for each in old}

    await cluster.eventually(only_old)
    await cluster.patch("services", "shop", {"spec": {"selector": {"pod-template-hash": None}}})
    await cluster.eventually(ready_is(cluster, 3))


async def test_a_pod_that_loses_the_label_leaves_the_slice(cluster: Cluster) -> None:
    await cluster.create("services", service())
    await cluster.create("pods", pod("one"))
    await cluster.create("pods", pod("two"))
    await cluster.eventually(ready_is(cluster, 2))
    await cluster.patch("pods", "one", {"metadata": {"labels": {"app": "other"}}})
    await cluster.eventually(ready_is(cluster, 1))


async def test_a_deleted_service_takes_its_slice_along(cluster: Cluster) -> None:
    await cluster.create("services", service())

    async def made() -> None:
        await one_slice(cluster)

    await cluster.eventually(made)
    await cluster.delete("services", "shop")

    async def gone() -> None:
        assert (await cluster.list("endpointslices", labels=OF_SHOP)).items == []

    await cluster.eventually(gone)


async def test_a_service_without_a_selector_gets_no_slice(cluster: Cluster) -> None:
    body = service()
    del body["spec"]["selector"]
    await cluster.create("services", body)
    await cluster.create("services", service("other"))

    async def other_has_one() -> None:
        await one_slice(cluster, "kubernetes.io/service-name=other")

    await cluster.eventually(other_has_one)
    assert (await cluster.list("endpointslices", labels=OF_SHOP)).items == []


async def test_a_finished_pod_is_no_endpoint(cluster: Cluster) -> None:
    await cluster.create("services", service())
    await cluster.create("pods", pod())
    await cluster.eventually(ready_is(cluster, 1))
    # As a kubelet does it: the phase alone would not wake the controller.
    ended = {"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False"}]}
    await cluster.patch("pods", "one", {"status": ended}, type="strategic", subresource="status")
    await cluster.eventually(ready_is(cluster, 0))
