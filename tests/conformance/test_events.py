"""What the controllers tell people, as Events."""

from __future__ import annotations

from tests.conformance.cluster import Cluster
from tests.conformance.manifests import CANARY_IMAGE, STABLE_IMAGE
from tests.conformance.workloads import complete, running, set_image, set_of


async def messages(cluster: Cluster, kind: str, name: str) -> list[tuple[str, str, str]]:
    """Return type, reason and message of all events about an object."""
    fields = f"involvedObject.kind={kind},involvedObject.name={name}"
    found = (await cluster.list("events", fields=fields)).items
    return [(each["type"], each["reason"], each["message"]) for each in found]


async def test_a_deployment_tells_how_it_scales_its_sets(cluster: Cluster) -> None:
    await running(cluster, replicas=1)
    await set_image(cluster, "shop", CANARY_IMAGE)
    await complete(cluster)
    old = (await set_of(cluster, STABLE_IMAGE))["metadata"]["name"]
    new = (await set_of(cluster, CANARY_IMAGE))["metadata"]["name"]

    async def told() -> None:
        found = {message for _, _, message in await messages(cluster, "Deployment", "shop")}
        assert {
            f"Scaled up replica set {old} from 0 to 1",
            f"Scaled up replica set {new} from 0 to 1",
            f"Scaled down replica set {old} from 1 to 0",
        } <= found

    await cluster.eventually(told)
    kinds = {(kind, why) for kind, why, _ in await messages(cluster, "Deployment", "shop")}
    assert kinds == {("Normal", "ScalingReplicaSet")}


async def test_a_replica_set_tells_which_pods_it_makes(cluster: Cluster) -> None:
    await running(cluster, replicas=1)
    made = await set_of(cluster, STABLE_IMAGE)
    name = (await cluster.list("pods")).names()[0]

    async def told() -> None:
        found = await messages(cluster, "ReplicaSet", made["metadata"]["name"])
        assert ("Normal", "SuccessfulCreate", f"Created pod: {name}") in found

    await cluster.eventually(told)


async def test_an_event_names_its_object_and_its_source(cluster: Cluster) -> None:
    shop = await running(cluster, replicas=1)

    async def told() -> None:
        fields = "involvedObject.kind=Deployment,involvedObject.name=shop"
        [event] = (await cluster.list("events", fields=fields)).items
        assert event["involvedObject"]["uid"] == shop["metadata"]["uid"]
        assert event["involvedObject"]["apiVersion"] == "apps/v1"
        assert event["source"] == {"component": "deployment-controller"}
        assert event["reportingComponent"] == "deployment-controller"
        assert event["count"] == 1
        assert event["metadata"]["name"].startswith("shop.")
        assert event["firstTimestamp"] == event["lastTimestamp"]

    await cluster.eventually(told)
