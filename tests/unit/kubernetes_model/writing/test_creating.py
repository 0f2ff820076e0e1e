"""What a create makes of a manifest, and what it refuses."""

from __future__ import annotations

import re

import pytest

from serinus.errors import AlreadyExists, Forbidden, Invalid, NotFound
from serinus.kubernetes_model import FieldValidation, failures, kinds
from tests.unit.kubernetes_model.world import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    PODS,
    World,
    config_map,
    deployment,
    managers,
    pod,
)


def test_a_new_object_gets_what_only_the_server_gives() -> None:
    made = World().write(CONFIG_MAPS, config_map(a="1"))
    metadata = made.object["metadata"]
    assert made.created
    assert made.changed
    assert metadata["namespace"] == "default"
    assert re.fullmatch(r"[0-9a-f-]{36}", metadata["uid"])
    assert metadata["creationTimestamp"] == "2027-01-15T08:00:01Z"
    assert int(metadata["resourceVersion"]) > 1
    assert "generation" not in metadata


def test_a_deployment_gets_its_defaults_and_generation() -> None:
    made = World().create(DEPLOYMENTS, deployment())
    assert made["metadata"]["generation"] == 1
    assert made["status"] == {}
    assert made["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert made["spec"]["revisionHistoryLimit"] == 10
    assert made["spec"]["progressDeadlineSeconds"] == 600
    assert made["spec"]["template"]["spec"]["containers"][0] == {
        "name": "web",
        "image": "nginx:1.7.9",
        "imagePullPolicy": "IfNotPresent",
        "resources": {},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def test_probes_volumes_and_fields_get_their_defaults() -> None:
    container = {
        "name": "web",
        "image": "nginx",
        "ports": [{"containerPort": 80}],
        "readinessProbe": {"httpGet": {"port": 80}},
        "livenessProbe": {"grpc": {"port": 80}},
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "resources": {"limits": {"cpu": "1"}},
    }
    volumes = [{"name": "v"}, {"name": "c", "configMap": {"name": "x"}}]
    body = pod(containers=[container], volumes=volumes, serviceAccountName="robot")
    spec = World().create(PODS, body)["spec"]
    made = spec["containers"][0]
    assert made["imagePullPolicy"] == "Always"
    assert made["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert made["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert made["livenessProbe"]["grpc"] == {"port": 80, "service": ""}
    assert made["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"
    assert made["resources"]["requests"] == {"cpu": "1"}
    assert spec["volumes"][0]["emptyDir"] == {}
    assert spec["volumes"][1]["configMap"]["defaultMode"] == 0o644
    assert spec["serviceAccount"] == "robot"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
    ],
)
def test_a_pod_gets_its_quality_of_service(resources: object, expected: str) -> None:
    body = pod(containers=[{"name": "web", "image": "x", "resources": resources}])
    assert World().create(PODS, body)["status"] == {"phase": "Pending", "qosClass": expected}


def test_the_status_of_a_manifest_is_ignored_but_for_nodes() -> None:
    world = World()
    assert (
        world.create(PODS, {**pod(), "status": {"phase": "Running"}})["status"]["phase"]
        == "Pending"
    )
    node = {"metadata": {"name": "left"}, "status": {"capacity": {"cpu": "2"}}}
    made = world.create(kinds.NODES, node)
    assert made["status"]["allocatable"] == {"cpu": "2"}
    assert made["spec"]["taints"][0]["key"] == "node.kubernetes.io/not-ready"


def test_a_generated_name_is_free_and_short_enough() -> None:
    world = World()
    body = {"metadata": {"generateName": "x" * 70}}
    names = {world.create(CONFIG_MAPS, body)["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(r"x{58}[b-z2-9]{5}", name) for name in names)


def test_string_data_of_a_secret_is_encoded_and_owned_as_data() -> None:
    body = {"metadata": {"name": "s"}, "stringData": {"a": "hello"}, "data": {"b": "aGk="}}
    made = World().create(kinds.SECRETS, body, field_manager="me")
    assert made["data"] == {"a": "aGVsbG8=", "b": "aGk="}
    assert "stringData" not in made
    assert managers(made)["me", "Update"]["f:data"] == {".": {}, "f:a": {}, "f:b": {}}


def test_a_name_that_is_taken_is_refused() -> None:
    world = World()
    world.create(CONFIG_MAPS, config_map())
    with pytest.raises(AlreadyExists, match=r'^configmaps "settings" already exists$'):
        world.create(CONFIG_MAPS, config_map())


def test_a_namespace_that_is_not_there_is_refused() -> None:
    world = World()
    with pytest.raises(NotFound, match=r'^namespaces "absent" not found$'):
        world.cluster.create(CONFIG_MAPS, config_map(), "absent", now=world.now)


def test_a_namespace_that_is_going_takes_nothing_new() -> None:
    world = World()
    world.create(kinds.NAMESPACES, {"metadata": {"name": "old"}})
    world.delete(kinds.NAMESPACES, "old")
    with pytest.raises(Forbidden, match="because it is being terminated") as refused:
        world.cluster.create(CONFIG_MAPS, config_map(), "old", now=world.now)
    assert refused.value.details is not None
    assert refused.value.details["causes"][0]["reason"] == "NamespaceTerminating"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "Pod"}, 'no kind "Pod" is registered for version "v1"'),
        ({"apiVersion": "v9"}, 'no kind "ConfigMap" is registered for version "v9"'),
        ({"metadata": {"name": "a", "namespace": "b"}}, "does not match the namespace sent"),
        ({"metadata": {"name": "a", "resourceVersion": "1"}}, "should not be set on objects"),
        ({"metadata": {}}, "name or generateName is required"),
        ({"metadata": {"name": "A"}}, "a lowercase RFC 1123 subdomain"),
        ({"data": []}, "cannot unmarshal array into Go struct field ConfigMap.data"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(change: object, message: str) -> None:
    world = World()
    before = world.cluster.resource_version
    with pytest.raises(Invalid, match=re.escape(message)):
        world.create(CONFIG_MAPS, {**config_map(), **change})  # type: ignore[dict-item]
    assert world.cluster.resource_version == before


def test_unknown_fields_warn_or_are_refused_or_are_nothing() -> None:
    world = World()
    body = {**config_map(), "colour": "red"}
    with pytest.raises(Invalid, match='strict decoding error: unknown field "colour"'):
        world.write(CONFIG_MAPS, body, field_validation=FieldValidation.STRICT)
    ignoring = world.write(CONFIG_MAPS, body, field_validation=FieldValidation.IGNORE, dry_run=True)
    assert ignoring.warnings == ()
    assert world.write(CONFIG_MAPS, body).warnings == ('unknown field "colour"',)


def test_a_dry_run_makes_nothing() -> None:
    world = World()
    before = world.cluster.resource_version
    shown = world.write(CONFIG_MAPS, config_map(), dry_run=True)
    assert shown.object["metadata"]["uid"]
    assert not shown.changed
    assert world.cluster.resource_version == before
    assert not world.exists(CONFIG_MAPS, "settings")


def test_all_problems_come_together_with_their_fields() -> None:
    body = deployment(replicas=-1, minReadySeconds=-2)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = ""
    with pytest.raises(Invalid) as refused:
        World().create(DEPLOYMENTS, body)
    status = failures.status(refused.value)
    assert status["code"] == 422
    assert status["reason"] == "Invalid"
    assert status["details"]["name"] == "shop"
    assert status["details"]["group"] == "apps"
    assert [cause["field"] for cause in status["details"]["causes"]] == [
        "spec.replicas",
        "spec.template.spec.containers[0].image",
        "spec.minReadySeconds",
    ]
    assert status["message"].startswith('Deployment.apps "shop" is invalid: [spec.replicas: ')


def test_what_is_odd_is_accepted_with_a_warning() -> None:
    ports = [{"containerPort": 80, "name": "http"}]
    env = [
        {"name": "A", "value": "1"},
        {"name": "A", "value": "2"},
        {"name": "A", "value": "$(A)3"},
    ]
    first = {"name": "one", "image": "x", "ports": ports, "env": env}
    second = {"name": "two", "image": "x", "ports": ports}
    one, two = "spec.containers[0].ports[0]", "spec.containers[1].ports[0]"
    made = World().write(PODS, pod(containers=[first, second], terminationGracePeriodSeconds=-1))
    assert made.warnings == (
        (
            'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped '
            "when using apply"
        ),
        f"{two}: duplicate port definition with {one}",
        (
            f'{two}: duplicate port name "http" with {one}, services and probes that select '
            f"ports by name will use {one}"
        ),
        (
            "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and "
            "will be treated as 1"
        ),
    )
