"""Restarts, probes and the end of pods, on a real API server."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.end_to_end.node import bench
from tests.end_to_end.node.bench import Bench, a_pod, a_script, condition, is_ready, main_status


async def test_a_crashing_container_is_started_again_more_and_more_seldom(shop: Bench) -> None:
    await shop.create(a_script("echo crash; exit 3"))
    pod = await shop.until("shop", lambda p: main_status(p).get("restartCount", 0) >= 2)
    last = main_status(pod)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (3, "Error")
    waiting = await shop.until(
        "shop",
        lambda p: main_status(p)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff",
    )
    state = main_status(waiting)["state"]["waiting"]
    assert "restarting failed container=main pod=shop_" in state["message"]
    assert not is_ready(waiting)
    assert waiting["status"]["phase"] == "Running"
    (event,) = await shop.events("shop", "BackOff")
    assert event["type"] == "Warning"
    for run_count in range(2):
        assert await shop.until_logged(pod, "crash", run_count) == "crash\n"


async def test_restart_policies_end_pods_as_they_say(shop: Bench, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    second_time = f"test -e {mark} && exit 0; touch {mark}; exit 1"
    await shop.create(a_script("exit 0", "fine", SPEC={"restartPolicy": "Never"}))
    await shop.create(a_script("exit 4", "broken", SPEC={"restartPolicy": "Never"}))
    await shop.create(a_script(second_time, "retried", SPEC={"restartPolicy": "OnFailure"}))
    await shop.create(a_script("kill -9 $$$$", "killed", SPEC={"restartPolicy": "Never"}))
    expected = {
        "fine": ("Succeeded", 0, 0),
        "broken": ("Failed", 4, 0),
        "retried": ("Succeeded", 0, 1),
        "killed": ("Failed", 137, 0),
    }
    for name, (phase, code, restart_count) in expected.items():
        pod = await shop.until(name, lambda p: p["status"]["phase"] in {"Succeeded", "Failed"})
        status = main_status(pod)
        found = (pod["status"]["phase"], status["state"]["terminated"]["exitCode"])
        assert (*found, status["restartCount"]) == (phase, code, restart_count), name
        assert condition(pod, "Ready")["status"] == "False"


async def test_a_program_that_is_missing_is_named(shop: Bench) -> None:
    await shop.create(a_pod(command=["/no/such/program"], SPEC={"restartPolicy": "Never"}))
    pod = await shop.until("shop", lambda p: p["status"]["phase"] == "Failed")
    ended = main_status(pod)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "'/no/such/program': No such file or directory" in ended["message"]


async def test_readiness_follows_its_probe_and_its_thresholds(shop: Bench, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    probe = {
        "exec": {"command": ["test", "-e", str(file)]},
        "periodSeconds": 1,
        "failureThreshold": 2,
    }
    await shop.create(a_script("exec sleep 60", readinessProbe=probe))
    pod = await shop.until("shop", lambda p: main_status(p).get("started"))
    assert not is_ready(pod)
    assert condition(pod, "Ready")["reason"] == "ContainersNotReady"
    file.touch()
    ready = await shop.until_ready("shop")
    file.unlink()
    removed_at = time.monotonic()
    unready = await shop.until("shop", lambda p: not is_ready(p))
    # Two failures that are a second apart.
    assert time.monotonic() - removed_at >= 1
    assert main_status(unready)["restartCount"] == 0
    since = [condition(p, "Ready")["lastTransitionTime"] for p in (pod, ready, unready)]
    assert since[0] <= since[1] < since[2]
    (event, *_) = await shop.events("shop", "Unhealthy")
    assert event["message"].startswith("Readiness probe failed: command test -e")


async def test_http_and_tcp_probes_look_at_the_port_that_the_pod_really_has(shop: Bench) -> None:
    http = {"httpGet": {"path": "/healthz", "port": "web"}}
    tcp = {"tcpSocket": {"port": 80}}
    ports = [{"name": "web", "containerPort": 80}]
    await shop.create(a_pod("http", readinessProbe=http, ports=ports))
    await shop.create(a_pod("tcp", readinessProbe=tcp))
    options = [{"name": "SERINUS_WEB_STATUS", "value": "503"}]
    broken = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    await shop.create(a_pod("broken", readinessProbe=broken, env=options))
    await shop.until_ready("http")
    await shop.until_ready("tcp")
    (event, *_) = await shop.events("broken", "Unhealthy")
    assert event["message"] == "Readiness probe failed: HTTP probe failed with statuscode: 503"
    assert not is_ready(await shop.pod("broken"))


async def test_a_failed_liveness_probe_starts_the_container_anew(
    shop: Bench, tmp_path: Path
) -> None:
    alive = tmp_path / "alive"
    script = f"touch {alive}; trap 'echo term; exit 0' TERM; while :; do sleep 0.05; done"
    probe = {
        "exec": {"command": ["test", "-e", str(alive)]},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "initialDelaySeconds": 1,
    }
    await shop.create(a_script(script, livenessProbe=probe))
    pod = await shop.until_ready("shop")
    await shop.until_logged(pod, "")
    alive.unlink()
    again = await shop.until("shop", lambda p: main_status(p)["restartCount"] == 1 and is_ready(p))
    assert "term" in shop.log(again).splitlines()
    (event,) = await shop.events("shop", "Killing")
    assert event["message"] == "Container main failed liveness probe, will be restarted"


async def test_a_startup_probe_holds_the_others_back(shop: Bench, tmp_path: Path) -> None:
    started = tmp_path / "started"
    period = {"periodSeconds": 1}
    startup = {"exec": {"command": ["test", "-e", str(started)]}, "failureThreshold": 30, **period}
    dead = {"exec": {"command": ["test", "-e", str(started)]}, "failureThreshold": 1, **period}
    await shop.create(a_script("exec sleep 60", startupProbe=startup, livenessProbe=dead))
    pod = await shop.until("shop", lambda p: main_status(p).get("state", {}).get("running"))
    assert main_status(pod)["started"] is False
    await shop.events("shop", "Unhealthy")
    started.touch()
    ready = await shop.until_ready("shop")
    assert (main_status(ready)["started"], main_status(ready)["restartCount"]) == (True, 0)


async def test_a_deleted_pod_gets_its_hook_then_term_and_stays_until_it_has_ended(
    shop: Bench, tmp_path: Path
) -> None:
    let_go = tmp_path / "let-go"
    script = (
        "trap 'echo term; while ! test -e "
        f"{let_go}; do sleep 0.02; done; echo end; exit 0' TERM; echo up; "
        "while :; do sleep 0.05; done"
    )
    hook = {"preStop": {"exec": {"command": ["/bin/sh", "-c", f"echo hook > {tmp_path}/hook"]}}}
    await shop.create(a_script(script, lifecycle=hook, SPEC={"terminationGracePeriodSeconds": 30}))
    pod = await shop.until_ready("shop")
    await shop.until_logged(pod, "up")
    await shop.delete("shop")
    await shop.until_logged(pod, "term")
    assert (tmp_path / "hook").read_text() == "hook\n"
    terminating = await shop.pod("shop")
    assert terminating["metadata"]["deletionTimestamp"]
    # As with the kubelet, a container that still runs is still ready; endpoints go by the deletion.
    assert is_ready(terminating)
    assert bench.processes_of(pod)
    let_go.touch()
    await shop.until_gone("shop")
    # The shell itself tells of its own child, which the signal reaches, too.
    told = [line for line in shop.log(pod).splitlines() if line != "Terminated"]
    assert told == ["up", "term", "end"]
    assert bench.processes_of(pod) == []


async def test_what_does_not_end_in_its_grace_is_killed_with_all_that_it_started(
    shop: Bench,
) -> None:
    script = "trap 'echo no' TERM; (trap '' TERM; sleep 61) & echo up; while :; do sleep 0.05; done"
    await shop.create(a_script(script, SPEC={"terminationGracePeriodSeconds": 1}))
    pod = await shop.until_ready("shop")
    await shop.until_logged(pod, "up")
    assert len(bench.processes_of(pod)) >= 2
    deleted_at = time.monotonic()
    await shop.delete("shop")
    await shop.until_gone("shop")
    assert time.monotonic() - deleted_at >= 1
    assert bench.processes_of(pod) == []
    assert "no" in shop.log(pod)


async def test_a_second_deletion_can_shorten_the_grace(shop: Bench) -> None:
    script = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    await shop.create(a_script(script, SPEC={"terminationGracePeriodSeconds": 600}))
    pod = await shop.until_ready("shop")
    await shop.until_logged(pod, "up")
    await shop.delete("shop")
    await shop.events("shop", "Killing")
    await shop.delete("shop", grace_s=1)
    await shop.until_gone("shop")
    assert bench.processes_of(pod) == []


async def test_a_pod_that_is_deleted_by_force_loses_its_processes(shop: Bench) -> None:
    await shop.create(a_script("trap '' TERM; echo up; while :; do sleep 0.05; done"))
    pod = await shop.until_ready("shop")
    await shop.until_logged(pod, "up")
    await shop.delete("shop", grace_s=0)
    await shop.until_gone("shop")
    await bench.until(lambda: bench.processes_of(pod) == [])


async def test_a_pod_of_the_same_name_made_anew_is_another_pod(shop: Bench) -> None:
    await shop.create(a_script("exec sleep 60"))
    first = await shop.until_ready("shop")
    await shop.delete("shop", grace_s=0)
    await shop.create(a_script("exec sleep 61"))
    second = await shop.until_ready("shop")
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    await bench.until(lambda: bench.processes_of(first) == [])
    assert len(bench.processes_of(second)) == 1


async def test_an_active_deadline_ends_the_pod(shop: Bench) -> None:
    await shop.create(a_script("exec sleep 60", SPEC={"activeDeadlineSeconds": 1}))
    pod = await shop.until("shop", lambda p: p["status"]["phase"] == "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    assert bench.processes_of(pod) == []


async def test_a_pod_that_is_deleted_while_its_image_is_unknown_goes_at_once(shop: Bench) -> None:
    await shop.create(a_pod(image="nobody/knows:1", SPEC={"terminationGracePeriodSeconds": 600}))
    await shop.until(
        "shop", lambda p: main_status(p).get("state", {}).get("waiting", {}).get("message")
    )
    await shop.delete("shop")
    await shop.until_gone("shop")


async def test_a_post_start_hook_that_fails_ends_the_container(shop: Bench) -> None:
    hook = {"postStart": {"exec": {"command": ["false"]}}}
    await shop.create(a_script("exec sleep 60", lifecycle=hook))
    await shop.until("shop", lambda p: main_status(p).get("restartCount", 0) >= 1)
    (event, *_) = await shop.events("shop", "FailedPostStartHook")
    assert "PostStartHook failed: command false exited with 1" in event["message"]


async def test_many_pods_can_be_deleted_at_once(shop: Bench) -> None:
    names = [f"shop-{n}" for n in range(10)]
    await asyncio.gather(*(shop.create(a_script("exec sleep 60", n)) for n in names))
    pods = await asyncio.gather(*(shop.until_ready(n) for n in names))
    await asyncio.gather(*(shop.delete(n) for n in names))
    await asyncio.gather(*(shop.until_gone(n) for n in names))
    assert all(bench.processes_of(p) == [] for p in pods)


async def test_hooks_may_sleep_or_ask_the_pod_itself_and_their_failure_is_told(shop: Bench) -> None:
    grace = {"terminationGracePeriodSeconds": 3}
    sleeping = {"preStop": {"sleep": {"seconds": 1}}}
    asking = {"preStop": {"httpGet": {"path": "/healthz", "port": 80}}}
    failing = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo sorry; exit 2"]}}}
    endless = {"preStop": {"exec": {"command": ["sleep", "600"]}}}
    linger = [{"name": "SERINUS_WEB_LINGER_MS", "value": "0"}]
    hooks = {"sleeping": sleeping, "asking": asking, "failing": failing, "endless": endless}
    for name, hook in hooks.items():
        await shop.create(a_pod(name, lifecycle=hook, env=linger, SPEC=grace))
    pods = {name: await shop.until_ready(name) for name in hooks}
    deleted_at = time.monotonic()
    await asyncio.gather(*(shop.delete(name) for name in hooks))
    took_s = {}
    for name in ("asking", "failing", "sleeping", "endless"):
        await shop.until_gone(name)
        took_s[name] = time.monotonic() - deleted_at
    assert took_s["sleeping"] >= 1
    assert took_s["endless"] >= 3
    for name in ("failing", "endless"):
        (event,) = await shop.events(name, "FailedPreStopHook")
        assert event["type"] == "Warning"
    (failed,) = await shop.events("failing", "FailedPreStopHook")
    assert failed["message"].endswith("exited with 2: sorry")
    assert all(bench.processes_of(pod) == [] for pod in pods.values())
    # Each was told to end by TERM after its hook, and did.
    assert all("TERM: 0 requests in flight" in shop.log(pod) for pod in pods.values())


async def test_volumes_are_told_not_to_be_mounted(shop: Bench) -> None:
    mounts = [{"name": "data", "mountPath": "/var/data"}]
    volumes = {"volumes": [{"name": "data", "emptyDir": {}}]}
    await shop.create(a_pod(volumeMounts=mounts, SPEC=volumes))
    await shop.until_ready("shop")
    (event,) = await shop.events("shop", "VolumesNotMounted")
    assert event["message"].startswith("/var/data: volumes are not mounted")
