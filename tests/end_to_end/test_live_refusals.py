"""Releases that cannot go well, two terminals at once, Ctrl-C: with pods that run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.kubectl_session import (
    Kubectl,
    kubectl,
    kubectl_anywhere,
    local_cluster,
    wait_for,
)
from tests.end_to_end.terminal import (
    INTERRUPTED,
    LIMIT_S,
    REFUSED,
    Terminal,
    create,
    deployment,
    error_of,
    service,
)

__all__ = ["kubectl", "kubectl_anywhere", "local_cluster"]
pytestmark = [pytest.mark.xdist_group("local-cluster"), pytest.mark.timeout(180)]

NOT_READY = "case $SERINUS_IMAGE in *never-ready) exit 1;; esac"
RELEASE = ("release", "shop", "web=nginx:1.8.0", "--settle", "100ms")


@pytest.fixture
def terminal(kubectl: Kubectl) -> Terminal:
    """A namespace with a Deployment `shop` of one pod that serves, and its Service."""
    # The classic server answers with its version in the path /version alone.
    probe = {"exec": {"command": ["sh", "-c", NOT_READY]}, "periodSeconds": 1}
    shop = deployment(
        "shop", replicas=1, progressDeadlineSeconds=5, container={"readinessProbe": probe}
    )
    create(kubectl, shop, service("shop"))
    found = Terminal(kubectl)
    found.until_available("shop", 1)
    return found


@pytest.fixture
def paused(terminal: Terminal) -> Terminal:
    """The same with a release that waits at 50 % for a person, and nobody drives."""
    terminal(*RELEASE, "--weight", "50")
    return terminal


def phase(terminal: Terminal) -> str:
    found: str = json.loads(terminal("status", "shop", "-o", "json").stdout)["status"]["phase"]
    return found


def pods(terminal: Terminal) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = terminal.kubectl.object("pods")["items"]
    return found


def selector(terminal: Terminal) -> dict[str, str]:
    found: dict[str, str] = terminal.kubectl.object("service", "shop")["spec"]["selector"]
    return found


def holder(terminal: Terminal) -> str:
    leases = terminal.kubectl.object("leases")["items"]
    return "".join(found["spec"].get("holderIdentity") or "" for found in leases)


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, err = process.communicate(timeout=LIMIT_S)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param("nothing.invalid/shop:2", id="an image that no catalogue knows"),
        pytest.param("nginx:never-ready", id="a pod that never gets ready"),
    ],
)
def test_a_canary_that_does_not_become_ready_is_aborted_with_the_traffic_untouched(
    terminal: Terminal, image: str
) -> None:
    before = terminal.kubectl.object("pods")["items"]
    done = terminal.try_("release", "shop", f"web={image}", "--settle", "100ms", "--weight", "50")
    assert done.returncode == REFUSED, done.stderr
    assert "Traceback" not in done.stderr
    assert "0 of 1 canary pods became available and none followed within 5 s" in done.stderr
    assert "serinus retry shop tries again, serinus undo shop sets it back" in done.stderr
    assert phase(terminal) == "Aborted"
    assert selector(terminal) == {"app": "shop"}
    after = [p for p in pods(terminal) if "deletionTimestamp" not in p["metadata"]]
    assert [p["metadata"]["uid"] for p in after] == [p["metadata"]["uid"] for p in before]
    assert holder(terminal) == ""


def test_a_pod_of_an_unknown_image_says_so_while_the_release_waits(terminal: Terminal) -> None:
    terminal.kubectl("patch", "deployment", "shop", "-p", '{"spec":{"progressDeadlineSeconds":60}}')
    running = terminal.background(
        "release", "shop", "web=nothing.invalid/shop:2", "--settle", "100ms", "--weight", "50"
    )
    try:
        wait_for(
            lambda: (
                "ErrImagePull" in (shown := terminal.try_("status", "shop").stdout)
                or "ImagePullBackOff" in shown
            ),
            "status shows why the canary's pod does not start",
        )
        terminal("abort", "shop")
    finally:
        done = ended(running)
    assert done.returncode == REFUSED, done.stderr
    assert "Aborted: aborted by a person" in done.stderr


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("retry", "retry: only an aborted release can be tried again"),
        ("pause", ""),
    ],
)
def test_a_verb_that_the_phase_does_not_allow_is_refused_on_a_paused_release(
    paused: Terminal, verb: str, says: str
) -> None:
    done = paused.try_(verb, "shop")
    if says:
        assert (done.returncode, error_of(done)) == (REFUSED, says)
    assert phase(paused) == "Paused"


def test_verbs_that_the_phase_does_not_allow_are_refused_on_an_aborted_release(
    paused: Terminal,
) -> None:
    paused("abort", "shop")
    for verb in (["promote"], ["resume"], ["pause"], ["skip"], ["set-weight", "shop", "25"]):
        words = verb if len(verb) > 1 else [*verb, "shop"]
        done = paused.try_(*words)
        says = f"{verb[0]}: the release was aborted; retry starts it again"
        assert (done.returncode, error_of(done)) == (REFUSED, says)
    assert phase(paused) == "Aborted"
    again = paused.try_(*RELEASE, "--weight", "50")
    assert again.returncode == REFUSED
    assert "this template was aborted (aborted by a person): serinus retry shop" in error_of(again)


def test_verbs_that_the_phase_does_not_allow_are_refused_on_a_healthy_release(
    paused: Terminal,
) -> None:
    paused("promote", "shop")
    for verb in (["promote"], ["resume"], ["abort"], ["pause"], ["skip"]):
        done = paused.try_(*verb, "shop")
        assert (done.returncode, error_of(done)) == (REFUSED, f"{verb[0]}: no release is running")
    done = paused.try_("retry", "shop")
    assert error_of(done) == "retry: only an aborted release can be tried again"
    assert phase(paused) == "Healthy"


def test_another_release_while_one_runs_is_refused(paused: Terminal) -> None:
    paused.refused(
        *("release", "shop", "web=nginx:1.9.0", "--weight", "25", "--allow-coarse"),
        code=REFUSED,
        says="a release of shop is running at step 2: finish it with serinus promote shop or "
        "serinus abort shop first",
    )


def test_a_release_beside_one_that_is_driven_is_refused_with_the_driver(
    terminal: Terminal,
) -> None:
    running = terminal.background(*RELEASE, "--weight", "50", "--wait")
    try:
        wait_for(lambda: bool(holder(terminal)), "the first terminal drives")
        wait_for(lambda: phase(terminal) == "Paused", "the release waits for a person")
        done = terminal.try_(*RELEASE, "--weight", "50")
        assert done.returncode == REFUSED
        assert f"release shop is driven by {holder(terminal)}" in error_of(done)
        second = terminal("promote", "shop")
        assert "promote: accepted by the driver" in second.stderr
    finally:
        first = ended(running)
    assert first.returncode == 0, first.stderr
    assert first.stderr.rstrip().endswith("Healthy: every pod of shop runs the new revision")


def test_a_second_verb_on_a_pair_is_refused_while_the_first_drives(terminal: Terminal) -> None:
    create(
        terminal.kubectl,
        deployment("shop-canary", replicas=1, image="nginx:1.8.0", labels={"track": "canary"}),
    )
    terminal.until_available("shop-canary", 1)
    # The first goes on until stable has all its pods, of which one can never start.
    image = '[{"name":"web","image":"nothing.invalid/a:1"}]'
    terminal.kubectl(
        *("patch", "deployment", "shop-canary", "-p"),
        f'{{"spec":{{"template":{{"spec":{{"containers":{image}}}}}}}}}',
    )
    running = terminal.background("set-weight", "shop", "50")
    try:
        wait_for(lambda: bool(holder(terminal)), "the first terminal drives")
        done = terminal.try_("abort", "shop")
        assert done.returncode == REFUSED
        assert f"shop is driven by {holder(terminal)}" in error_of(done)
    finally:
        running.send_signal(signal.SIGINT)
        first = ended(running)
    assert first.returncode == INTERRUPTED
    assert "Traceback" not in first.stderr
    assert terminal.kubectl.object("leases")["items"] == []
    assert selector(terminal) == {"app": "shop"}
    terminal("abort", "shop")
    assert terminal.kubectl.object("leases")["items"] == []


def test_ctrl_c_leaves_a_safe_state_that_the_same_command_continues(terminal: Terminal) -> None:
    command = (*RELEASE, "--steps", "50,pause:600s", "--promotion", "adopt")
    running = terminal.background(*command)
    wait_for(lambda: holder(terminal) != "" and phase(terminal) == "Paused", "the pause is reached")
    os.kill(running.pid, signal.SIGINT)
    first = ended(running)
    assert first.returncode == INTERRUPTED
    assert "Traceback" not in first.stderr
    assert "interrupted: nothing advances until" in first.stderr
    assert holder(terminal) == ""
    assert "no driver since" in terminal("status", "shop").stdout
    uids = {p["metadata"]["uid"] for p in pods(terminal)}
    assert len(uids) == 2
    running = terminal.background(*command)
    wait_for(lambda: holder(terminal) != "", "the same command drives again")
    terminal("skip", "shop")
    second = ended(running)
    assert second.returncode == 0, second.stderr
    after = [p for p in pods(terminal) if "deletionTimestamp" not in p["metadata"]]
    assert {p["metadata"]["uid"] for p in after} < uids
    assert after[0]["spec"]["containers"][0]["image"] == "nginx:1.8.0"


def test_a_time_limit_ends_the_waiting_and_says_how_to_go_on(terminal: Terminal) -> None:
    done = terminal.try_(*RELEASE, "--steps", "50,pause:600s", "--timeout", "4s")
    assert done.returncode == REFUSED
    assert error_of(done) == "not finished within 4s; the same command goes on with it"
    assert holder(terminal) == ""


def test_a_server_dry_run_is_checked_by_the_server_and_writes_nothing(terminal: Terminal) -> None:
    before = terminal.world()
    done = terminal(*RELEASE, "--weight", "50", "--dry-run", "server")
    where = f"Deployment {terminal.kubectl.namespace}/"
    assert done.stdout.splitlines() == [
        "record the release of shop (2 steps) (server dry run)",
        f"apply {where}shop: hold: a changed template must not roll out by itself (server dry run)",
        f"strategic {where}shop: set the images on trial: web=nginx:1.8.0 (server dry run)",
        f"create {where}shop-rev2: create the canary with 1 pod (server dry run)",
    ]
    assert terminal.world() == before
    terminal.kubectl("create", "configmap", "serinus-shop", "--from-literal=kept=yes")
    assert terminal(*RELEASE, "--weight", "50", "--dry-run", "client").returncode == 0
    says = "ConfigMap serinus-shop is there and is no record of serinus, which needs the name"
    for rest in (["--dry-run", "server"], []):
        terminal.refused(*RELEASE, "--weight", "50", *rest, code=REFUSED, says=says)


def test_verbose_says_every_write(terminal: Terminal) -> None:
    done = terminal(*RELEASE, "--weight", "50", "-v")
    space = terminal.kubectl.namespace
    for expected in (
        f"create ConfigMap {space}/serinus-shop: the record of the release",
        f"apply Deployment {space}/shop: hold",
        f"strategic Deployment {space}/shop: set the images on trial: web=nginx:1.8.0",
        f"create Deployment {space}/shop-rev2: create the canary with 1 pod",
        f"update ConfigMap {space}/serinus-shop: the record of the release",
    ):
        assert expected in done.stderr
    quiet = terminal("promote", "shop")
    assert "ConfigMap" not in quiet.stderr


def test_a_watch_without_a_terminal_prints_each_new_picture(
    terminal: Terminal, tmp_path: Path
) -> None:
    printed = tmp_path / "printed"
    with printed.open("w") as file:
        watching = terminal.background("status", "shop", "--watch", stdout=file)
    try:
        wait_for(lambda: "stable shop  1/1 ready" in printed.read_text(), "the first picture")
        terminal.kubectl("scale", "deployment/shop", "--replicas=2")
        wait_for(lambda: "stable shop  2/2 ready" in printed.read_text(), "a picture of two pods")
    finally:
        watching.send_signal(signal.SIGINT)
    assert ended(watching).returncode == INTERRUPTED
    pictures = printed.read_text()
    assert "\x1b" not in pictures
    assert pictures.count("stable shop  1/1 ready") == 1
