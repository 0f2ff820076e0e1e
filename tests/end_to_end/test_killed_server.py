"""The API server is killed amid rollouts: no request is lost, each rollout ends right."""

from __future__ import annotations

import os
import random
import signal
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from serinus.local_cluster import daemons
from serinus.local_cluster.lifecycle import LocalCluster
from serinus.local_cluster.state_folder import StateFolder
from tests.end_to_end.kubectl_session import Kubectl, wait_for

pytestmark = pytest.mark.xdist_group("local-cluster")


class Load:
    """Ask for a page again and again, each time over a new connection."""

    def __init__(self, url: str) -> None:
        self.answered_count = 0
        self.failures: list[str] = []
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(2)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            try:
                with urllib.request.urlopen(self._url, timeout=5) as answer:
                    answer.read()
                self.answered_count += 1
            except OSError as e:
                self.failures.append(repr(e))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    made = LocalCluster(StateFolder(tmp_path / "state"), "test")
    made.up()
    yield made
    made.down()


@pytest.fixture
def kubectl(cluster: LocalCluster, tmp_path: Path) -> Kubectl:
    return Kubectl(cluster.folder.kubeconfig, tmp_path / "cache")


def _serve(kubectl: Kubectl) -> str:
    """Start three pods behind a Service; return its URL."""
    kubectl("create", "deployment", "shop", "--image=nginx:1.0.0", "--replicas=3", "--port=80")
    kubectl("expose", "deployment", "shop", "--type=NodePort", "--port=80")
    kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
    port = kubectl.object("service", "shop")["spec"]["ports"][0]["nodePort"]
    url = f"http://127.0.0.1:{port}/"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return True
        except OSError:
            return False

    wait_for(answers, "the Service answers")
    return url


def _kill_while_rolling_out(cluster: LocalCluster, kubectl: Kubectl, image: str) -> None:
    kubectl("set", "image", "deployment/shop", f"nginx={image}")
    server = daemons.running(cluster.folder.identity("server"))
    assert server is not None
    # A random moment of the rollout, which takes about two seconds.
    threading.Event().wait(random.uniform(0, 1.5))
    os.kill(server.pid, signal.SIGKILL)
    wait_for(lambda: not daemons.is_running(server), "the server is dead")
    cluster.up()
    kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
    pods = kubectl.object("pods", "-l", "app=shop")["items"]
    staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert [pod["spec"]["containers"][0]["image"] for pod in staying] == [image] * 3


def _check(cluster: LocalCluster, kubectl: Kubectl, kill_count: int) -> None:
    random.seed(kill_count)
    with Load(_serve(kubectl)) as load:
        for number in range(1, kill_count + 1):
            _kill_while_rolling_out(cluster, kubectl, f"nginx:1.0.{number}")
    assert load.failures == []
    assert load.answered_count > 50 * kill_count


def test_a_server_killed_in_mid_rollout_costs_no_request(
    cluster: LocalCluster, kubectl: Kubectl
) -> None:
    _check(cluster, kubectl, kill_count=2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thirty_kills_in_mid_rollout_cost_no_request(
    cluster: LocalCluster, kubectl: Kubectl
) -> None:
    _check(cluster, kubectl, kill_count=30)
