"""What the API server fills in."""

from __future__ import annotations

import pytest

from serinus.errors import Invalid
from tests.conformance.cluster import Cluster, Object
from tests.conformance.manifests import pod, replica_set, service


def plain_deployment() -> Object:
    """Return the least that a Deployment can say."""
    labels = {"app": "shop"}
    containers = [{"name": "web", "image": "shop:1", "ports": [{"containerPort": 80}]}]
    return {
        "metadata": {"name": "shop"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


async def test_the_defaults_of_a_deployment(cluster: Cluster) -> None:
    made = await cluster.create("deployments", plain_deployment())
    assert made["spec"] == {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "shop:1",
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                        "resources": {},
                        "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                        "imagePullPolicy": "IfNotPresent",
                    }
                ],
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": 30,
                "dnsPolicy": "ClusterFirst",
                "securityContext": {},
                "schedulerName": "default-scheduler",
            },
        },
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
        },
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    assert made["status"] == {}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("shop", "Always"),
        ("shop:latest", "Always"),
        ("shop:1", "IfNotPresent"),
        ("registry:5000/shop", "Always"),
        ("shop@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
async def test_the_pull_policy_follows_the_tag(cluster: Cluster, image: str, policy: str) -> None:
    body = plain_deployment()
    body["spec"]["template"]["spec"]["containers"][0]["image"] = image
    made = await cluster.create("deployments", body, dry_run=True)
    assert made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == policy


async def test_half_a_rolling_update_is_completed(cluster: Cluster) -> None:
    body = plain_deployment()
    body["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 1}}
    made = await cluster.create("deployments", body, dry_run=True)
    assert made["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 1},
    }


async def test_recreate_gets_no_rolling_update(cluster: Cluster) -> None:
    body = plain_deployment()
    body["spec"]["strategy"] = {"type": "Recreate"}
    made = await cluster.create("deployments", body, dry_run=True)
    assert made["spec"]["strategy"] == {"type": "Recreate"}


async def test_the_defaults_of_probes(cluster: Cluster) -> None:
    body = plain_deployment()
    body["spec"]["template"]["spec"]["containers"][0].update(
        readinessProbe={"httpGet": {"port": 80}}, livenessProbe={"tcpSocket": {"port": 80}}
    )
    made = await cluster.create("deployments", body, dry_run=True)
    container = made["spec"]["template"]["spec"]["containers"][0]
    timing = {
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
        **timing,
    }
    assert container["livenessProbe"] == {"tcpSocket": {"port": 80}, **timing}


async def test_limits_stand_in_for_requests(cluster: Cluster) -> None:
    body = pod()
    body["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "100m", "memory": "1Gi"}}
    made = await cluster.create("pods", body, dry_run=True)
    resources = made["spec"]["containers"][0]["resources"]
    assert resources["requests"] == {"cpu": "100m", "memory": "1Gi"}
    assert made["status"]["qosClass"] == "Guaranteed"


async def test_quantities_are_written_in_their_canonical_form(cluster: Cluster) -> None:
    body = pod()
    requests = {"cpu": "0.5", "memory": "1024Mi"}
    body["spec"]["containers"][0]["resources"] = {"requests": requests}
    made = await cluster.create("pods", body, dry_run=True)
    found = made["spec"]["containers"][0]["resources"]["requests"]
    assert found == {"cpu": "500m", "memory": "1Gi"}
    assert made["status"]["qosClass"] == "Burstable"


async def test_the_defaults_of_a_replica_set(cluster: Cluster) -> None:
    body = replica_set()
    del body["spec"]["replicas"]
    made = await cluster.create("replicasets", body, dry_run=True)
    assert made["spec"]["replicas"] == 1
    assert made["status"] == {"replicas": 0}


async def test_the_defaults_of_a_pod(cluster: Cluster) -> None:
    made = await cluster.create("pods", pod())
    spec = made["spec"]
    assert spec["restartPolicy"] == "Always"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["enableServiceLinks"] is True
    assert spec["schedulerName"] == "default-scheduler"
    assert spec["priority"] == 0
    assert spec["preemptionPolicy"] == "PreemptLowerPriority"
    assert [each["key"] for each in spec["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


async def test_the_defaults_of_a_service(cluster: Cluster) -> None:
    made = await cluster.create("services", service())
    spec = dict(made["spec"])
    address = spec.pop("clusterIP")
    assert spec.pop("clusterIPs") == [address]
    assert address.count(".") == 3
    assert spec == {
        "selector": {"app": "shop"},
        "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80}],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "internalTrafficPolicy": "Cluster",
    }
    assert made["status"] == {"loadBalancer": {}}


async def test_a_node_port_service_gets_a_port_and_a_traffic_policy(cluster: Cluster) -> None:
    made = await cluster.create("services", service(type="NodePort"))
    assert 30000 <= made["spec"]["ports"][0]["nodePort"] <= 32767
    assert made["spec"]["externalTrafficPolicy"] == "Cluster"


async def test_an_asked_node_port_is_given(cluster: Cluster) -> None:
    body = service(type="NodePort", ports=[{"port": 80, "nodePort": 32600}])
    made = await cluster.create("services", body)
    assert made["spec"]["ports"][0]["nodePort"] == 32600
    await cluster.delete("services", "shop")


async def test_a_headless_service_has_no_address(cluster: Cluster) -> None:
    made = await cluster.create("services", service(clusterIP="None"))
    assert made["spec"]["clusterIP"] == "None"
    assert made["spec"]["clusterIPs"] == ["None"]


async def test_the_address_of_a_service_stays(cluster: Cluster) -> None:
    made = await cluster.create("services", service())
    written = await cluster.replace("services", service(selector={"app": "other"}))
    assert written["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    network, _, last = made["spec"]["clusterIP"].rpartition(".")
    another = f"{network}.{int(last) % 250 + 1}"
    with pytest.raises(Invalid, match=r"spec\.clusterIPs\[0\].*may not change once set"):
        await cluster.patch("services", "shop", {"spec": {"clusterIP": another}})


async def test_a_node_port_stays_when_the_manifest_does_not_name_it(cluster: Cluster) -> None:
    made = await cluster.create("services", service(type="NodePort"))
    written = await cluster.replace("services", service(type="NodePort"))
    assert written["spec"]["ports"] == made["spec"]["ports"]
    back = await cluster.replace("services", service(type="ClusterIP"))
    assert "nodePort" not in back["spec"]["ports"][0]


async def test_client_ip_affinity_gets_its_timeout(cluster: Cluster) -> None:
    made = await cluster.create("services", service(sessionAffinity="ClientIP"), dry_run=True)
    assert made["spec"]["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
