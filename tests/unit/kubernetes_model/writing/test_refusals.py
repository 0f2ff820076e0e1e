"""What the rules of each kind refuse, with the field and Kubernetes' words."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.errors import Invalid
from serinus.kubernetes_model import kinds
from tests.unit.kubernetes_model.world import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    PODS,
    World,
    config_map,
    deployment,
    pod,
)


def container(**parts: Any) -> dict[str, Any]:
    return {"containers": [{"name": "web", "image": "x", **parts}]}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"containers": []}, "spec.containers: Required value"),
        (container(name=""), r"containers\[0\].name: Required value"),
        (container(name="A"), "a lowercase RFC 1123 label"),
        (container(name="a.b"), "must not contain dots"),
        (container(image=""), r"containers\[0\].image: Required value"),
        (container(imagePullPolicy="X"), 'imagePullPolicy: Unsupported value: "X"'),
        (container(terminationMessagePolicy="X"), "terminationMessagePolicy: Unsupported value"),
        (container(ports=[{"containerPort": 0}]), "containerPort: Required value"),
        (container(ports=[{"containerPort": 99999}]), "must be between 1 and 65535"),
        (container(ports=[{"containerPort": 1, "hostPort": -1}]), "hostPort: Invalid value: -1"),
        (container(ports=[{"containerPort": 1, "protocol": "X"}]), "protocol: Unsupported value"),
        (
            container(ports=[{"containerPort": 1, "name": "much-too-long-name"}]),
            "must be no more than 15 characters",
        ),
        (
            container(ports=[{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]),
            r"ports\[1\].name: Duplicate value",
        ),
        (container(env=[{"name": ""}]), r"env\[0\].name: Required value"),
        (container(env=[{"name": "a=b"}]), "printable ASCII characters other than"),
        (
            container(env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {}}}]),
            "may not be specified when `value` is not empty",
        ),
        (container(env=[{"name": "A", "valueFrom": {}}]), "must specify one of"),
        (
            container(env=[{"name": "A", "valueFrom": {"fieldRef": {}, "secretKeyRef": {}}}]),
            "may not have more than one field",
        ),
        (
            container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
            "must be less than or equal to cpu limit of 1",
        ),
        (container(resources={"limits": {"cpu": "-1"}}), r"limits\[cpu\]: Invalid value"),
        (container(volumeMounts=[{"name": "no", "mountPath": "/x"}]), 'name: Not found: "no"'),
        (container(volumeMounts=[{"name": "", "mountPath": ""}]), "mountPath: Required value"),
        (container(readinessProbe={}), "must specify a handler type"),
        (container(readinessProbe={"exec": {}}), "exec.command: Required value"),
        (container(readinessProbe={"httpGet": {"port": "A"}}), "httpGet.port: Invalid value"),
        (
            container(readinessProbe={"httpGet": {"port": 1, "scheme": "X"}}),
            "scheme: Unsupported value",
        ),
        (
            container(readinessProbe={"tcpSocket": {"port": 1}, "httpGet": {"port": 1}}),
            "may not specify more than 1 handler type",
        ),
        (
            container(livenessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}),
            "successThreshold: Invalid value: 2: must be 1",
        ),
        (
            container(livenessProbe={"tcpSocket": {"port": 1}, "initialDelaySeconds": -1}),
            "initialDelaySeconds: Invalid value: -1",
        ),
        (container(lifecycle={"preStop": {}}), "lifecycle.preStop: Required value"),
        ({**container(), "restartPolicy": "X"}, "spec.restartPolicy: Unsupported value"),
        ({**container(), "dnsPolicy": "X"}, "spec.dnsPolicy: Unsupported value"),
        ({**container(), "activeDeadlineSeconds": 0}, "must be between 1 and 2147483647"),
        ({**container(), "nodeName": "A"}, "spec.nodeName: Invalid value"),
        ({**container(), "hostname": "a.b"}, "spec.hostname: Invalid value"),
        ({**container(), "nodeSelector": {"a b": "c"}}, "spec.nodeSelector: Invalid value"),
        ({**container(), "volumes": [{"name": ""}]}, r"volumes\[0\].name: Required value"),
        (
            {**container(), "volumes": [{"name": "a"}, {"name": "a"}]},
            r"volumes\[1\].name: Duplicate value",
        ),
        (
            {**container(), "volumes": [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/"}}]},
            "may not specify more than 1 volume type",
        ),
    ],
)
def test_a_pod_that_is_wrong_is_refused(spec: Any, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        World().create(PODS, pod(**spec))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"selector": None}, "spec.selector: Required value"),
        ({"selector": {}}, "empty selector is invalid for deployment"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "`selector` does not match template"),
        (
            {"selector": {"matchExpressions": [{"key": "a", "operator": "X"}]}},
            "not a valid selector operator",
        ),
        (
            {"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "must be specified when `operator` is 'In' or 'NotIn'",
        ),
        (
            {
                "selector": {
                    "matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]
                }
            },
            "may not be specified when `operator` is 'Exists'",
        ),
        ({"strategy": {"type": "X"}}, 'spec.strategy: Unsupported value: {"Type":"X"'),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            "may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            "may not be 0 when `maxSurge` is 0",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "200%"}}},
            "must not be greater than 100%",
        ),
        ({"strategy": {"rollingUpdate": {"maxSurge": "x"}}}, "a valid percent string"),
        ({"strategy": {"rollingUpdate": {"maxSurge": -1}}}, "maxSurge: Invalid value: -1"),
        ({"progressDeadlineSeconds": 5, "minReadySeconds": 5}, "greater than minReadySeconds"),
        ({"revisionHistoryLimit": -1}, "spec.revisionHistoryLimit: Invalid value: -1"),
    ],
)
def test_a_deployment_that_is_wrong_is_refused(spec: Any, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        World().create(DEPLOYMENTS, deployment(**spec))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"restartPolicy": "Never"}, 'Unsupported value: "Never": supported values: "Always"'),
        ({"activeDeadlineSeconds": 5}, "activeDeadlineSeconds in ReplicaSet is not Supported"),
        (
            {"ephemeralContainers": [{"name": "e", "image": "x"}]},
            "ephemeral containers not allowed in pod template",
        ),
    ],
)
def test_a_template_has_rules_of_its_own(change: Any, message: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"].update(change)
    with pytest.raises(Invalid, match=message):
        World().create(DEPLOYMENTS, body)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"labels": {"a b": "c"}}, "metadata.labels: Invalid value"),
        ({"labels": {"a": "b c"}}, "a valid label must be an empty string"),
        ({"labels": {"/a": "b"}}, "prefix part must be non-empty"),
        ({"labels": {"a/b/c": "d"}}, "with an optional DNS subdomain prefix"),
        ({"labels": {"a/": "d"}}, "name part must be non-empty"),
        ({"labels": {"a" * 64: "d"}}, "name part must be no more than 63"),
        ({"labels": {"a": "b" * 64}}, "must be no more than 63"),
        ({"annotations": {"a b": "c"}}, "metadata.annotations: Invalid value"),
        ({"annotations": {"a": "x" * 300_000}}, "metadata.annotations: Too long"),
        ({"finalizers": ["x"]}, "neither a standard finalizer name nor is it fully qualified"),
        ({"finalizers": ["a b"]}, r"metadata.finalizers\[0\]: Invalid value"),
        ({"finalizers": ["orphan", "foregroundDeletion"]}, "cannot be both set"),
        ({"ownerReferences": [{}]}, "metadata.ownerReferences.apiVersion: .*version must not be"),
        (
            {
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "A", "name": n, "uid": n, "controller": True}
                    for n in ("a", "b")
                ]
            },
            "Only one reference can have Controller set to true",
        ),
        ({"name": "a" * 254}, "must be no more than 253"),
    ],
)
def test_metadata_that_is_wrong_is_refused(metadata: Any, message: str) -> None:
    body = config_map()
    body["metadata"].update(metadata)
    with pytest.raises(Invalid, match=message):
        World().create(CONFIG_MAPS, body)


TARGET = {"kind": "Deployment", "name": "shop", "apiVersion": "apps/v1"}
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}


@pytest.mark.parametrize(
    ("resource", "body", "message"),
    [
        (CONFIG_MAPS, {"data": {"a b": "c"}}, r"data\[a b\]: Invalid value"),
        (CONFIG_MAPS, {"data": {"..": "c"}}, r"data\[\.\.\]: Invalid value"),
        (CONFIG_MAPS, {"data": {"a": "c"}, "binaryData": {"a": "aGk="}}, "duplicate of key"),
        (CONFIG_MAPS, {"data": {"a": "c" * (1 << 21)}}, "Too long"),
        (kinds.SECRETS, {"data": {"a b": "aGk="}}, r"data\[a b\]: Invalid value"),
        (kinds.SECRETS, {"type": "kubernetes.io/tls"}, r"data\[tls.crt\]: Required value"),
        (kinds.LEASES, {"spec": {"leaseDurationSeconds": 0}}, "must be greater than 0"),
        (kinds.LEASES, {"spec": {"leaseTransitions": -1}}, "must be greater than or equal to 0"),
        (
            kinds.HORIZONTAL_POD_AUTOSCALERS,
            {"spec": {"scaleTargetRef": TARGET}},
            "spec.maxReplicas: Required value",
        ),
        (
            kinds.HORIZONTAL_POD_AUTOSCALERS,
            {"spec": {"scaleTargetRef": TARGET, "maxReplicas": 1, "minReplicas": 2}},
            "must be greater than or equal to `minReplicas`",
        ),
        (
            kinds.HORIZONTAL_POD_AUTOSCALERS,
            {"spec": {"scaleTargetRef": {}, "maxReplicas": -1, "minReplicas": 0}},
            "spec.scaleTargetRef.kind: Required value",
        ),
        (
            kinds.POD_DISRUPTION_BUDGETS,
            {"spec": {"minAvailable": 1, "maxUnavailable": 1}},
            "cannot be both set",
        ),
        (
            kinds.POD_DISRUPTION_BUDGETS,
            {"spec": {"minAvailable": "200%"}},
            "must not be greater than 100%",
        ),
        (kinds.ROLES, {"rules": [{}]}, r"rules\[0\].verbs: Required value"),
        (
            kinds.ROLES,
            {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]},
            "cannot apply to non-resource URLs",
        ),
        (kinds.ROLES, {"rules": [{"verbs": ["get"]}]}, r"rules\[0\].apiGroups: Required value"),
        (kinds.ROLE_BINDINGS, {"roleRef": {"kind": "X"}}, "roleRef.kind: Unsupported value"),
        (
            kinds.ROLE_BINDINGS,
            {"roleRef": ROLE, "subjects": [{"kind": "ServiceAccount", "name": "x"}]},
            r"subjects\[0\].namespace: Required value",
        ),
        (
            kinds.ROLE_BINDINGS,
            {"roleRef": ROLE, "subjects": [{"kind": "X"}]},
            r"subjects\[0\].kind: Unsupported value",
        ),
        (kinds.ENDPOINT_SLICES, {"endpoints": []}, "addressType: Required value"),
        (kinds.ENDPOINT_SLICES, {"addressType": "X"}, "addressType: Unsupported value"),
        (
            kinds.ENDPOINT_SLICES,
            {"addressType": "IPv4", "endpoints": [{"addresses": ["x"]}]},
            "must be a valid IP address",
        ),
        (
            kinds.ENDPOINT_SLICES,
            {"addressType": "IPv4", "endpoints": [{"addresses": []}]},
            "must contain at least 1 address",
        ),
        (
            kinds.ENDPOINT_SLICES,
            {"addressType": "IPv4", "ports": [{"port": 1}, {"port": 2, "protocol": "X"}]},
            r"ports\[1\].name: Duplicate value",
        ),
    ],
)
def test_each_kind_has_its_rules(resource: kinds.Resource, body: Any, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        World().create(resource, {"metadata": {"name": "x"}, **body})


@pytest.mark.parametrize(
    ("resource", "body", "change", "message"),
    [
        (
            kinds.ROLE_BINDINGS,
            {"roleRef": ROLE},
            {"roleRef": {**ROLE, "name": "other"}},
            "cannot change roleRef",
        ),
        (kinds.SECRETS, {}, {"type": "other"}, "type: Invalid value: .*field is immutable"),
        (
            kinds.ENDPOINT_SLICES,
            {"addressType": "IPv4"},
            {"addressType": "IPv6"},
            "addressType: Invalid value: .*field is immutable",
        ),
        (
            kinds.STATEFUL_SETS,
            deployment(serviceName="x"),
            {"spec": {"serviceName": "y"}},
            "updates to statefulset spec for fields other than",
        ),
    ],
)
def test_what_is_for_life_stays(
    resource: kinds.Resource, body: Any, change: Any, message: str
) -> None:
    world = World()
    world.create(resource, {**body, "metadata": {"name": "x"}})
    with pytest.raises(Invalid, match=message):
        world.patch(resource, "x", change)


def test_a_daemon_set_is_stored_with_its_defaults() -> None:
    spec = deployment()["spec"]
    body = {"metadata": {"name": "d"}, "spec": {k: spec[k] for k in ("selector", "template")}}
    made = World().create(kinds.DAEMON_SETS, body)["spec"]
    assert made["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
    }
