"""What cases about Deployments and ReplicaSets ask of a cluster, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import CANARY_IMAGE, deployment

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HOLDER = "serinus"


def image_of(body: Object) -> str:
    """Return the image of the one container of a pod, or of a workload's template."""
    spec = body["spec"].get("template", body)["spec"]
    return str(spec["containers"][0]["image"])


def owner_of(body: Object) -> str | None:
    """Return the name of the controller that owns an object."""
    for reference in body["metadata"].get("ownerReferences", []):
        if reference.get("controller"):
            return str(reference["name"])
    return None


def uids(objects: list[Object]) -> set[str]:
    """Return the identities of objects."""
    return {each["metadata"]["uid"] for each in objects}


def with_image(image: str) -> Object:
    """Return a strategic patch that gives the container `web` another image."""
    containers = [{"name": "web", "image": image}]
    return {"spec": {"template": {"spec": {"containers": containers}}}}


def without_ready(image: str) -> Callable[[Object], bool]:
    """Return a rule under which pods of one image never get ready."""
    return lambda pod: image_of(pod) != image


async def set_image(cluster: Cluster, name: str, image: str) -> Object:
    """Change the template of a Deployment."""
    return await cluster.patch("deployments", name, with_image(image), type="strategic")


async def scale(cluster: Cluster, name: str, replicas: int, kind: str = "deployments") -> None:
    """Set the replicas by way of the scale subresource."""
    await cluster.patch(kind, name, {"spec": {"replicas": replicas}}, subresource="scale")


async def pods(cluster: Cluster, labels: str | None = None) -> list[Object]:
    """Return the pods that are not on their way out."""
    found = (await cluster.list("pods", labels=labels)).items
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


async def set_of(cluster: Cluster, image: str, owner: str | None = None) -> Object:
    """Return the one ReplicaSet of that image, of that owner where one is named."""
    found = [
        each
        for each in (await cluster.list("replicasets")).items
        if image_of(each) == image and owner in {None, owner_of(each)}
    ]
    assert len(found) == 1, [each["metadata"] for each in found]
    return found[0]


async def sizes(cluster: Cluster, owner: str = "shop") -> dict[str, int]:
    """Return the wanted replicas of each ReplicaSet that a Deployment owns, by image."""
    return {
        image_of(each): each["spec"]["replicas"]
        for each in (await cluster.list("replicasets")).items
        if owner_of(each) == owner
    }


def condition(body: Object, kind: str) -> Object:
    """Return a condition of an object's status."""
    found = [each for each in body["status"].get("conditions", []) if each["type"] == kind]
    assert len(found) == 1, body["status"]
    wanted: Object = found[0]
    return wanted


async def observed(cluster: Cluster, name: str, kind: str = "deployments") -> Object:
    """Return a workload once its controller has acted on its latest spec."""

    async def seen() -> Object:
        body = await cluster.get(kind, name)
        assert body["status"].get("observedGeneration", 0) >= body["metadata"]["generation"]
        return body

    return await cluster.eventually(seen)


async def complete(cluster: Cluster, name: str = "shop") -> Object:
    """Return a Deployment once all its pods are of the latest template and available."""

    async def rolled_out() -> Object:
        body = await cluster.get("deployments", name)
        status, wanted = body["status"], body["spec"]["replicas"]
        assert status.get("observedGeneration", 0) >= body["metadata"]["generation"]
        for count in ("replicas", "updatedReplicas", "availableReplicas"):
            assert status.get(count, 0) == wanted, status
        return body

    return await cluster.eventually(rolled_out)


async def running(cluster: Cluster, name: str = "shop", **fields: Any) -> Object:
    """Create a Deployment and return it once it is complete."""
    await cluster.create("deployments", deployment(name, **fields))
    return await complete(cluster, name)


async def hold(cluster: Cluster, name: str = "shop") -> Object:
    """Pause a Deployment by applying that one field, as a manager of its own."""
    body = {"metadata": {"name": name}, "spec": {"paused": True}}
    return await cluster.apply("deployments", body, manager=HOLDER)


async def lift(cluster: Cluster, name: str = "shop") -> Object:
    """Withdraw what `hold` applied."""
    return await cluster.apply("deployments", {"metadata": {"name": name}}, manager=HOLDER)


async def held(cluster: Cluster, name: str = "shop", **fields: Any) -> Object:
    """Return a Deployment that is complete, held, and has the canary's image as its target."""
    await running(cluster, name, **fields)
    await hold(cluster, name)
    await set_image(cluster, name, CANARY_IMAGE)
    return await observed(cluster, name)


async def canary(cluster: Cluster, name: str = "shop-rev2", **fields: Any) -> Object:
    """Return a second Deployment with the very same selector and the target's template."""
    return await running(cluster, name, image=CANARY_IMAGE, **fields)


async def hand_over(cluster: Cluster, name: str = "shop-rev2") -> None:
    """Delete a Deployment and leave its ReplicaSet to whom it may concern."""
    await cluster.delete("deployments", name, propagation="Orphan")
