"""Services over the endpoints that the API server's own controllers make of our pods."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from serinus.kube import kinds
from serinus.local_cluster.node.run import Services
from tests.end_to_end.node import bench
from tests.end_to_end.node.bench import Bench, Network
from tests.end_to_end.node.shop import a_deployment, a_service, ask, until_answered_by


async def create(served: Bench, kind: kinds.Kind, body: dict[str, Any]) -> dict[str, Any]:
    return await served.client.create(kind, body, served.namespace)


async def until_refused(host: str, port: int) -> None:
    async with asyncio.timeout(bench.WITHIN_S):
        while True:
            try:
                await ask(host, port)
            except aiohttp.ClientConnectorError:
                return
            except aiohttp.ClientError:
                continue
            await asyncio.sleep(0.02)


async def scale(served: Bench, count: int) -> None:
    await served.client.scale(kinds.DEPLOYMENTS, "shop", served.namespace, count)


async def test_a_node_port_reaches_every_ready_pod_and_refuses_when_there_is_none(
    served: Bench, network: Network
) -> None:
    await create(served, kinds.DEPLOYMENTS, a_deployment(3))
    service = await create(served, kinds.SERVICES, a_service())
    port = service["spec"]["ports"][0]["nodePort"]
    pods = await until_answered_by(network.node_address, port, 3)
    assert {p["metadata"]["name"] for p in await all_pods(served)} == pods
    await scale(served, 0)
    await until_refused(network.node_address, port)
    await scale(served, 2)
    assert pods.isdisjoint(await until_answered_by(network.node_address, port, 2))


async def test_a_node_that_leaves_services_alone_listens_for_none(
    kubeconfig: Path, idle_bench: Bench, network: Network
) -> None:
    state, alone = idle_bench.state, Services.NONE
    async with bench.node(kubeconfig, state, network=network, services=alone):
        await create(idle_bench, kinds.DEPLOYMENTS, a_deployment(1))
        service = await create(idle_bench, kinds.SERVICES, a_service())
        port = service["spec"]["ports"][0]["nodePort"]
        await bench.until_true(lambda: has_endpoint(idle_bench))
        with pytest.raises(aiohttp.ClientConnectorError):
            await ask(network.node_address, port)
    # The same Service is reached as soon as a node serves it.
    async with bench.node(kubeconfig, state, network=network):
        await until_answered_by(network.node_address, port, 1)


async def has_endpoint(served: Bench) -> bool:
    slices = (await served.client.list(kinds.ENDPOINT_SLICES, served.namespace)).items
    return any(e["conditions"]["ready"] for s in slices for e in s.get("endpoints") or ())


async def all_pods(served: Bench) -> list[dict[str, Any]]:
    return (await served.client.list(kinds.PODS, served.namespace)).items


async def test_connections_are_drawn_evenly(served: Bench, network: Network) -> None:
    await create(served, kinds.DEPLOYMENTS, a_deployment(4))
    service = await create(served, kinds.SERVICES, a_service())
    port = service["spec"]["ports"][0]["nodePort"]
    pods = await until_answered_by(network.node_address, port, 4)
    count = 1_000
    answers = Counter([await ask(network.node_address, port) for _ in range(count)])
    for pod in pods:
        z = (answers[pod] - count / 4) / (count * 0.25 * 0.75) ** 0.5
        assert abs(z) < 4.5, (pod, z)


async def test_a_cluster_ip_is_served_where_the_machine_has_it(
    served: Bench, api_kind: str
) -> None:
    await create(served, kinds.DEPLOYMENTS, a_deployment(2))
    service = await create(served, kinds.SERVICES, a_service(type="ClusterIP"))
    address = service["spec"]["clusterIP"]
    with socket.socket() as probe:
        try:
            probe.bind((address, 80))
        except OSError:
            assert api_kind == "local"
            pytest.skip(f"{address}:80 is not for us: cluster IPs are not reachable here")
    await until_answered_by(address, 80, 2)


async def test_named_ports_lead_where_each_pod_has_them(served: Bench, network: Network) -> None:
    ports = [{"name": "web", "containerPort": 8080}, {"name": "more", "containerPort": 9090}]
    await create(served, kinds.DEPLOYMENTS, a_deployment(2, ports=ports))
    wanted = [
        {"name": "first", "port": 80, "targetPort": "web"},
        {"name": "second", "port": 81, "targetPort": "more"},
    ]
    service = await create(served, kinds.SERVICES, a_service(ports=wanted))
    for port in service["spec"]["ports"]:
        await until_answered_by(network.node_address, port["nodePort"], 2)


async def test_a_client_with_affinity_stays_with_its_pod(served: Bench, network: Network) -> None:
    await create(served, kinds.DEPLOYMENTS, a_deployment(3))
    body = a_service(sessionAffinity="ClientIP")
    service = await create(served, kinds.SERVICES, body)
    port = service["spec"]["ports"][0]["nodePort"]
    (first,) = await until_answered_by(network.node_address, port, 1)
    selector = "kubernetes.io/service-name=shop"

    async def three_are_ready() -> bool:
        found = await served.client.list(
            kinds.ENDPOINT_SLICES, served.namespace, label_selector=selector
        )
        endpoints = [e for s in found.items for e in s.get("endpoints") or ()]
        return [bool(e["conditions"]["ready"]) for e in endpoints] == [True, True, True]

    await bench.until_true(three_are_ready)
    answers = {await ask(network.node_address, port) for _ in range(100)}
    assert answers == {first}


async def test_a_node_port_that_somebody_has_is_told_and_taken_when_it_is_free(
    served: Bench, network: Network
) -> None:
    await create(served, kinds.DEPLOYMENTS, a_deployment(1))
    with socket.create_server((network.node_address, 32_611)):
        ports = [{"port": 80, "targetPort": 80, "nodePort": 32_611}]
        await create(served, kinds.SERVICES, a_service(ports=ports))
        (event,) = await served.events("shop", "PortNotAvailable")
        assert event["type"] == "Warning"
        assert event["involvedObject"]["kind"] == "Service"
        assert f"{network.node_address}:32611: Address already in use" in event["message"]
    await until_answered_by(network.node_address, 32_611, 1)


async def test_open_connections_stay_where_they_are_when_pods_come(
    served: Bench, network: Network
) -> None:
    await create(served, kinds.DEPLOYMENTS, a_deployment(1))
    service = await create(served, kinds.SERVICES, a_service())
    port = service["spec"]["ports"][0]["nodePort"]
    (first,) = await until_answered_by(network.node_address, port, 1)
    url = f"http://{network.node_address}:{port}/"
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask_again() -> str:
            async with session.get(url) as response:
                return str(json.loads(await response.text())["pod"])

        assert await ask_again() == first
        await scale(served, 4)
        await until_answered_by(network.node_address, port, 4)
        assert {await ask_again() for _ in range(50)} == {first}


async def test_pods_that_leave_politely_cost_no_new_connection(
    served: Bench, network: Network
) -> None:
    await create(served, kinds.DEPLOYMENTS, a_deployment(3))
    service = await create(served, kinds.SERVICES, a_service())
    port = service["spec"]["ports"][0]["nodePort"]
    before = await until_answered_by(network.node_address, port, 3)
    answers: list[str] = []
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            answers.append(await ask(network.node_address, port))

    running = [asyncio.create_task(load()) for _ in range(4)]
    template = {"metadata": {"annotations": {"restarted": "yes"}}}
    await served.client.patch(
        kinds.DEPLOYMENTS, "shop", served.namespace, {"spec": {"template": template}}
    )

    async def all_are_gone() -> bool:
        return before.isdisjoint(p["metadata"]["name"] for p in await all_pods(served))

    await bench.until_true(all_are_gone)
    stop.set()
    await asyncio.gather(*running)
    assert before < set(answers)


async def test_where_pods_share_one_address_services_lead_to_their_other_ports(
    kubeconfig: Path, idle_bench: Bench, api_kind: str
) -> None:
    if api_kind == "kubernetes":
        pytest.skip("a real API server takes no loopback addresses for endpoints")
    shared = Network("127.0.0.1/32", "127.0.0.1")
    async with bench.node(kubeconfig, idle_bench.state, network=shared):
        probe = {"httpGet": {"path": "/healthz", "port": 80}}
        await create(idle_bench, kinds.DEPLOYMENTS, a_deployment(3, readinessProbe=probe))
        service = await create(idle_bench, kinds.SERVICES, a_service())
        port = service["spec"]["ports"][0]["nodePort"]
        names = await until_answered_by("127.0.0.1", port, 3)
        pods = {p["metadata"]["name"]: p for p in await all_pods(idle_bench)}
        assert set(pods) == names
        moved = [
            json.loads(p["metadata"]["annotations"]["serinus.dev/host-ports"])
            for p in pods.values()
        ]
        assert len({m["80"] for m in moved}) == 3
        assert {p["status"]["podIP"] for p in pods.values()} == {"127.0.0.1"}
        (event,) = await idle_bench.events(min(names), "PortMoved")
        assert "port 80 may not be bound" in event["message"]


async def test_an_unreachable_cluster_ip_troubles_nobody(served: Bench, network: Network) -> None:
    await create(served, kinds.DEPLOYMENTS, a_deployment(1))
    service = await create(served, kinds.SERVICES, a_service())
    await until_answered_by(network.node_address, service["spec"]["ports"][0]["nodePort"], 1)
    found = await served.client.list(
        kinds.EVENTS, served.namespace, field_selector="reason=PortNotAvailable"
    )
    assert found.items == []
