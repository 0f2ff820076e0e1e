"""Manifests are read as Go's decoder reads them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from serinus.kubernetes_model import kinds
from serinus.kubernetes_model.schema import loader, reading
from serinus.kubernetes_model.schema.nodes import ListNode, ListType, ObjectNode

NODES = loader.built_in()


def read(resource: kinds.Resource, manifest: object) -> tuple[dict[str, Any], list[str]]:
    return reading.read(NODES.of(resource), manifest)


def test_nulls_are_absent() -> None:
    item, _ = read(kinds.CONFIG_MAPS, {"metadata": {"labels": None}, "data": None})
    assert item == {"metadata": {}}


def test_zeros_that_go_leaves_out_are_left_out() -> None:
    spec = {"paused": False, "minReadySeconds": 0, "replicas": 0, "selector": {}}
    item, _ = read(kinds.DEPLOYMENTS, {"spec": spec})
    assert item["spec"]["replicas"] == 0
    assert item["spec"]["selector"] == {}
    assert not {"paused", "minReadySeconds"} & item["spec"].keys()


def test_structs_and_numbers_that_go_always_writes_are_there() -> None:
    item, _ = read(kinds.REPLICA_SETS, {"spec": {}})
    assert item["status"] == {"replicas": 0}
    assert item["spec"]["selector"] is None
    assert item["spec"]["template"] == {"metadata": {}, "spec": {"containers": None}}


def test_empty_lists_that_are_never_left_out_are_null() -> None:
    item, _ = read(kinds.ENDPOINT_SLICES, {"addressType": "IPv4", "endpoints": []})
    assert item["endpoints"] is None
    assert item["ports"] is None


def test_unknown_fields_are_named_by_path_and_dropped() -> None:
    container = {"name": "web", "imagge": "x"}
    manifest = {"colour": 1, "spec": {"template": {"spec": {"containers": [container]}}}}
    item, unknown = read(kinds.DEPLOYMENTS, manifest)
    assert sorted(unknown) == ["colour", "spec.template.spec.containers[0].imagge"]
    assert "colour" not in item


def test_quantities_get_their_canonical_form() -> None:
    resources = {"limits": {"cpu": 0.5, "memory": "1024Mi"}, "requests": {"cpu": "1000m"}}
    container = {"name": "web", "resources": resources}
    item, _ = read(kinds.PODS, {"spec": {"containers": [container]}})
    assert item["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m", "memory": "1Gi"},
        "requests": {"cpu": "1"},
    }


@pytest.mark.parametrize(
    ("resource", "manifest", "message"),
    [
        (
            kinds.DEPLOYMENTS,
            {"spec": {"replicas": "3"}},
            (
                "json: cannot unmarshal string into Go struct field "
                "DeploymentSpec.spec.replicas of type int32"
            ),
        ),
        (
            kinds.DEPLOYMENTS,
            {"spec": {"template": []}},
            (
                "json: cannot unmarshal array into Go struct field DeploymentSpec.spec.template of "
                "type v1.PodTemplateSpec"
            ),
        ),
        (
            kinds.DEPLOYMENTS,
            {"metadata": {"labels": {"a": 1}}},
            (
                "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of "
                "type string"
            ),
        ),
        (
            kinds.DEPLOYMENTS,
            {"spec": {"replicas": 1 << 31}},
            (
                "json: cannot unmarshal number into Go struct field "
                "DeploymentSpec.spec.replicas of type int32"
            ),
        ),
        (
            kinds.DEPLOYMENTS,
            {"spec": {"paused": "yes"}},
            (
                "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of "
                "type bool"
            ),
        ),
        (
            kinds.LEASES,
            {"spec": {"renewTime": "yesterday"}},
            (
                'parsing time "yesterday" as "2006-01-02T15:04:05.000000Z07:00": cannot parse '
                '"yesterday" as "2006"'
            ),
        ),
        (
            kinds.LEASES,
            {"spec": {"renewTime": "2026-01-01T00:00:00Z"}},
            (
                'parsing time "2026-01-01T00:00:00Z" as "2006-01-02T15:04:05.000000Z07:00": cannot '
                'parse "Z" as ".000000"'
            ),
        ),
        (
            kinds.SECRETS,
            {"data": {"a": "!!"}},
            "illegal base64 data at input byte 0",
        ),
    ],
)
def test_wrong_types_are_worded_as_go_words_them(
    resource: kinds.Resource, manifest: object, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read(resource, manifest)


def test_what_is_no_quantity_is_refused() -> None:
    container = {"name": "web", "resources": {"limits": {"cpu": "much"}}}
    with pytest.raises(ValueError, match="quantities must match the regular expression"):
        read(kinds.PODS, {"spec": {"containers": [container]}})


def test_the_result_shares_nothing_that_may_change() -> None:
    labels = {"a": "b"}
    item, _ = read(kinds.CONFIG_MAPS, {"metadata": {"labels": labels}})
    item["metadata"]["labels"]["c"] = "d"
    assert labels == {"a": "b"}


def test_every_kind_of_the_table_has_a_schema() -> None:
    for resource in kinds.KINDS:
        assert "metadata" in NODES.of(resource).properties


def test_lists_know_their_keys_and_defaults() -> None:
    spec = NODES.of(kinds.SERVICES).properties["spec"]
    assert isinstance(spec, ObjectNode)
    ports = spec.properties["ports"]
    assert isinstance(ports, ListNode)
    assert ports.list_type is ListType.MAP
    assert ports.keys == ("port", "protocol")
    assert ports.key_defaults["protocol"] == "TCP"
    assert ports.merge_key == "port"
