from __future__ import annotations

from typing import Any

from serinus.kubernetes_model.controllers import Controllers
from serinus.kubernetes_model.kinds import ENDPOINT_SLICES, NODES, PODS, SERVICES
from serinus.kubernetes_model.requests import Object
from tests.unit.kubernetes_model.workloads.world import World, a_deployment, a_template

SELECTOR = {"app": "shop"}


def a_service(name: str = "shop", **spec: Any) -> Object:
    defaults: dict[str, Any] = {
        "type": "ClusterIP",
        "selector": SELECTOR,
        "ports": [{"name": "", "port": 80, "targetPort": "http", "protocol": "TCP"}],
    }
    return {
        "kind": "Service",
        "metadata": {"name": name, "labels": {"team": "checkout"}},
        "spec": {**defaults, **spec},
    }


def slices(world: World) -> list[Object]:
    return world.all(ENDPOINT_SLICES)


def addresses(item: Object) -> set[str]:
    return {address for entry in item["endpoints"] or () for address in entry["addresses"]}


def a_world(replicas: int = 2, **service: Any) -> World:
    world = World()
    world.apply(a_deployment(replicas=replicas))
    world.apply(a_service(**service))
    world.settle()
    return world


def test_a_service_gets_one_slice_with_its_ready_pods() -> None:
    world = a_world()
    (item,) = slices(world)
    assert item["metadata"]["generateName"] == "shop-"
    assert item["metadata"]["labels"] == {
        "team": "checkout",
        "kubernetes.io/service-name": "shop",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    (owner,) = item["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Service", "shop", True)
    assert item["addressType"] == "IPv4"
    assert item["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
    pod = world.pods()[0]
    entry = next(e for e in item["endpoints"] if e["targetRef"]["uid"] == pod["metadata"]["uid"])
    assert entry == {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": "local",
        "targetRef": {
            "kind": "Pod",
            "namespace": "default",
            "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
        },
    }


def test_a_service_without_pods_gets_an_empty_slice_that_is_filled_later() -> None:
    world = World()
    world.apply(a_service())
    world.settle()
    (empty,) = slices(world)
    assert (empty["endpoints"], empty["ports"]) == (None, None)
    world.apply(a_deployment(replicas=1))
    world.settle()
    (filled,) = slices(world)
    assert filled["metadata"]["name"] == empty["metadata"]["name"]
    assert len(filled["endpoints"]) == 1


def test_conditions_follow_readiness_and_deletion() -> None:
    world = a_world(1)
    (pod,) = world.pods()
    world.set_ready(pod, ready=False)
    world.run()
    (entry,) = slices(world)[0]["endpoints"]
    assert entry["conditions"] == {"ready": False, "serving": False, "terminating": False}
    world.set_ready(pod, ready=True)
    world.delete(PODS, pod["metadata"]["name"])
    world.run()
    entry = slices(world)[0]["endpoints"][0]
    assert entry["conditions"] == {"ready": False, "serving": True, "terminating": True}
    world.stop(pod)
    world.run()
    assert pod["status"]["podIP"] not in addresses(slices(world)[0])


def test_publishing_not_ready_addresses_calls_them_ready() -> None:
    world = a_world(1, publishNotReadyAddresses=True)
    (pod,) = world.pods()
    world.set_ready(pod, ready=False)
    world.run()
    conditions = slices(world)[0]["endpoints"][0]["conditions"]
    assert conditions == {"ready": True, "serving": False, "terminating": False}


def test_pods_that_name_the_port_differently_get_slices_of_their_own() -> None:
    world = World()
    world.apply(a_deployment(replicas=1))
    other = a_template("shop:2")
    other["spec"]["containers"][0]["ports"][0]["containerPort"] = 9090
    world.apply(a_deployment("other", replicas=1, template=other))
    world.apply(a_service())
    world.settle()
    assert {item["ports"][0]["port"] for item in slices(world)} == {8080, 9090}
    assert {len(item["endpoints"]) for item in slices(world)} == {1}


def test_a_port_that_the_pod_was_given_by_its_host_is_the_one_in_the_slice() -> None:
    world = a_world(2, ports=[{"name": "web", "port": 80, "targetPort": 8080}])
    for number, pod in enumerate(world.pods()):
        annotations = {"serinus.dev/host-ports": f'{{"8080": {31000 + number}}}'}
        world.edit(PODS, pod, annotations=annotations)
    world.run()
    ports = {item["ports"][0]["port"] for item in slices(world)}
    assert ports == {31000, 31001}
    assert {item["ports"][0]["name"] for item in slices(world)} == {"web"}


def test_a_changed_selector_changes_the_endpoints_in_place() -> None:
    world = a_world(1)
    (before,) = slices(world)
    world.apply(
        a_deployment(
            "green",
            image="shop:2",
            replicas=1,
            selector={"matchLabels": {"app": "shop", "colour": "green"}},
            template=a_template("shop:2", colour="green"),
        )
    )
    world.settle()
    assert len(slices(world)[0]["endpoints"]) == 2
    world.change(SERVICES, "shop", selector={"app": "shop", "colour": "green"})
    world.run()
    (after,) = slices(world)
    assert after["metadata"]["name"] == before["metadata"]["name"]
    (entry,) = after["endpoints"]
    assert entry["targetRef"]["name"].startswith("green-")


def test_more_than_a_hundred_pods_are_spread_over_slices() -> None:
    world = a_world(101)
    assert sorted(len(item["endpoints"]) for item in slices(world)) == [1, 100]
    assert len(addresses(slices(world)[0]) | addresses(slices(world)[1])) == 101


def test_a_new_pod_joins_a_slice_that_has_room_and_leaves_the_others_alone() -> None:
    world = a_world(101)
    full = next(item for item in slices(world) if len(item["endpoints"]) == 100)
    world.apply(a_deployment("more", replicas=1, image="shop:2"))
    world.settle()
    assert sorted(len(item["endpoints"]) for item in slices(world)) == [2, 100]
    same = world.get(ENDPOINT_SLICES, full["metadata"]["name"])
    assert same["metadata"]["resourceVersion"] == full["metadata"]["resourceVersion"]


def test_a_headless_service_is_labelled_so() -> None:
    world = a_world(1, clusterIP="None")
    assert slices(world)[0]["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_a_headless_service_without_ports_lists_addresses_alone() -> None:
    world = a_world(1, clusterIP="None", ports=[])
    (item,) = slices(world)
    assert item["ports"] is None
    assert len(item["endpoints"]) == 1


def test_services_that_keep_their_own_endpoints_are_left_alone() -> None:
    world = World()
    world.apply(a_service("by-hand", selector=None))
    world.apply(a_service("elsewhere", type="ExternalName", externalName="shop.example.com"))
    world.settle()
    assert slices(world) == []


def test_pods_without_an_address_are_left_out() -> None:
    world = World()
    world.apply(a_deployment(replicas=1))
    world.apply(a_service())
    world.run()
    assert slices(world)[0]["endpoints"] is None


def test_a_pod_on_an_unknown_node_is_left_out_until_the_node_is_there() -> None:
    world = World()
    world.delete(NODES, "local")
    world.apply(a_deployment(replicas=1))
    world.apply(a_service())
    world.settle()
    assert slices(world)[0]["endpoints"] is None
    world.apply({"kind": "Node", "metadata": {"name": "local"}, "spec": {}})
    world.pass_time(1_000)
    assert len(slices(world)[0]["endpoints"]) == 1


def test_changed_service_labels_reach_the_slice() -> None:
    world = a_world(1)
    world.relabel(SERVICES, "shop", team="search")
    world.run()
    assert slices(world)[0]["metadata"]["labels"]["team"] == "search"


def test_a_slice_that_someone_deletes_comes_back() -> None:
    world = a_world(1)
    (item,) = slices(world)
    world.delete(ENDPOINT_SLICES, item["metadata"]["name"])
    world.run()
    assert len(slices(world)[0]["endpoints"]) == 1


def test_slices_go_with_their_service() -> None:
    world = a_world(1)
    world.delete(SERVICES, "shop")
    world.run()
    assert slices(world) == []


def test_a_quiet_service_causes_no_writes() -> None:
    world = a_world(3)
    before = [item["metadata"]["resourceVersion"] for item in slices(world)]
    world.relabel(SERVICES, "shop", team="checkout", extra=None)
    world.pass_time(60_000)
    assert [item["metadata"]["resourceVersion"] for item in slices(world)] == before


def test_a_pod_is_reached_by_its_hostname_within_the_service_of_its_subdomain() -> None:
    world = World()
    template = a_template("shop:1")
    template["spec"].update(hostname="first", subdomain="shop")
    world.apply(a_deployment(replicas=1, template=template))
    world.apply(a_service())
    world.apply(a_service("other"))
    world.settle()
    named = {
        item["metadata"]["labels"]["kubernetes.io/service-name"]: item["endpoints"][0].get(
            "hostname"
        )
        for item in slices(world)
    }
    assert named == {"shop": "first", "other": None}


def test_a_named_port_is_found_on_a_sidecar_too() -> None:
    world = World()
    template = a_template("shop:1")
    sidecar = {
        "name": "proxy",
        "image": "proxy:1",
        "restartPolicy": "Always",
        "ports": [{"name": "metrics", "containerPort": 9901}],
    }
    template["spec"]["initContainers"] = [sidecar]
    world.apply(a_deployment(replicas=1, template=template))
    ports = [
        {"name": "m", "port": 1, "targetPort": "metrics", "appProtocol": "http"},
        {"name": "gone", "port": 2, "targetPort": "no-such-name"},
    ]
    world.apply(a_service(ports=ports))
    world.settle()
    assert slices(world)[0]["ports"] == [
        {"name": "m", "port": 9901, "protocol": "TCP", "appProtocol": "http"}
    ]


def test_an_address_of_the_other_family_is_left_out() -> None:
    world = a_world(1)
    (pod,) = world.pods()
    world.report(pod, podIP="fd00::1", podIPs=[{"ip": "fd00::1"}])
    world.run()
    assert slices(world)[0]["endpoints"] is None
    world.change(SERVICES, "shop", ipFamilies=["IPv6"])
    world.run()
    (item,) = slices(world)
    assert (item["addressType"], addresses(item)) == ("IPv6", {"fd00::1"})


def test_an_annotation_of_another_form_changes_no_port() -> None:
    world = a_world(1)
    (pod,) = world.pods()
    world.edit(PODS, pod, annotations={"serinus.dev/host-ports": "[8080]"})
    world.run()
    assert slices(world)[0]["ports"][0]["port"] == 8080


def test_the_zone_of_the_node_is_told() -> None:
    world = World()
    world.relabel(NODES, "local", **{"topology.kubernetes.io/zone": "north"})
    world.apply(a_deployment(replicas=1))
    world.apply(a_service())
    world.settle()
    assert slices(world)[0]["endpoints"][0]["zone"] == "north"


def test_a_slice_that_another_service_owned_is_replaced() -> None:
    world = a_world(1)
    (item,) = slices(world)
    stranger = {**item["metadata"]["ownerReferences"][0], "uid": "another"}
    old = {**item["metadata"], "ownerReferences": [stranger]}
    world.controllers.close()
    world.replace(ENDPOINT_SLICES, {**item, "metadata": old})
    world.controllers = Controllers(world.cluster)
    world.run()
    (new,) = slices(world)
    assert new["metadata"]["name"] != item["metadata"]["name"]
    assert len(new["endpoints"]) == 1
