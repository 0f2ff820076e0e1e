"""Pods of a real API server run as processes of this machine."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path

import aiohttp

from serinus.kube import kinds
from tests.end_to_end.node import bench
from tests.end_to_end.node.bench import Bench, a_pod, a_script, condition, main_status

SHOW_VARIABLES = """
echo "$0 $COLOUR $SIZE $TOKEN $NAME/$APP $IP $GREETING"
echo "$MISSING-"
pwd
echo "[$KUBECONFIG]"
exec sleep 60
"""


async def test_a_pod_becomes_ready_and_answers_on_its_own_address(shop: Bench) -> None:
    await shop.create(a_pod())
    pod = await shop.until_ready("shop")
    status = pod["status"]
    assert status["phase"] == "Running"
    assert status["podIP"].startswith("127.1.")
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["hostIP"] == "127.0.0.1"
    assert status["startTime"]
    assert status["qosClass"] == "BestEffort"
    assert pod["spec"]["nodeName"] == "local"
    for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready"):
        assert condition(pod, kind)["status"] == "True"
        assert condition(pod, kind)["lastTransitionTime"]
    container = main_status(pod)
    assert container["image"] == "nginx:1.8.0"
    assert container["imageID"]
    assert container["containerID"].startswith("serinus://")
    assert (container["ready"], container["started"], container["restartCount"]) == (True, True, 0)
    assert container["state"]["running"]["startedAt"]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address_of(pod)}/") as response,
    ):
        assert await response.json() == {"image": "nginx:1.8.0", "version": "1.8.0", "pod": "shop"}


def address_of(pod: bench.Manifest) -> str:
    """Return where port 80 of the pod is: on its own port, or for an ordinary user elsewhere."""
    moved = json.loads(pod["metadata"].get("annotations", {}).get("serinus.dev/host-ports", "{}"))
    return f"{pod['status']['podIP']}:{moved.get('80', 80)}"


async def test_its_story_is_told_in_events(shop: Bench) -> None:
    await shop.create(a_pod())
    await shop.until_ready("shop")
    for reason in ("Scheduled", "Pulled", "Created", "Started"):
        (event,) = await shop.events("shop", reason)
        assert event["type"] == "Normal"
    (pulled,) = await shop.events("shop", "Pulled")
    assert "nginx is played by a small web server" in pulled["message"]
    assert pulled["involvedObject"]["fieldPath"] == "spec.containers{main}"
    await shop.delete("shop")
    await shop.until_gone("shop")
    (killing,) = await shop.events("shop", "Killing")
    assert killing["message"] == "Stopping container main"


async def test_twenty_pods_get_ready(shop: Bench) -> None:
    names = [f"shop-{n}" for n in range(20)]
    await asyncio.gather(*(shop.create(a_pod(n)) for n in names))
    pods = await asyncio.gather(*(shop.until_ready(n) for n in names))
    assert len({p["status"]["podIP"] for p in pods}) == 20


async def test_a_command_sees_its_variables_folder_and_fields(shop: Bench, tmp_path: Path) -> None:
    await shop.client.create(
        kinds.CONFIG_MAPS,
        {"metadata": {"name": "settings"}, "data": {"COLOUR": "yellow", "size": "small"}},
        shop.namespace,
    )
    secret = base64.b64encode(b"s3cret").decode()
    await shop.client.create(
        kinds.SECRETS,
        {"metadata": {"name": "keys"}, "data": {"token": secret}},
        shop.namespace,
    )
    pod = a_pod(
        command=["/bin/sh", "-c"],
        args=[
            SHOW_VARIABLES,
            "$(GREETING) $$(GREETING) $(UNKNOWN)",
        ],
        workingDir=str(tmp_path),
        envFrom=[{"configMapRef": {"name": "settings"}}],
        env=[
            {"name": "WHO", "value": "bird"},
            {"name": "GREETING", "value": "hello $(WHO)"},
            {
                "name": "SIZE",
                "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "size"}},
            },
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {
                "name": "MISSING",
                "valueFrom": {
                    "configMapKeyRef": {"name": "settings", "key": "none", "optional": True}
                },
            },
        ],
    )
    os.environ["KUBECONFIG"] = "/must/not/be/seen"
    try:
        await shop.create(pod)
        ready = await shop.until_ready("shop")
    finally:
        del os.environ["KUBECONFIG"]
    address = ready["status"]["podIP"]
    log = await shop.until_logged(ready, "[")
    assert log.splitlines() == [
        f"hello bird $(GREETING) $(UNKNOWN) yellow small s3cret shop/shop {address} hello bird",
        "-",
        str(tmp_path),
        "[]",
    ]


async def test_a_missing_config_map_is_named_and_waited_for(shop: Bench) -> None:
    source = {"configMapKeyRef": {"name": "later", "key": "a"}}
    await shop.create(a_script("exec sleep 60", env=[{"name": "A", "valueFrom": source}]))
    pod = await shop.until(
        "shop",
        lambda p: (
            "waiting" in main_status(p).get("state", {})
            and (main_status(p)["state"]["waiting"]["reason"] == "CreateContainerConfigError")
        ),
    )
    assert main_status(pod)["state"]["waiting"]["message"] == 'configmap "later" not found'
    assert pod["status"]["phase"] == "Pending"
    await shop.client.create(
        kinds.CONFIG_MAPS, {"metadata": {"name": "later"}, "data": {"a": "1"}}, shop.namespace
    )
    await shop.until_ready("shop")


async def test_an_unknown_image_is_told_with_the_catalogue_and_runs_once_it_is_added(
    kubeconfig: Path, idle_bench: Bench, tmp_path: Path
) -> None:
    catalogue = tmp_path / "images.yaml"
    catalogue.write_text("images:\n- {pattern: 'other:*', command: [none]}\n")
    async with bench.node(kubeconfig, idle_bench.state, images=[catalogue]):
        await idle_bench.create(a_pod(image="team/shop:v7"))
        pod = await idle_bench.until(
            "shop",
            lambda p: (
                main_status(p).get("state", {}).get("waiting", {}).get("reason")
                == "ImagePullBackOff"
            ),
        )
        message = main_status(pod)["state"]["waiting"]["message"]
        assert '"team/shop:v7"' in message
        assert "known: other:*, nginx:*" in message
        assert 'images: [{pattern: "team/shop:*"' in message
        assert pod["status"]["phase"] == "Pending"
        (failed,) = await idle_bench.events("shop", "Failed")
        assert "ErrImagePull" in failed["message"]
        catalogue.write_text(
            "images:\n- pattern: team/shop:*\n  command: ['/bin/sh', -c, "
            "'echo $SERINUS_VERSION $0 on $PORT; exec sleep 60', '$(SERINUS_IMAGE)']\n"
            "  ports: [8080]\n  env: {A: b}\n"
        )
        running = await idle_bench.until_ready("shop")
        assert await idle_bench.until_logged(running, "on") == "v7 team/shop:v7 on 8080\n"


async def test_a_grpc_probe_is_refused_clearly(shop: Bench) -> None:
    await shop.create(a_pod(readinessProbe={"grpc": {"port": 80}}))
    pod = await shop.until(
        "shop", lambda p: main_status(p).get("state", {}).get("waiting", {}).get("message")
    )
    waiting = main_status(pod)["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    assert "grpc probes are not supported here" in waiting["message"]


async def test_a_pod_for_another_node_is_left_alone(shop: Bench) -> None:
    await shop.create(a_pod("elsewhere", SPEC={"nodeName": "another"}))
    await shop.create(a_pod("wrong", SPEC={"nodeSelector": {"disk": "ssd"}}))
    await shop.create(a_pod("here", SPEC={"nodeName": "local"}))
    await shop.until_ready("here")
    (event,) = await shop.events("wrong", "FailedScheduling")
    assert "disk=ssd" in event["message"]
    for name in ("elsewhere", "wrong"):
        pod = await shop.pod(name)
        assert pod["status"]["phase"] == "Pending"
        assert bench.processes_of(pod) == []


async def test_init_containers_run_in_order_and_a_sidecar_lives_beside_the_main_one(
    shop: Bench, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    script = "echo {} >> " + str(told)
    pod = a_script(script.format("main") + "; exec sleep 60")
    pod["spec"]["initContainers"] = [
        {"name": "one", "image": "x", "command": ["/bin/sh", "-c", script.format("one")]},
        {
            "name": "side",
            "image": "x",
            "restartPolicy": "Always",
            "command": ["/bin/sh", "-c", script.format("side") + "; exec sleep 60"],
            "startupProbe": {"exec": {"command": ["grep", "side", str(told)]}},
        },
        {"name": "two", "image": "x", "command": ["/bin/sh", "-c", script.format("two")]},
    ]
    await shop.create(pod)
    ready = await shop.until_ready("shop")
    assert told.read_text().split() == ["one", "side", "two", "main"]
    states = {s["name"]: s["state"] for s in ready["status"]["initContainerStatuses"]}
    assert states["one"]["terminated"]["reason"] == "Completed"
    assert "running" in states["side"]
    await shop.delete("shop")
    await shop.until_gone("shop")
    assert bench.processes_of(ready) == []


async def test_limits_that_the_system_does_not_have_are_told_and_memory_is_held(
    shop: Bench,
) -> None:
    script = "import sys\ntry:\n  x = bytearray(300 << 20)\nexcept MemoryError:\n  print('held')\n"
    limits = {"limits": {"cpu": "500m", "memory": "200Mi"}}
    pod = a_pod(
        command=["$(SERINUS_PYTHON)", "-c", script],
        resources=limits,
        SPEC={"restartPolicy": "Never"},
    )
    await shop.create(pod)
    ended = await shop.until("shop", lambda p: p["status"]["phase"] in {"Succeeded", "Failed"})
    assert shop.log(ended) == "held\n"
    (event,) = await shop.events("shop", "LimitNotEnforced")
    assert "cpu" in event["message"]
    assert ended["status"]["qosClass"] == "Guaranteed"
