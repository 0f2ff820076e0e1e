"""Owners and those they own: circles, and random changes that end on the model as on Kubernetes.

Each seed draws a list of changes to ConfigMaps that own each other, in cycles too, or name owners
that never were. The list is made on the cluster under test and on the model; after each change,
once nothing moves any more, the same objects must be left, in the same state.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from serinus.errors import NotFound
from tests.conformance.cluster import Cluster, Object, Propagation
from tests.conformance.manifests import config_map, owner_reference
from tests.conformance.over_model import ModelCluster

HOLD = "example.com/hold"
_POLICIES: tuple[Propagation, ...] = ("Background", "Foreground", "Orphan")
_QUIET_MS = 500
_LOOKS_MAX = 30


class Change(msgspec.Struct, frozen=True):
    """One change: what is done to which objects (by their place among all), and how."""

    what: str
    name: str
    places: tuple[float, float]
    propagation: Propagation
    owners_count: int
    blocks: bool
    held: bool
    ghost: bool


def draw(seed: int, count: int) -> list[Change]:
    """Return the changes of one seed."""
    source = random.Random(seed)
    return [
        Change(
            what=source.choice(["create", "create", "create", "delete", "delete", "free", "own"]),
            name=f"object-{number:02}",
            places=(source.random(), source.random()),
            propagation=source.choice(_POLICIES),
            owners_count=source.choice([0, 1, 1, 2]),
            blocks=source.random() < 0.6,
            held=source.random() < 0.3,
            ghost=source.random() < 0.1,
        )
        for number in range(count)
    ]


# Of 80 seeds these three together find the planted faults: an owner looked at before its
# dependents, a wait for all dependents or for none, waiting owners taken for living ones, orphans
# that keep their owner, background in place of foreground, dependents that came late forgotten.
@pytest.mark.parametrize("seed", [12, 53, 69])
async def test_random_owners_end_alike(cluster: Cluster, seed: int) -> None:
    if isinstance(cluster, ModelCluster):
        pytest.skip("the model cannot be compared with itself")
    model = ModelCluster()
    changes = draw(seed, 14)
    for number, change in enumerate(changes):
        for each in (cluster, model):
            await _make(each, change)
        expected, found = await at_rest(cluster), await at_rest(model)
        assert found == expected, (number, changes[: number + 1])


async def test_two_that_own_each_other_go_together(cluster: Cluster) -> None:
    first = await cluster.create("configmaps", config_map("object-1"))
    reference = owner_reference(first, blockOwnerDeletion=True)
    body = config_map("object-2", ownerReferences=[reference])
    second = await cluster.create("configmaps", body)
    reference = owner_reference(second, blockOwnerDeletion=True)
    await cluster.patch("configmaps", "object-1", {"metadata": {"ownerReferences": [reference]}})
    await cluster.delete("configmaps", "object-1", propagation="Foreground")

    async def both_are_gone() -> None:
        assert await _objects(cluster) == []

    await cluster.eventually(both_are_gone)


async def at_rest(cluster: Cluster) -> dict[str, Any]:
    """Return what is left once two looks in a row see the same."""

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
    """Return finalizers, deletion and owners of each object."""
    return {each["metadata"]["name"]: _state(each) for each in await _objects(cluster)}


def _state(body: Object) -> tuple[list[str], bool, list[tuple[str, bool]]]:
    metadata = body["metadata"]
    owners = [
        (each["name"], bool(each.get("blockOwnerDeletion")))
        for each in metadata.get("ownerReferences", [])
    ]
    return sorted(metadata.get("finalizers", [])), "deletionTimestamp" in metadata, owners


async def _objects(cluster: Cluster) -> list[Object]:
    found = (await cluster.list("configmaps")).items
    # The items of a list do not say what they are.
    typed = [{"apiVersion": "v1", "kind": "ConfigMap", **each} for each in found]
    return [each for each in typed if each["metadata"]["name"].startswith("object-")]


async def _make(cluster: Cluster, change: Change) -> None:
    found = await _objects(cluster)
    chosen = [found[int(place * len(found))] for place in change.places] if found else []
    try:
        if change.what == "create" or not chosen:
            await _create(cluster, change, chosen)
        else:
            await _CHANGES[change.what](cluster, change, chosen)
    except NotFound:
        # It went since it was listed.
        return


async def _create(cluster: Cluster, change: Change, chosen: list[Object]) -> None:
    body = config_map(change.name)
    owners = {
        each["metadata"]["uid"]: owner_reference(each, blockOwnerDeletion=change.blocks)
        for each in chosen[: change.owners_count]
    }
    if owners and change.ghost:
        next(iter(owners.values()))["uid"] = "no-such-uid"
    if owners:
        body["metadata"]["ownerReferences"] = list(owners.values())
    if change.held:
        body["metadata"]["finalizers"] = [HOLD]
    await cluster.create("configmaps", body)


async def _delete(cluster: Cluster, change: Change, chosen: list[Object]) -> None:
    name = chosen[0]["metadata"]["name"]
    await cluster.delete("configmaps", name, propagation=change.propagation)


async def _free(cluster: Cluster, change: Change, chosen: list[Object]) -> None:
    metadata = chosen[0]["metadata"]
    kept = [each for each in metadata.get("finalizers", []) if each != HOLD]
    body = {"metadata": {"finalizers": kept or None}}
    await cluster.patch("configmaps", metadata["name"], body)


async def _own(cluster: Cluster, change: Change, chosen: list[Object]) -> None:
    """Give an object one more owner, which may close a circle."""
    owned, owner = chosen
    if owned["metadata"]["uid"] == owner["metadata"]["uid"]:
        return
    uid = owner["metadata"]["uid"]
    others = [each for each in owned["metadata"].get("ownerReferences", []) if each["uid"] != uid]
    references = [*others, owner_reference(owner, blockOwnerDeletion=True)]
    body = {"metadata": {"ownerReferences": references}}
    await cluster.patch("configmaps", owned["metadata"]["name"], body)


_CHANGES: dict[str, Callable[[Cluster, Change, list[Object]], Awaitable[None]]] = {
    "delete": _delete,
    "free": _free,
    "own": _own,
}
