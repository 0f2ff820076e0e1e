"""One local cluster for all tests with kubectl, and a namespace of its own for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serinus.local_cluster.lifecycle import LocalCluster
from serinus.local_cluster.state_folder import StateFolder

KUBECTL = Path(sys.executable).with_name("kubectl")
EXAMPLES = Path(__file__).parents[2] / "examples" / "nginx-canary"
STABLE, CANARY = str(EXAMPLES / "stable.yaml"), str(EXAMPLES / "canary.yaml")


class Kubectl:
    """Run kubectl in one namespace."""

    def __init__(self, kubeconfig: Path, cache: Path, namespace: str = "default") -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self._cache = cache

    def within(self, namespace: str) -> Kubectl:
        return Kubectl(self.kubeconfig, self._cache, namespace)

    def command(self, *arguments: str) -> list[str]:
        where = [] if "-A" in arguments else [f"--namespace={self.namespace}"]
        return [str(KUBECTL), f"--cache-dir={self._cache}", *where, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def try_(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            input=given,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def __call__(self, *arguments: str, given: str | None = None) -> str:
        done = self.try_(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def fails(self, *arguments: str, given: str | None = None) -> str:
        done = self.try_(*arguments, given=given)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)} worked: {done.stdout}"
        return done.stderr

    def object(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("get", *arguments, "-o", "json"))
        return found

    def background(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"not within {limit_s} s: {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def local_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    folder = StateFolder(tmp_path_factory.mktemp("local") / "state")
    cluster = LocalCluster(folder, "test")
    cluster.up()
    yield cluster
    cluster.down()


@pytest.fixture(scope="module")
def kubectl_anywhere(
    local_cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory
) -> Kubectl:
    return Kubectl(local_cluster.folder.kubeconfig, tmp_path_factory.mktemp("kubectl-cache"))


@pytest.fixture
def kubectl(kubectl_anywhere: Kubectl, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    name = f"t-{abs(hash(request.node.nodeid)) % 10**10}"
    kubectl_anywhere("create", "-f", "-", given=_namespace(name))
    yield kubectl_anywhere.within(name)
    kubectl_anywhere("delete", "namespace", name, "--wait=false")


def _namespace(name: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
