"""What the API server refuses, and with which words; fields that it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.errors import Invalid
from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import config_map, deployment, pod, replica_set, service


async def refusal(cluster: Cluster, kind: str, body: Object) -> Invalid:
    """Return how a create is refused."""
    with pytest.raises(Invalid) as refused:
        await cluster.create(kind, body)
    return refused.value


def fields_of(error: Invalid) -> set[str]:
    """Return the paths of the fields that a refusal is about."""
    assert error.details is not None
    return {cause["field"] for cause in error.details["causes"]}


def shop(**spec: Any) -> Object:
    return deployment(**{"replicas": 0, **spec})


def with_container(**fields: Any) -> Object:
    body = deployment(replicas=0)
    body["spec"]["template"]["spec"]["containers"][0].update(fields)
    return body


CONTAINER = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (shop(replicas=-1), "spec.replicas", "must be greater than or equal to 0"),
        (shop(minReadySeconds=-1), "spec.minReadySeconds", "must be greater than or equal to 0"),
        (
            shop(progressDeadlineSeconds=5, minReadySeconds=5),
            "spec.progressDeadlineSeconds",
            "must be greater than minReadySeconds",
        ),
        (
            shop(selector={}),
            "spec.selector",
            "empty selector is invalid for deployment",
        ),
        (
            shop(selector={"matchLabels": {"app": "other"}}),
            "spec.template.metadata.labels",
            "`selector` does not match template `labels`",
        ),
        (
            shop(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
            "spec.strategy.rollingUpdate.maxUnavailable",
            "may not be 0 when `maxSurge` is 0",
        ),
        (
            shop(strategy={"rollingUpdate": {"maxSurge": "much"}}),
            "spec.strategy.rollingUpdate.maxSurge",
            "a valid percent string must be a numeric string followed by an ending '%'",
        ),
        (
            shop(strategy={"rollingUpdate": {"maxUnavailable": "101%"}}),
            "spec.strategy.rollingUpdate.maxUnavailable",
            "must not be greater than 100%",
        ),
        (
            shop(strategy={"type": "Slow"}),
            "spec.strategy",
            'supported values: "Recreate", "RollingUpdate"',
        ),
        (with_container(image=""), f"{CONTAINER}.image", "Required value"),
        (with_container(name=""), f"{CONTAINER}.name", "Required value"),
        (with_container(name="Web"), f"{CONTAINER}.name", "a lowercase RFC 1123 label must"),
        (
            with_container(ports=[{"containerPort": 0}]),
            f"{CONTAINER}.ports[0].containerPort",
            "Required value",
        ),
        (
            with_container(ports=[{"containerPort": 70000}]),
            f"{CONTAINER}.ports[0].containerPort",
            "must be between 1 and 65535, inclusive",
        ),
        (
            with_container(imagePullPolicy="Perhaps"),
            f"{CONTAINER}.imagePullPolicy",
            'supported values: "Always", "IfNotPresent", "Never"',
        ),
        (
            with_container(env=[{"name": ""}]),
            f"{CONTAINER}.env[0].name",
            "Required value",
        ),
        (
            with_container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            f"{CONTAINER}.resources.requests",
            "must be less than or equal to cpu limit",
        ),
        (
            with_container(readinessProbe={"periodSeconds": 1}),
            f"{CONTAINER}.readinessProbe",
            "must specify a handler type",
        ),
    ],
)
async def test_a_bad_deployment_is_refused_by_field(
    cluster: Cluster, body: Object, field: str, words: str
) -> None:
    error = await refusal(cluster, "deployments", body)
    assert error.code == 422
    assert field in fields_of(error)
    assert f"{field}: " in str(error)
    assert words in str(error)


async def test_the_refusal_names_kind_and_object(cluster: Cluster) -> None:
    error = await refusal(cluster, "deployments", shop(replicas=-1))
    assert 'Deployment.apps "shop" is invalid: spec.replicas: Invalid value: -1: ' in str(error)
    assert error.details is not None
    [cause] = error.details["causes"]
    assert cause["reason"] == "FieldValueInvalid"
    assert error.details["kind"] == "Deployment"
    assert error.details["group"] == "apps"
    assert error.details["name"] == "shop"


async def test_all_faults_are_named_at_once(cluster: Cluster) -> None:
    error = await refusal(cluster, "deployments", shop(replicas=-1, minReadySeconds=-1))
    assert fields_of(error) == {"spec.replicas", "spec.minReadySeconds"}
    assert "is invalid: [spec." in str(error)


async def test_a_deployment_needs_a_selector_and_a_template(cluster: Cluster) -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}}
    body["spec"] = {}
    error = await refusal(cluster, "deployments", body)
    assert {"spec.selector", "spec.template.spec.containers"} <= fields_of(error)


async def test_pods_of_a_deployment_must_be_restarted_always(cluster: Cluster) -> None:
    body = shop()
    body["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    error = await refusal(cluster, "deployments", body)
    assert "spec.template.spec.restartPolicy" in fields_of(error)
    assert 'Unsupported value: "Never": supported values: "Always"' in str(error)


@pytest.mark.parametrize("name", ["Shop", "-shop", "shop_1", "a" * 254])
async def test_a_bad_name_is_refused(cluster: Cluster, name: str) -> None:
    error = await refusal(cluster, "configmaps", config_map(name))
    assert error.code == 422
    assert fields_of(error) == {"metadata.name"}


async def test_an_object_needs_a_name(cluster: Cluster) -> None:
    body = config_map()
    body["metadata"] = {}
    error = await refusal(cluster, "configmaps", body)
    assert "name or generateName is required" in str(error)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"bad key": "x"}, "name part must consist of alphanumeric characters"),
        ({"x": "a value"}, "a valid label must be an empty string or consist of alphanumeric"),
        ({"x": "a" * 64}, "must be no more than 63"),
        ({"a/b/c": "x"}, "a valid label key must consist of|a qualified name must consist of"),
    ],
)
async def test_a_bad_label_is_refused(cluster: Cluster, labels: dict[str, str], words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        await cluster.create("configmaps", config_map(labels=labels))
    assert fields_of(refused.value) == {"metadata.labels"}


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (service(ports=[]), "spec.ports", "Required value"),
        (
            service(ports=[{"port": 0}]),
            "spec.ports[0].port",
            "must be between 1 and 65535, inclusive",
        ),
        (
            service(ports=[{"port": 80}, {"port": 81}]),
            "spec.ports[0].name",
            "Required value",
        ),
        (
            service(ports=[{"name": "a", "port": 80}, {"name": "a", "port": 81}]),
            "spec.ports[1].name",
            'Duplicate value: "a"',
        ),
        (
            service(ports=[{"name": "a", "port": 80}, {"name": "b", "port": 80}]),
            "spec.ports[1]",
            "Duplicate value",
        ),
        (service(ports=[{"port": 80, "nodePort": 32600}]), "spec.ports[0].nodePort", "Forbidden"),
        (service(type="Odd"), "spec.type", "Unsupported value"),
        (
            service(ports=[{"port": 80, "protocol": "ICMP"}]),
            "spec.ports[0].protocol",
            "Unsupported value",
        ),
        (service(sessionAffinity="Cookie"), "spec.sessionAffinity", "Unsupported value"),
    ],
)
async def test_a_bad_service_is_refused_by_field(
    cluster: Cluster, body: Object, field: str, words: str
) -> None:
    error = await refusal(cluster, "services", body)
    assert error.code == 422
    assert field in fields_of(error)
    assert words in str(error)


async def test_a_service_name_is_stricter_than_others(cluster: Cluster) -> None:
    error = await refusal(cluster, "services", service("shop.web"))
    assert fields_of(error) == {"metadata.name"}
    # The words that follow differ between 1.35 and 1.36.
    assert 'metadata.name: Invalid value: "shop.web": ' in str(error)
    assert await cluster.create("configmaps", config_map("shop.web"))


async def test_a_node_port_outside_the_range_is_refused(cluster: Cluster) -> None:
    body = service(type="NodePort", ports=[{"port": 80, "nodePort": 80}])
    error = await refusal(cluster, "services", body)
    assert fields_of(error) == {"spec.ports[0].nodePort"}
    assert "The range of valid ports is 30000-32767" in str(error)


async def test_a_node_port_is_taken_only_once(cluster: Cluster) -> None:
    body = service(type="NodePort", ports=[{"port": 80, "nodePort": 31999}])
    await cluster.create("services", body)
    body["metadata"]["name"] = "other"
    error = await refusal(cluster, "services", body)
    assert "provided port is already allocated" in str(error)
    await cluster.delete("services", "shop")


async def test_a_pod_needs_a_container(cluster: Cluster) -> None:
    error = await refusal(cluster, "pods", pod(containers=[]))
    assert "spec.containers" in fields_of(error)


async def test_two_containers_of_one_name_are_refused(cluster: Cluster) -> None:
    twice = [{"name": "web", "image": "a"}, {"name": "web", "image": "b"}]
    error = await refusal(cluster, "pods", pod(containers=twice))
    assert fields_of(error) == {"spec.containers[1].name"}
    assert 'Duplicate value: "web"' in str(error)


async def test_almost_nothing_of_a_pod_may_change(cluster: Cluster) -> None:
    await cluster.create("pods", pod())
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        await cluster.patch("pods", "one", {"spec": {"restartPolicy": "Never"}})
    body = {"spec": {"containers": [{"name": "web", "image": "shop:2"}]}}
    changed = await cluster.patch("pods", "one", body, type="strategic")
    assert changed["spec"]["containers"][0]["image"] == "shop:2"


async def test_two_controllers_of_one_object_are_refused(cluster: Cluster) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "uid": "1", "controller": True}
    references = [{**owner, "name": "a", "uid": "1"}, {**owner, "name": "b", "uid": "2"}]
    error = await refusal(cluster, "configmaps", config_map(ownerReferences=references))
    assert "Only one reference can have Controller set to true" in str(error)


async def test_a_wrong_type_is_refused_with_its_path(cluster: Cluster) -> None:
    error = await refusal(cluster, "deployments", shop(minReadySeconds="soon"))
    assert error.code == 400
    assert "cannot unmarshal string into Go struct field DeploymentSpec" in str(error)
    assert "spec.minReadySeconds" in str(error)


async def test_the_key_of_a_config_map_is_limited(cluster: Cluster) -> None:
    error = await refusal(cluster, "configmaps", config_map(data={"a b": "1"}))
    assert fields_of(error) == {"data[a b]"}


async def test_an_unknown_field_is_dropped_with_a_warning(cluster: Cluster) -> None:
    body = shop(colour="red")
    made = await cluster.create("deployments", body, field_validation="Warn")
    assert "colour" not in made["spec"]
    assert cluster.warnings == ['unknown field "spec.colour"']


async def test_an_unknown_field_is_ignored_on_demand(cluster: Cluster) -> None:
    made = await cluster.create("deployments", shop(colour="red"), field_validation="Ignore")
    assert "colour" not in made["spec"]
    assert cluster.warnings == []


async def test_an_unknown_field_is_refused_on_demand(cluster: Cluster) -> None:
    with pytest.raises(Invalid, match=r'strict decoding error: unknown field "spec\.colour"') as no:
        await cluster.create("deployments", shop(colour="red"), field_validation="Strict")
    assert no.value.code == 400


async def test_an_unknown_field_in_a_list_is_named_with_its_index(cluster: Cluster) -> None:
    body = with_container(colour="red")
    await cluster.create("deployments", body, field_validation="Warn")
    assert cluster.warnings == ['unknown field "spec.template.spec.containers[0].colour"']


async def test_a_patch_with_an_unknown_field_is_refused_on_demand(cluster: Cluster) -> None:
    await cluster.create("deployments", shop())
    with pytest.raises(Invalid, match=r'unknown field "spec\.colour"'):
        await cluster.patch(
            "deployments", "shop", {"spec": {"colour": "red"}}, field_validation="Strict"
        )
    await cluster.patch("deployments", "shop", {"spec": {"colour": "red"}}, field_validation="Warn")
    assert cluster.warnings == ['unknown field "spec.colour"']


async def test_the_template_of_a_replica_set_must_match_its_selector(cluster: Cluster) -> None:
    body = replica_set()
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    error = await refusal(cluster, "replicasets", body)
    assert fields_of(error) == {"spec.template.metadata.labels"}
