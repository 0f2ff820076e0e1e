"""A terminal with the CLI in it, and proof that a refused command changed nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from tests.end_to_end.kubectl_session import Kubectl, wait_for

BIN = Path(sys.executable).parent
LIMIT_S = 60
WATCHED = "deployments,services,configmaps,leases,horizontalpodautoscalers"
USAGE, REFUSED, UNREACHABLE, INTERRUPTED = 2, 1, 3, 130


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """Run `serinus` as a person would, in the namespace of a `Kubectl`."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k not in ("KUBECONFIG", "SERINUS_DEBUG")}
        return {**kept, "KUBECONFIG": str(self.kubectl.kubeconfig), "COLUMNS": "200"}

    def command(self, *arguments: str | Path) -> list[str]:
        verb, *rest = map(str, arguments)
        return [str(BIN / "serinus"), verb, "-n", self.kubectl.namespace, *rest]

    def try_(
        self, *arguments: str | Path, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            input=given,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        done = self.try_(*arguments)
        assert done.returncode == 0, f"serinus {arguments}: {done.returncode}\n{done.stderr}"
        return done

    def background(
        self, *arguments: str | Path, stdout: int | IO[str] = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            # A shell starts `command &` with SIGINT ignored, and children would inherit that.
            preexec_fn=_hear_ctrl_c,  # noqa: PLW1509 - the tests that use it have no threads
        )

    def world(self) -> dict[str, Any]:
        """Return all that people wrote into the namespace, and how often they did."""
        items = self.kubectl.object(WATCHED)["items"]
        return {
            f"{i['kind']}/{i['metadata']['name']}": (
                i["metadata"].get("generation"),
                i["metadata"].get("labels"),
                i.get("spec"),
                i.get("data"),
            )
            for i in items
        }

    def refused(
        self, *arguments: str | Path, code: int, says: str | Iterable[str], given: str | None = None
    ) -> str:
        """Run a command that must fail with these words and change nothing; return the last."""
        before = self.world()
        done = self.try_(*arguments, given=given)
        words = error_of(done)
        assert done.returncode == code, f"exit {done.returncode}: {done.stderr}"
        for expected in [says] if isinstance(says, str) else says:
            assert expected in words, f"{expected!r} is not in:\n{done.stderr}"
        assert done.stdout == "", f"words belong on stderr: {done.stdout}"
        assert self.world() == before
        return words

    def until_observed(self, name: str) -> None:
        """Wait until the Deployment controller has seen a Deployment and made its ReplicaSet."""
        wait_for(
            lambda: bool(
                self.kubectl.object("deployment", name).get("status", {}).get("observedGeneration")
            ),
            f"the controller sees {name}",
        )

    def until_available(self, name: str, count: int) -> None:
        wait_for(
            lambda: (
                self.kubectl.object("deployment", name).get("status", {}).get("availableReplicas")
                == count
            ),
            f"{count} available pods of {name}",
        )


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a failed command said at its end: `error:`, and no traceback."""
    assert "Traceback" not in done.stderr, done.stderr
    _, mark, words = done.stderr.rpartition("error: ")
    assert mark, f"no error was said: {done.stderr!r}"
    return words.strip()


def deployment(
    name: str, *, replicas: int = 3, image: str = "nginx:1.7.9", **more: Any
) -> dict[str, Any]:
    """Return a Deployment of the classic kind; `labels` go on top of `app: shop`."""
    labels = {"app": "shop", **more.pop("labels", {})}
    pod = {"containers": [{"name": "web", "image": image, **more.pop("container", {})}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **more,
        },
    }


def service(
    name: str, selector: dict[str, str] | None = None, *, port: int = 80, **more: Any
) -> dict[str, Any]:
    """Return a Service over `app: shop` or another selector."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": selector or {"app": "shop"},
            "ports": [{"port": port, "targetPort": 80}],
            **more,
        },
    }


def create(kubectl: Kubectl, *objects: dict[str, Any]) -> None:
    """Create objects as kubectl does."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("create", "-f", "-", given=json.dumps(listed))
