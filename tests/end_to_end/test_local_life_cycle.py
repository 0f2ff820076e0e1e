"""`serinus local` from the outside: processes come, go, crash and come back."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from serinus.local_cluster import daemons
from serinus.local_cluster.daemons import Identity
from serinus.local_cluster.state_folder import StateFolder
from tests.end_to_end.kubectl_session import Kubectl, wait_for

pytestmark = pytest.mark.xdist_group("local-cluster")


class Local:
    """Run `serinus local` on one folder."""

    def __init__(self, path: Path) -> None:
        self.folder = StateFolder(path / "state")
        self._home = path / "home"
        self._home.mkdir()
        self.kubectl = Kubectl(self.folder.kubeconfig, path / "cache")

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        return {**kept, "SERINUS_STATE": str(self.folder.path), "HOME": str(self._home)}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "serinus", "local", *arguments]

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def pid(self, process: str) -> int:
        identity = daemons.running(self.folder.identity(process))
        assert identity is not None, f"{process} does not run"
        return identity.pid


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    made = Local(tmp_path)
    yield made
    made("down")


def _run_a_pod(local: Local) -> str:
    """Start a pod that answers HTTP; return its URL."""
    local.kubectl("run", "web", "--image=nginx:1.7.9", "--port=80")
    local.kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=30s")
    return _url_of(local)


def _url_of(local: Local) -> str:
    """Return where the pod says that it listens: who may not bind port 80 gets another one."""
    where = re.findall(r"listens on (\S+)", local.kubectl("logs", "web"))
    return f"http://{where[-1]}/"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def test_up_status_and_down_in_the_background(local: Local) -> None:
    assert "There is no local cluster" in local("status", code=1)
    said = local("up", "--background")
    assert "The local cluster is ready: https://127.0.0.1:" in said
    assert "serinus local kubectl -- apply -f" in said
    state = local("status")
    assert re.search(r"server\s+ready, pid \d+", state)
    assert re.search(r"node\s+ready, pid \d+", state)
    pids = [local.pid("server"), local.pid("node")]
    assert "The local cluster runs already" in local("up", "--background")
    assert "The local cluster runs already" in local("up")
    assert [local.pid("server"), local.pid("node")] == pids
    url = _run_a_pod(local)
    assert _answers(url)
    assert local("down") == "Stopped: node, server.\n"
    assert not _answers(url)
    assert "not running" in local("status", code=1)
    assert local("down") == "Nothing ran.\n"


def test_what_was_there_is_there_after_down_and_up(local: Local) -> None:
    local("up", "--background")
    before = local.folder.kubeconfig.read_bytes()
    local.kubectl("create", "configmap", "kept", "--from-literal=a=1")
    local("down")
    local("up", "--background")
    assert local.folder.kubeconfig.read_bytes() == before
    assert local.kubectl.object("configmap", "kept")["data"] == {"a": "1"}


def test_a_killed_server_costs_no_traffic_and_comes_back_alone(local: Local) -> None:
    local("up", "--background")
    url = _run_a_pod(local)
    node, uid = local.pid("node"), local.kubectl.object("pod", "web")["metadata"]["uid"]
    os.kill(local.pid("server"), signal.SIGKILL)
    wait_for(lambda: daemons.running(local.folder.identity("server")) is None, "the server is dead")
    assert all(_answers(url) for _ in range(20))
    assert "not running" in local("status", code=1)
    said = local("up", "--background")
    assert "server: restarted" in said
    assert "node: already running" in said
    assert local.pid("node") == node
    pod = local.kubectl.object("pod", "web")
    assert pod["metadata"]["uid"] == uid
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    assert _answers(url)


def test_a_node_stops_its_pods_though_its_server_is_dead(local: Local) -> None:
    local("up", "--background")
    url = _run_a_pod(local)
    os.kill(local.pid("server"), signal.SIGKILL)
    began = time.monotonic()
    assert local("down") == "Stopped: node.\n"
    assert time.monotonic() - began < 15
    assert not _answers(url)


def test_a_killed_node_takes_its_pods_along_and_starts_them_again(local: Local) -> None:
    local("up", "--background")
    url = _run_a_pod(local)
    os.kill(local.pid("node"), signal.SIGKILL)
    wait_for(lambda: not _answers(url), "the pod is gone")
    said = local("up", "--background")
    assert "server: already running" in said
    assert "node: restarted" in said

    def is_back() -> bool:
        with contextlib.suppress(AssertionError, IndexError):
            return _answers(_url_of(local))
        return False

    wait_for(is_back, "the pod runs again")


def test_images_can_be_added_only_before_the_node_starts(local: Local, tmp_path: Path) -> None:
    images = tmp_path / "images.yaml"
    images.write_text("this is: [no catalogue\n")
    said = local("up", "--background", "--images", str(images), code=1)
    assert str(images) in said
    # Nothing is left half begun.
    assert local("down") == "Nothing ran.\n"
    local("up", "--background")
    said = local("up", "--background", "--images", str(images), code=1)
    assert "before you add some" in said


def test_a_stale_pid_file_stops_nobody(local: Local) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        local("up", "--background")
        local("down")
        stale = Identity(stranger.pid, "another boot/1")
        for name in ("server", "node"):
            local.folder.identity(name).write_bytes(msgspec.json.encode(stale))
        assert "not running" in local("status", code=1)
        assert local("down") == "Nothing ran.\n"
        for name in ("server", "node"):
            local.folder.identity(name).write_bytes(msgspec.json.encode(stale))
        local("up", "--background")
        assert local.pid("server") != stranger.pid
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def _up_in_the_foreground(local: Local) -> subprocess.Popen[str]:
    return subprocess.Popen(
        local.command("up"), env=local.environment, stderr=subprocess.PIPE, text=True
    )


def test_up_in_the_foreground_stays_restarts_and_ends_by_a_signal(local: Local) -> None:
    running = _up_in_the_foreground(local)
    assert running.stderr is not None
    try:
        assert "is ready" in running.stderr.readline()
        url = _run_a_pod(local)
        first = local.pid("server")
        os.kill(first, signal.SIGKILL)

        def is_back() -> bool:
            identity = daemons.running(local.folder.identity("server"))
            return identity is not None and identity.pid != first

        wait_for(is_back, "the server came back")
        running.send_signal(signal.SIGINT)
        _, rest = running.communicate(timeout=60)
        assert running.returncode == 0
        assert "A process had ended: server restarted, node already running." in rest
        assert "Stopping pods" in rest
        assert not _answers(url)
    finally:
        if running.poll() is None:
            running.kill()
        running.communicate()


def test_down_elsewhere_ends_up_in_the_foreground(local: Local) -> None:
    running = _up_in_the_foreground(local)
    assert running.stderr is not None
    assert "is ready" in running.stderr.readline()
    assert local("down") == "Stopped: node, server.\n"
    _, rest = running.communicate(timeout=30)
    assert "was stopped" in rest
    assert running.returncode == 0


def test_a_port_that_is_taken_is_named(local: Local) -> None:
    local("up", "--background")
    other = Local.__new__(Local)
    record = local.folder.read_record()
    assert record is not None
    other.folder = StateFolder(local.folder.path.parent / "other")
    other._home = local._home
    said = other("up", "--background", "--port", str(record.port), code=1)
    assert f"cannot listen on 127.0.0.1:{record.port}" in said
    assert "--port" in said
    assert other("down") == "Nothing ran.\n"


def test_reset_forgets_everything(local: Local) -> None:
    local("up", "--background")
    token = local.folder.token.read_text()
    local.kubectl("create", "configmap", "gone")
    local("reset")
    assert not local.folder.path.exists()
    local("up", "--background")
    assert local.folder.token.read_text() != token
    assert "NotFound" in local.kubectl.fails("get", "configmap", "gone")


def test_reset_touches_no_folder_that_is_not_a_cluster(local: Local) -> None:
    local.folder.path.mkdir()
    (local.folder.path / "thesis.tex").write_text("precious")
    assert "holds no local cluster" in local("reset", code=1)
    assert (local.folder.path / "thesis.tex").read_text() == "precious"
    (local.folder.path / "thesis.tex").unlink()


def test_the_kubeconfig_is_its_own_until_it_is_merged(local: Local) -> None:
    assert "run `serinus local up` first" in local("kubeconfig", code=1)
    local("up", "--background")
    assert local("kubeconfig").strip() == str(local.folder.kubeconfig)
    config = Path(local.environment["HOME"]) / ".kube" / "config"
    assert not config.exists()
    config.parent.mkdir()
    config.write_text("apiVersion: v1\nkind: Config\ncurrent-context: work\n")
    assert "kubectl --context serinus-default" in local("kubeconfig", "--merge")
    merged = yaml.safe_load(config.read_text())
    assert merged["current-context"] == "work"
    assert [entry["name"] for entry in merged["contexts"]] == ["serinus-default"]


def test_kubectl_is_passed_its_words_and_its_exit_code(local: Local) -> None:
    local("up", "--background")
    assert "default" in local("kubectl", "--", "get", "namespaces", "-o", "name")
    assert "not found" in local("kubectl", "--", "get", "configmap", "nobody", code=1)


def test_everything_in_the_folder_is_for_its_owner_alone(local: Local) -> None:
    local("up", "--background")
    _run_a_pod(local)
    assert local.folder.path.stat().st_mode & 0o777 == 0o700
    files = [path for path in local.folder.path.iterdir() if path.is_file()]
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in files} == {
        path.name: "0o0" for path in files
    }


def test_logs_print_what_a_process_printed(local: Local) -> None:
    local("up", "--background")
    local("logs", "server")
    assert "known: server, node" in local("logs", "nobody", code=2)
