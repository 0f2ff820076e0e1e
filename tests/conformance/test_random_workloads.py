"""Random changes to a Deployment, its canary and its pods end on the model as on Kubernetes.

Each seed draws a list of changes. The same list is made on the cluster under test and on the model,
and after each change, once nothing moves any more, both must look alike: sizes, owners, revisions,
sizes noted on the sets, counts, conditions, pods.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from serinus.errors import AlreadyExists, NotFound
from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import deployment
from tests.conformance.over_model import ModelCluster
from tests.conformance.pods import always
from tests.conformance.workloads import hand_over, image_of, owner_of, pods, scale, set_image

IMAGES = ("shop:1", "shop:2")
CANARY = "shop-rev2"
_PREFIX = "deployment.kubernetes.io/"
_QUIET_MS = 350
_LOOKS_MAX = 40


class Change(msgspec.Struct, frozen=True):
    """One change: what is done, and the draws that say to what."""

    what: str
    image: str
    replicas: int
    share: float


def draw(seed: int, count: int) -> tuple[Object, list[Change]]:
    """Return a Deployment and the changes that are made to it."""
    source = random.Random(seed)
    surge, unavailable = source.choice([("25%", "25%"), (1, 0), (0, 1), ("50%", "10%"), (2, 2)])
    body = deployment(
        replicas=source.choice([1, 3, 4, 10]),
        strategy={"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
        revisionHistoryLimit=source.choice([0, 1, 10]),
    )
    changes = [
        Change(
            what=source.choice([*sorted(_CHANGES), *_OFTEN]),
            image=source.choice(IMAGES),
            replicas=source.choice([0, 1, 2, 3, 5, 8, 12]),
            share=source.random(),
        )
        for _ in range(count)
    ]
    return body, changes


# Of 120 seeds these four together find most planted faults: saturation ignored or judged without
# availability, sizes not kept in proportion, unhealthy replicas not removed first, the newest in
# place of the oldest equal set, no history limit, wrong surge, progress where there is none.
@pytest.mark.parametrize("seed", [15, 16, 33, 49])
async def test_random_changes_end_alike(cluster: Cluster, seed: int) -> None:
    if isinstance(cluster, ModelCluster):
        pytest.skip("the model cannot be compared with itself")
    model = ModelCluster()
    body, changes = draw(seed, 10)
    for each in (cluster, model):
        await each.create("deployments", body)
    assert await at_rest(model) == await at_rest(cluster)
    for number, change in enumerate(changes):
        for each in (cluster, model):
            await _make(each, change)
        expected, found = await at_rest(cluster), await at_rest(model)
        assert found == expected, (number, [each.what for each in changes[: number + 1]])


async def at_rest(cluster: Cluster) -> dict[str, Any]:
    """Return what the cluster looks like once two looks in a row see the same."""

    async def nothing() -> None:
        """Let time pass, whatever it brings."""

    last = await look(cluster)
    for _ in range(_LOOKS_MAX):
        await cluster.steadily(nothing, for_ms=_QUIET_MS)
        now = await look(cluster)
        if now == last:
            return now
        last = now
    raise AssertionError(f"the cluster does not come to rest: {last}")


async def look(cluster: Cluster) -> dict[str, Any]:
    """Return what two clusters must have in common: no names, hashes or times."""
    sets = [_set(each) for each in (await cluster.list("replicasets")).items]
    found = (await cluster.list("pods")).items
    return {
        "deployments": {
            each["metadata"]["name"]: _deployment(each)
            for each in (await cluster.list("deployments")).items
        },
        "sets": sorted(sets, key=lambda each: json.dumps(each, sort_keys=True)),
        "pods": Counter(_pod(each) for each in found),
    }


def _deployment(body: Object) -> dict[str, Any]:
    status = dict(body["status"])
    told = status.pop("conditions", [])
    status["conditions"] = sorted((each["type"], each["status"], each["reason"]) for each in told)
    return {"status": status, "annotations": _noted(body)}


def _set(body: Object) -> dict[str, Any]:
    counts = {key: value for key, value in body["status"].items() if key != "observedGeneration"}
    return {
        "image": image_of(body),
        "owner": owner_of(body),
        "wanted": body["spec"]["replicas"],
        "annotations": _noted(body),
        "counts": counts,
    }


def _pod(body: Object) -> tuple[str, bool, bool, bool]:
    conditions = body["status"].get("conditions", [])
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    leaving = "deletionTimestamp" in body["metadata"]
    return image_of(body), leaving, owner_of(body) is not None, ready


def _noted(body: Object) -> dict[str, str]:
    annotations = body["metadata"].get("annotations", {})
    return {key: value for key, value in annotations.items() if key.startswith(_PREFIX)}


def never(_: Object) -> bool:
    """Say no to any pod."""
    return False


async def _make(cluster: Cluster, change: Change) -> None:
    try:
        await _CHANGES[change.what](cluster, change)
    except (NotFound, AlreadyExists):
        # There is nothing to change in that way now, on either cluster.
        return


async def _set_image(cluster: Cluster, change: Change) -> None:
    await set_image(cluster, "shop", change.image)


async def _scale(cluster: Cluster, change: Change) -> None:
    await scale(cluster, "shop", change.replicas)


async def _pause(cluster: Cluster, change: Change) -> None:
    await cluster.patch("deployments", "shop", {"spec": {"paused": True}})


async def _resume(cluster: Cluster, change: Change) -> None:
    await cluster.patch("deployments", "shop", {"spec": {"paused": None}})


async def _limit_history(cluster: Cluster, change: Change) -> None:
    body = {"spec": {"revisionHistoryLimit": change.replicas % 3}}
    await cluster.patch("deployments", "shop", body)


async def _add_canary(cluster: Cluster, change: Change) -> None:
    body = deployment(CANARY, image=change.image, replicas=change.replicas)
    await cluster.create("deployments", body)


async def _hand_over_canary(cluster: Cluster, change: Change) -> None:
    await hand_over(cluster, CANARY)


async def _delete_empty_set(cluster: Cluster, change: Change) -> None:
    for each in (await cluster.list("replicasets")).items:
        if image_of(each) == change.image and each["spec"]["replicas"] == 0:
            await cluster.delete("replicasets", each["metadata"]["name"])


async def _delete_pod(cluster: Cluster, change: Change) -> None:
    found = sorted((image_of(each), each["metadata"]["name"]) for each in await pods(cluster))
    if found:
        await cluster.delete("pods", found[int(change.share * len(found))][1])


async def _break_image(cluster: Cluster, change: Change) -> None:
    broken = change.image
    cluster.pods.ready_when = lambda pod: image_of(pod) != broken


async def _mend_images(cluster: Cluster, change: Change) -> None:
    cluster.pods.ready_when = always


async def _let_pods_linger(cluster: Cluster, change: Change) -> None:
    cluster.pods.gone_when = never


async def _let_pods_go(cluster: Cluster, change: Change) -> None:
    cluster.pods.gone_when = always


_CHANGES: dict[str, Callable[[Cluster, Change], Awaitable[None]]] = {
    "set image": _set_image,
    "scale": _scale,
    "pause": _pause,
    "resume": _resume,
    "limit history": _limit_history,
    "add canary": _add_canary,
    "hand over canary": _hand_over_canary,
    "delete empty set": _delete_empty_set,
    "delete pod": _delete_pod,
    "break image": _break_image,
    "mend images": _mend_images,
    "let pods linger": _let_pods_linger,
    "let pods go": _let_pods_go,
}
_OFTEN = ("pause", "set image", "set image", "scale", "add canary", "hand over canary")
