"""Where one local cluster keeps its things, and who may read them.

The folder is 0700 and each file in it 0600: whoever can read the kubeconfig can run processes as
this user. `server` and `node` share the folder; `pods/` belongs to `node`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import msgspec

from serinus import errors

DEFAULT_NAME = "default"
_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


class ClusterRecord(msgspec.Struct, frozen=True):
    """What stays the same over restarts, so that a kubeconfig handed out stays valid."""

    name: str
    port: int


class StateFolder:
    """Name the files of one cluster."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.record = self.path / "cluster.json"
        self.log = self.path / "objects.sqlite"
        self.kubeconfig = self.path / "kubeconfig"
        self.token = self.path / "token"
        self.ca_certificate = self.path / "ca.crt"
        self.ca_key = self.path / "ca.key"
        self.server_certificate = self.path / "server.crt"
        self.server_key = self.path / "server.key"
        self.pods = self.path / "pods"
        self.lock = self.path / "up.lock"

    def output(self, process: str) -> Path:
        """Return the file that holds what `server` or `node` prints."""
        return self.path / f"{process}.log"

    def identity(self, process: str) -> Path:
        """Return the file that names the running `server` or `node`."""
        return self.path / f"{process}.json"

    def create(self) -> None:
        """Make the folder, or take an existing one that is ours alone.

        Raises:
            RefusedError: it belongs to someone else, or cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=_FOLDER_MODE)
            if self.path.stat().st_uid != os.getuid():
                raise errors.RefusedError(
                    "ForeignFolder",
                    f"{self.path} belongs to another user; name a folder of your own with "
                    "--state-folder",
                )
            self.path.chmod(_FOLDER_MODE)
        except OSError as e:
            raise errors.RefusedError(
                "FolderNotWritable",
                f"cannot keep a cluster in {self.path}: {e.strerror}; name another folder with "
                "--state-folder",
            ) from e

    def read_record(self) -> ClusterRecord | None:
        """Return the cluster's record, or None when no cluster was made here."""
        try:
            return msgspec.json.decode(self.record.read_bytes(), type=ClusterRecord)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as e:
            raise errors.RefusedError(
                "BrokenState",
                f"{self.record} is not readable ({e}); `serinus local reset` starts afresh",
            ) from e

    def write_record(self, record: ClusterRecord) -> None:
        """Store the cluster's record."""
        write_private(self.record, msgspec.json.encode(record))

    def read_or_make_token(self) -> str:
        """Return the bearer token of this cluster, made at random the first time."""
        try:
            token = self.token.read_text().strip()
        except FileNotFoundError:
            token = ""
        if not token:
            token = secrets.token_urlsafe(32)
            write_private(self.token, token.encode())
        return token


def write_private(path: Path, content: bytes) -> None:
    """Put a whole file in place at once, readable by its owner only.

    Raises:
        RefusedError: it cannot be written.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as e:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise errors.RefusedError(
            "FileNotWritable", f"cannot write {path}: {e.strerror}; nothing of it was changed"
        ) from e


def open_private(path: Path) -> int:
    """Open a file for appending, readable by its owner only; return the descriptor."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _FILE_MODE)


def default_path(name: str = DEFAULT_NAME) -> Path:
    """Return the folder of a cluster of that name, after the XDG base directory rules."""
    chosen = os.environ.get("SERINUS_STATE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_STATE_HOME")
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "state"
    return root / "serinus" / "local" / name
