"""Bring a local cluster up and down: two processes, one state folder.

`server` holds the objects, `node` the pods and the Service proxy. They start and stop apart, so
that a server which died can come back without a pod noticing.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from serinus import errors
from serinus.local_cluster import daemons, readiness
from serinus.local_cluster.state_folder import StateFolder

SERVER, NODE = "server", "node"
_READY_MS = 20_000
_SERVER_GRACE_MS = 5_000
# The node gives its pods their own termination grace first (30 s unless a pod says otherwise).
_NODE_GRACE_MS = 45_000
_LOCK_MS = 60_000
_EXTRA = ("cryptography", "jsonpatch", "psutil")
_TAIL_BYTES = 4_000


class Began(enum.Enum):
    """What `up` had to do for a process."""

    STARTED = "started"
    RESTARTED = "restarted"
    ALREADY_RUNNING = "already running"


class Up(msgspec.Struct, frozen=True):
    """A cluster that is ready."""

    kubeconfig: Path
    port: int
    server: Began
    node: Began


class ProcessState(msgspec.Struct, frozen=True):
    """One process as `status` shows it."""

    name: str
    pid: int | None
    ready: bool


class ClusterState(msgspec.Struct, frozen=True):
    """All that is known about a cluster without changing it."""

    folder: Path
    port: int | None
    processes: tuple[ProcessState, ...]

    @property
    def exists(self) -> bool:
        """Tell whether a cluster was ever made here."""
        return self.port is not None


class LocalCluster:
    """One local cluster, named by its state folder."""

    def __init__(self, folder: StateFolder, name: str, images: Path | None = None) -> None:
        self.folder = folder
        self._name = name
        self._images = images

    def require_new_node(self) -> None:
        """Refuse when a node runs already: it knows the images that it was started with.

        Raises:
            RefusedError: it does.
        """
        if daemons.running(self.folder.identity(NODE)) is not None:
            raise errors.RefusedError(
                "AlreadyRunning",
                "the node runs already, with the images that it was started with; run "
                "`serinus local down` before you add some",
            )

    def up(self, port: int | None = None) -> Up:
        """Start what does not run, and return when both processes are ready.

        Raises:
            RefusedError: a process did not become ready; the message shows what it printed.
        """
        _require_extra()
        self.folder.create()
        with self._alone():
            self._check_port(port)
            server = self._start_server(port)
            try:
                node = self._start_node()
            except errors.RefusedError:
                if server is not Began.ALREADY_RUNNING:
                    self._stop(SERVER, _SERVER_GRACE_MS)
                raise
        record = self.folder.read_record()
        bound = record.port if record is not None else 0
        return Up(self.folder.kubeconfig, bound, server, node)

    def down(self) -> tuple[str, ...]:
        """Stop the pods, then the processes; return the names of those that ran."""
        if not self.folder.path.exists():
            return ()
        with self._alone():
            stopped = [
                name
                for name, grace_ms in ((NODE, _NODE_GRACE_MS), (SERVER, _SERVER_GRACE_MS))
                if self._stop(name, grace_ms)
            ]
        return tuple(stopped)

    def reset(self) -> None:
        """Stop everything and forget all objects, keys and logs."""
        if not self.folder.path.exists():
            return
        if self.folder.read_record() is None and any(self.folder.path.iterdir()):
            known = {self.folder.lock.name, self.folder.log.name, self.folder.token.name}
            if not known & {path.name for path in self.folder.path.iterdir()}:
                raise errors.RefusedError(
                    "NoCluster", f"{self.folder.path} holds no local cluster; nothing was removed"
                )
        self.down()
        shutil.rmtree(self.folder.path)

    def state(self) -> ClusterState:
        """Return what runs."""
        record = self.folder.read_record()
        server = daemons.running(self.folder.identity(SERVER))
        node = daemons.running(self.folder.identity(NODE))
        server_ready = server is not None and readiness.server_is_ready(self.folder)
        node_ready = node is not None and server_ready and readiness.node_is_ready(self.folder, "")
        return ClusterState(
            self.folder.path,
            None if record is None else record.port,
            (
                ProcessState(SERVER, None if server is None else server.pid, server_ready),
                ProcessState(NODE, None if node is None else node.pid, node_ready),
            ),
        )

    def was_stopped(self) -> bool:
        """Tell whether someone else ran `down`."""
        return not any(self.folder.identity(name).exists() for name in (SERVER, NODE))

    def has_crashed(self) -> bool:
        """Tell whether a process is gone that nobody stopped."""
        return any(
            self.folder.identity(name).exists()
            and daemons.running(self.folder.identity(name)) is None
            for name in (SERVER, NODE)
        )

    def _stop(self, name: str, grace_ms: int) -> bool:
        """Stop a process; return whether it ran."""
        identity_file = self.folder.identity(name)
        identity = daemons.running(identity_file)
        # Gone first: who supervises the process then knows that it was meant.
        identity_file.unlink(missing_ok=True)
        if identity is not None:
            daemons.stop(identity, grace_ms=grace_ms)
        return identity is not None

    def _check_port(self, wanted: int | None) -> None:
        record = self.folder.read_record()
        if record is None or wanted in {None, record.port}:
            return
        if daemons.running(self.folder.identity(SERVER)) is not None:
            raise errors.RefusedError(
                "AlreadyRunning",
                f"the cluster in {self.folder.path} listens on port {record.port}; "
                "run `serinus local down` before you choose another",
            )

    def _start_server(self, port: int | None) -> Began:
        identity_file = self.folder.identity(SERVER)
        if daemons.running(identity_file) is not None and self._comes_up():
            return Began.ALREADY_RUNNING
        began = Began.RESTARTED if identity_file.exists() else Began.STARTED
        chosen = () if port is None else ("--port", str(port))
        self._spawn(SERVER, ("--name", self._name, *chosen))
        self._await_ready(SERVER, lambda: readiness.server_is_ready(self.folder))
        return began

    def _comes_up(self) -> bool:
        """Wait for a server that runs; return False where it ended: it was killed a moment ago."""
        ready = partial(readiness.server_is_ready, self.folder)
        identity_file = self.folder.identity(SERVER)
        daemons.wait_until(lambda: ready() or daemons.running(identity_file) is None, _READY_MS)
        if daemons.running(identity_file) is None:
            return False
        self._await_ready(SERVER, ready)
        return True

    def _start_node(self) -> Began:
        identity_file = self.folder.identity(NODE)
        if daemons.running(identity_file) is not None:
            return Began.ALREADY_RUNNING
        began = Began.RESTARTED if identity_file.exists() else Began.STARTED
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        more = [] if self._images is None else ["--images", str(self._images.absolute())]
        self._spawn(NODE, ("--kubeconfig", str(self.folder.kubeconfig), *more))
        self._await_ready(NODE, lambda: readiness.node_is_ready(self.folder, since))
        return began

    def _spawn(self, name: str, arguments: tuple[str, ...]) -> None:
        # -P: a file in the current folder must not stand in for a module.
        command = [sys.executable, "-P", "-m", f"serinus.local_cluster.{name}", *arguments]
        command += ["--state-folder", str(self.folder.path)]
        daemons.start(command, self.folder.output(name), self.folder.identity(name))

    def _await_ready(self, name: str, is_ready: daemons.Condition) -> None:
        def settled() -> bool:
            return is_ready() or daemons.running(self.folder.identity(name)) is None

        daemons.wait_until(settled, _READY_MS)
        if is_ready():
            return
        identity = daemons.running(self.folder.identity(name))
        fate = f"was not ready after {_READY_MS // 1000} s" if identity else "ended at its start"
        self.folder.identity(name).unlink(missing_ok=True)
        if identity is not None:
            daemons.stop(identity, grace_ms=_SERVER_GRACE_MS)
        output = self.folder.output(name)
        raise errors.RefusedError(
            "NotReady", f"the local cluster's {name} {fate}; {output} ends with:\n{_tail(output)}"
        )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no second `up` or `down` work on the same folder meanwhile."""
        descriptor = os.open(self.folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not daemons.wait_until(lambda: _try_lock(descriptor), _LOCK_MS):
                raise errors.RefusedError(
                    "Busy",
                    f"another `serinus local` command works on {self.folder.path}; try again",
                )
            yield
        finally:
            os.close(descriptor)


def _require_extra() -> None:
    """Refuse to start what would end at its first import."""
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise errors.RefusedError(
            "ExtraMissing",
            f"the local cluster needs more than is installed (no {', '.join(missing)}); "
            "run: pip install 'serinus[local]'",
        )


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tail(path: Path) -> str:
    try:
        content = path.read_bytes()[-_TAIL_BYTES:]
    except FileNotFoundError:
        return "(nothing was printed)"
    lines = content.decode(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-15:]) or "(nothing was printed)"
