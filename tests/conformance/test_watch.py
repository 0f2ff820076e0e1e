"""Watches: events in order, selectors, old versions."""

from __future__ import annotations

from tests.conformance.cluster import Cluster, Watch, needs
from tests.conformance.manifests import config_map, deployment, pod


async def version_of(cluster: Cluster, kind: str = "configmaps") -> str:
    return (await cluster.list(kind)).resource_version


async def next_of(watch: Watch) -> tuple[str, str]:
    """Return type and name of the next event."""
    event = await watch.next()
    return event.type, event.object["metadata"]["name"]


async def test_changes_come_in_the_order_in_which_they_were_made(cluster: Cluster) -> None:
    watch = cluster.watch("configmaps", from_version=await version_of(cluster))
    made = await cluster.create("configmaps", config_map())
    changed = await cluster.patch("configmaps", "settings", {"data": {"a": "1"}})
    await cluster.delete("configmaps", "settings")
    first, second, third = await watch.next(), await watch.next(), await watch.next()
    assert (first.type, first.object) == ("ADDED", made)
    assert (second.type, second.object) == ("MODIFIED", changed)
    assert third.type == "DELETED"
    assert third.object["data"] == {"a": "1"}
    versions = [int(each.object["metadata"]["resourceVersion"]) for each in (first, second, third)]
    assert versions == sorted(set(versions))


async def test_a_watch_starts_after_its_version(cluster: Cluster) -> None:
    first = await cluster.create("configmaps", config_map("a"))
    await cluster.create("configmaps", config_map("b"))
    watch = cluster.watch("configmaps", from_version=first["metadata"]["resourceVersion"])
    assert await next_of(watch) == ("ADDED", "b")


async def test_a_write_that_changes_nothing_makes_no_event(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(data={"a": "1"}))
    watch = cluster.watch("configmaps", from_version=await version_of(cluster))
    await cluster.patch("configmaps", "settings", {"data": {"a": "1"}})
    await cluster.create("configmaps", config_map("last"))
    assert await next_of(watch) == ("ADDED", "last")


async def test_an_object_that_begins_to_match_is_added_and_one_that_stops_is_deleted(
    cluster: Cluster,
) -> None:
    await cluster.create("configmaps", config_map())
    watch = cluster.watch(
        "configmaps", from_version=await version_of(cluster), labels="track=canary"
    )
    for track in ("stable", "canary"):
        await cluster.patch("configmaps", "settings", {"metadata": {"labels": {"track": track}}})
    assert await next_of(watch) == ("ADDED", "settings")
    await cluster.patch("configmaps", "settings", {"data": {"a": "1"}})
    assert await next_of(watch) == ("MODIFIED", "settings")
    left = await cluster.patch(
        "configmaps", "settings", {"metadata": {"labels": {"track": "stable"}}}
    )
    event = await watch.next()
    assert event.type == "DELETED"
    # As it was while it matched, at the version of the change that took it out.
    assert event.object["metadata"]["labels"] == {"track": "canary"}
    version = left["metadata"]["resourceVersion"]
    assert event.object["metadata"]["resourceVersion"] == version


async def test_the_deletion_of_an_object_that_does_not_match_is_not_told(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map("a"))
    watch = cluster.watch("configmaps", from_version=await version_of(cluster), labels="x=y")
    await cluster.delete("configmaps", "a")
    await cluster.create("configmaps", config_map("b", labels={"x": "y"}))
    assert await next_of(watch) == ("ADDED", "b")


async def test_a_watch_of_one_name_tells_of_this_one_alone(cluster: Cluster) -> None:
    version = await version_of(cluster)
    watch = cluster.watch("configmaps", from_version=version, fields="metadata.name=b")
    await cluster.create("configmaps", config_map("a"))
    await cluster.create("configmaps", config_map("b"))
    assert await next_of(watch) == ("ADDED", "b")


async def test_a_pod_that_is_bound_enters_a_watch_of_its_node(cluster: Cluster) -> None:
    version = await version_of(cluster, "pods")
    watch = cluster.watch("pods", from_version=version, fields="spec.nodeName=node-1")
    await cluster.create("pods", pod())

    async def bound() -> None:
        assert (await cluster.get("pods", "one"))["spec"].get("nodeName") == "node-1"

    await cluster.eventually(bound)
    assert await next_of(watch) == ("ADDED", "one")


async def test_the_removal_of_the_last_finalizer_is_told_as_a_deletion(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map(finalizers=["example.com/hold"]))
    watch = cluster.watch("configmaps", from_version=await version_of(cluster))
    await cluster.delete("configmaps", "settings")
    assert await next_of(watch) == ("MODIFIED", "settings")
    await cluster.patch("configmaps", "settings", {"metadata": {"finalizers": None}})
    assert await next_of(watch) == ("DELETED", "settings")


async def test_a_watch_from_version_0_begins_with_what_is_there(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map("a"))
    await cluster.create("configmaps", config_map("b"))

    async def both() -> None:
        watch = cluster.watch("configmaps", from_version="0")
        found = {await next_of(watch), await next_of(watch)}
        assert found == {("ADDED", "a"), ("ADDED", "b")}

    await cluster.eventually(both)


@needs("answers")
async def test_a_watch_with_initial_events_says_where_they_end(cluster: Cluster) -> None:
    await cluster.create("configmaps", config_map("a"))
    last = await cluster.create("configmaps", config_map("b"))
    watch = cluster.watch("configmaps", from_version="", initial_events=True)
    assert {await next_of(watch), await next_of(watch)} == {("ADDED", "a"), ("ADDED", "b")}
    end = await watch.next()
    assert end.type == "BOOKMARK"
    metadata = end.object["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(metadata["resourceVersion"]) >= int(last["metadata"]["resourceVersion"])
    await cluster.create("configmaps", config_map("c"))
    assert await next_of(watch) == ("ADDED", "c")


async def test_a_deployment_tells_of_its_status_while_it_rolls_out(cluster: Cluster) -> None:
    watch = cluster.watch("deployments", from_version=await version_of(cluster, "deployments"))
    await cluster.create("deployments", deployment(replicas=1))
    seen: list[int] = []

    async def available() -> None:
        shop = await cluster.get("deployments", "shop")
        assert shop["status"].get("availableReplicas") == 1

    await cluster.eventually(available)
    event = await watch.next()
    assert event.type == "ADDED"
    while not seen or seen[-1] != 1:
        event = await watch.next()
        assert event.type == "MODIFIED"
        seen.append(event.object["status"].get("availableReplicas", 0))
