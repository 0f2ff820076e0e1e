from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from serinus.local_cluster.server.process import Server
from tests.unit.local_cluster.server.https_bench import (
    CONFIG_MAPS,
    Caller,
    config_map,
    serving,
)

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[tuple[Server, Caller]]:
    async with serving(tmp_path / "state") as running:
        yield running


@pytest.fixture
def call(bench: tuple[Server, Caller]) -> Caller:
    return bench[1]


async def test_without_a_token_only_version_and_health_are_answered(call: Caller) -> None:
    call.headers = {}
    assert (await call.get("/version"))["gitVersion"] == "v1.36.3+serinus"
    assert (await call.send("GET", "/readyz"))[0] == 200
    status, document = await call.send("GET", "/api/v1/namespaces")
    assert (status, document["kind"], document["reason"]) == (401, "Status", "Unauthorized")
    status, document = await call.send("GET", "/version", Authorization="Bearer wrong")
    assert status == 401


async def test_a_foreign_host_and_an_origin_are_refused(call: Caller) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "http://localhost"}):
        status, document = await call.send("GET", "/version", **headers)
        assert (status, document["reason"]) == (403, "Forbidden")


async def test_discovery_tells_the_same_in_both_forms(call: Caller) -> None:
    aggregated = await call.get("/apis", Accept=AGGREGATED)
    assert aggregated["kind"] == "APIGroupDiscoveryList"
    groups = await call.get("/apis")
    assert [item["metadata"]["name"] for item in aggregated["items"]] == [
        group["name"] for group in groups["groups"]
    ]
    for item in aggregated["items"]:
        for version in item["versions"]:
            path = f"/apis/{item['metadata']['name']}/{version['version']}"
            listed = (await call.get(path))["resources"]
            assert [r["resource"] for r in version["resources"]] == [
                r["name"] for r in listed if "/" not in r["name"]
            ]
    core = (await call.get("/api", Accept=AGGREGATED))["items"][0]["versions"][0]
    names = {resource["resource"] for resource in core["resources"]}
    assert {"pods", "services", "namespaces", "events"} <= names


async def test_every_openapi_document_is_closed_under_references(call: Caller) -> None:
    index = (await call.get("/openapi/v3"))["paths"]
    assert {"api/v1", "apis/apps/v1"} <= set(index)
    for entry in index.values():
        document = await call.get(entry["serverRelativeURL"])
        text = json.dumps(document)
        schemas = document["components"]["schemas"]
        wanted = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
        assert wanted <= set(schemas)
        assert "x-serinus" not in text
    assert "io.k8s.api.core.v1.Pod" in (await call.get("/openapi/v2"))["definitions"]


async def test_a_write_is_answered_with_the_object_and_read_back_alike(call: Caller) -> None:
    made = await call.make("a", key="value")
    assert made == await call.get(f"{CONFIG_MAPS}/a")
    assert made["metadata"]["managedFields"][0]["manager"] == "bench"
    listed = await call.get(CONFIG_MAPS)
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert made in listed["items"]
    assert int(listed["metadata"]["resourceVersion"]) >= int(made["metadata"]["resourceVersion"])


async def test_unknown_fields_are_warned_of_dropped_or_refused(call: Caller) -> None:
    body = {**config_map("a"), "colour": "red"}
    status, headers, document = await call.full("POST", CONFIG_MAPS, body)
    assert status == 201
    assert headers["Warning"] == '299 - "unknown field \\"colour\\""'
    assert "colour" not in document
    status, document = await call.send("PUT", f"{CONFIG_MAPS}/a?fieldValidation=Strict", body)
    assert (status, document["reason"]) == (400, "BadRequest")
    assert 'unknown field "colour"' in document["message"]
    status, headers, _ = await call.full("PUT", f"{CONFIG_MAPS}/a?fieldValidation=Ignore", body)
    assert (status, "Warning" in headers) == (200, False)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/merge-patch+json", b'{"data":{"a":"2"}}'),
        ("application/strategic-merge-patch+json", b'{"data":{"a":"2"}}'),
        ("application/json-patch+json", b'[{"op":"replace","path":"/data/a","value":"2"}]'),
    ],
)
async def test_patches_are_told_apart_by_their_media_type(
    call: Caller, media: str, body: bytes
) -> None:
    await call.make("a", a="1", b="1")
    status, document = await call.send("PATCH", f"{CONFIG_MAPS}/a", body, Content_Type=media)
    assert (status, document["data"]) == (200, {"a": "2", "b": "1"})


async def test_apply_patches_may_be_yaml_and_need_a_manager(call: Caller) -> None:
    body = yaml.safe_dump(config_map("a", key="x")).encode()
    media = {"Content_Type": "application/apply-patch+yaml"}
    status, document = await call.send("PATCH", f"{CONFIG_MAPS}/a", body, **media)
    assert status == 422
    assert "fieldManager: Required value" in document["message"]
    path = f"{CONFIG_MAPS}/a?fieldManager=me"
    status, document = await call.send("PATCH", path, body, **media)
    assert (status, document["data"]) == (201, {"key": "x"})
    status, _ = await call.send("PATCH", path, body, **media)
    assert status == 200


async def test_yaml_keeps_dates_and_times_of_day_as_strings(call: Caller) -> None:
    body = b"""
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {day: 2026-01-01, time: 12:30:45, moment: 2026-01-01T10:00:00Z}
"""
    status, made = await call.send("POST", CONFIG_MAPS, body, Content_Type="application/yaml")
    assert status == 201, made
    assert made["data"] == {
        "day": "2026-01-01",
        "time": "12:30:45",
        "moment": "2026-01-01T10:00:00Z",
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "media", "code", "reason"),
    [
        ("GET", "/api/v1/namespaces/default/configmaps/none", None, "", 404, "NotFound"),
        ("GET", "/apis/batch/v1/jobs", None, "", 404, "NotFound"),
        ("GET", "/nothing", None, "", 404, "NotFound"),
        ("POST", CONFIG_MAPS, b"{", "application/json", 400, "BadRequest"),
        ("POST", CONFIG_MAPS, b"[]", "application/json", 400, "BadRequest"),
        ("POST", CONFIG_MAPS, b"a: [", "application/yaml", 400, "BadRequest"),
        ("POST", CONFIG_MAPS, b"? [1]\n: x", "application/yaml", 400, "BadRequest"),
        ("POST", CONFIG_MAPS, b'{"a":' * 20_000, "application/json", 400, "BadRequest"),
        ("POST", CONFIG_MAPS, b'{"a":"\xff"}', "application/json", 400, "BadRequest"),
        ("POST", CONFIG_MAPS, b"x", "text/csv", 415, "UnsupportedMediaType"),
        ("POST", CONFIG_MAPS, b"x", "application/vnd.kubernetes.protobuf", 400, "BadRequest"),
        ("PATCH", f"{CONFIG_MAPS}/a", b"{}", "application/json", 415, "UnsupportedMediaType"),
        ("POST", f"{CONFIG_MAPS}?dryRun=Some", b"{}", "", 422, "Invalid"),
        ("GET", f"{CONFIG_MAPS}?limit=many", None, "", 400, "BadRequest"),
        ("GET", f"{CONFIG_MAPS}?labelSelector=a%20b", None, "", 400, "BadRequest"),
        ("DELETE", "/api/v1/namespaces/default", b"[]", "application/json", 400, "BadRequest"),
        ("PUT", "/apis/apps/v1/deployments/shop", b"{}", "", 404, "NotFound"),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_a_status(
    call: Caller, method: str, path: str, body: bytes | None, media: str, code: int, reason: str
) -> None:
    headers = {"Content_Type": media} if media else {}
    status, document = await call.send(method, path, body, **headers)
    assert (status, document.get("kind"), document.get("reason")) == (code, "Status", reason)
    assert document["code"] == code
    assert document["message"]


async def test_a_body_that_is_too_large_is_refused(call: Caller) -> None:
    body = config_map("big", data="x" * (3 * 1024 * 1024))
    status, document = await call.send("POST", CONFIG_MAPS, body)
    assert (status, document["reason"]) == (413, "RequestEntityTooLarge")


async def test_yaml_tables_and_metadata_are_said_on_request(call: Caller) -> None:
    await call.make("a", key="value")
    path = f"{CONFIG_MAPS}/a"
    async with call.session.get(
        call.base + path, headers={**call.headers, "Accept": "application/yaml"}
    ) as response:
        assert response.content_type == "application/yaml"
        assert yaml.safe_load(await response.read())["data"] == {"key": "value"}
    table = await call.get(path, Accept=f"{TABLE},application/json")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 1]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = await call.get(f"{path}?includeObject=Object", Accept=TABLE)
    assert whole["rows"][0]["object"]["data"] == {"key": "value"}
    meta = await call.get(path, Accept=METADATA)
    assert (meta["kind"], set(meta)) == (
        "PartialObjectMetadata",
        {"kind", "apiVersion", "metadata"},
    )
    status, document = await call.send("GET", path, Accept="text/html")
    assert (status, document["reason"]) == (406, "NotAcceptable")


async def test_a_long_selector_fits_into_the_request(call: Caller) -> None:
    await call.make("a")
    names = ",".join(f"name-{index:04}" for index in range(1_000))
    page = await call.get(f"{CONFIG_MAPS}?labelSelector=who+notin+({names})")
    assert [item["metadata"]["name"] for item in page["items"]] == ["a"]


async def test_lists_come_in_pages_of_one_version(call: Caller) -> None:
    for name in "abcde":
        await call.make(name)
    found, token = [], ""
    while True:
        page = await call.get(f"{CONFIG_MAPS}?limit=2&continue={token}")
        found += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
        assert page["metadata"]["remainingItemCount"] == 5 - len(found)
    assert found == list("abcde")


async def test_a_list_of_the_future_is_told_to_wait(call: Caller) -> None:
    status, document = await call.send("GET", f"{CONFIG_MAPS}?resourceVersion=999999")
    assert (status, document["reason"]) == (504, "Timeout")
    assert document["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_deleting_answers_with_a_status_or_with_the_object_that_stays(call: Caller) -> None:
    await call.make("a")
    status, document = await call.send("DELETE", f"{CONFIG_MAPS}/a")
    assert (status, document["status"], document["details"]["name"]) == (200, "Success", "a")
    held = config_map("b")
    held["metadata"]["finalizers"] = ["example.org/hold"]
    await call.send("POST", CONFIG_MAPS, held)
    status, document = await call.send("DELETE", f"{CONFIG_MAPS}/b")
    assert status == 200
    assert document["metadata"]["deletionTimestamp"]
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "other"}}
    await call.make("c")
    status, document = await call.send("DELETE", f"{CONFIG_MAPS}/c", options)
    assert (status, document["reason"]) == (409, "Conflict")


async def test_many_writers_at_once_lose_nothing(call: Caller) -> None:
    await call.make("counter", n="0")

    async def add(times: int) -> None:
        done = 0
        while done < times:
            item = await call.get(f"{CONFIG_MAPS}/counter")
            item["data"]["n"] = str(int(item["data"]["n"]) + 1)
            status, _ = await call.send("PUT", f"{CONFIG_MAPS}/counter", item)
            assert status in {200, 409}
            done += status == 200

    await asyncio.gather(*(add(10) for _ in range(5)))
    assert (await call.get(f"{CONFIG_MAPS}/counter"))["data"]["n"] == "50"


async def test_events_are_one_thing_in_two_groups(call: Caller) -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "shop.1", "namespace": "default"},
        "involvedObject": {"kind": "Deployment", "name": "shop", "namespace": "default"},
        "reason": "Tested",
        "message": "hello",
        "type": "Normal",
    }
    path = "/apis/events.k8s.io/v1/namespaces/default/events"
    async with call.watch(f"{path}?resourceVersion=0") as events:
        status, document = await call.send("POST", "/api/v1/namespaces/default/events", event)
        assert status == 201, document
        type_, seen = await events.next()
        assert (type_, seen["apiVersion"], seen["note"]) == ("ADDED", "events.k8s.io/v1", "hello")
    other = await call.get(f"{path}/shop.1")
    assert (other["regarding"]["name"], other["note"]) == ("shop", "hello")
    chosen = "?fieldSelector=involvedObject.name=shop,reason=Tested"
    assert len((await call.get(f"/api/v1/events{chosen}"))["items"]) == 1
    assert len((await call.get(f"{path}?fieldSelector=regarding.name=shop"))["items"]) == 1
    assert (await call.get(f"{path}?fieldSelector=regarding.name=other"))["items"] == []
