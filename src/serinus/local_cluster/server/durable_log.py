"""The log behind the memory: every acknowledged change is on disk before its answer leaves.

One SQLite file in WAL mode holds the latest body of each object and the latest version. One commit
holds all changes of one step (a request, or one run of the controllers). `synchronous=NORMAL` makes
a commit survive the death of the process at any point, which is what is promised; a commit of the
last moments may be missing after a power cut (https://sqlite.org/pragma.html#pragma_synchronous).
A torn last record fails its WAL checksum and is dropped by SQLite; it was never acknowledged.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from serinus import errors
from serinus.kubernetes_model import Object

_SCHEMA_VERSION = 1
# Pages of 4 KiB before the WAL is folded into the file; each fold syncs, so not too often.
_CHECKPOINT_PAGES = 4_000


class Record(msgspec.Struct, frozen=True):
    """The latest state of one object; no body means that it is gone."""

    key: str
    body: bytes | None


class LogFull(errors.Unavailable):
    """The change could not be put on disk, so it was not made."""

    reason = "InternalError"


class DurableLog:
    """Keep objects on disk; used by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0.2)
            self._prepare()
        except sqlite3.Error as e:
            raise errors.RefusedError("LogUnusable", _why_unusable(path, e)) from e

    def append(self, records: Iterable[Record], version: int) -> None:
        """Commit the records and the version that they end at.

        Raises:
            LogFull: nothing was written.
        """
        run = self._database.execute
        try:
            run("BEGIN IMMEDIATE")
            for record in records:
                if record.body is None:
                    run("DELETE FROM objects WHERE key = ?", (record.key,))
                else:
                    run(
                        "INSERT INTO objects (key, body) VALUES (?, ?) "
                        "ON CONFLICT (key) DO UPDATE SET body = excluded.body",
                        (record.key, record.body),
                    )
            run("UPDATE latest SET version = ?", (version,))
            run("COMMIT")
        except sqlite3.Error as e:
            with contextlib.suppress(sqlite3.Error):
                run("ROLLBACK")
            raise LogFull(
                f"the change was not made: it could not be written to {self.path} ({e}); "
                "free some space and try again",
                code=507,
            ) from e

    def load(self) -> tuple[list[Object], int]:
        """Return every object and the latest version.

        Raises:
            RefusedError: the file is damaged.
        """
        try:
            rows = self._database.execute("SELECT body FROM objects ORDER BY id").fetchall()
            (version,) = self._database.execute("SELECT version FROM latest").fetchone()
            return [msgspec.json.decode(body) for (body,) in rows], version
        except (sqlite3.Error, msgspec.DecodeError) as e:
            raise errors.RefusedError("LogUnusable", _why_unusable(self.path, e)) from e

    def close(self) -> None:
        """Fold the WAL into the file and let go of it."""
        self._database.close()

    def _prepare(self) -> None:
        run = self._database.execute
        # One owner: also spares the shared-memory file beside the log.
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        run(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        (found,) = run("PRAGMA user_version").fetchone()
        if found == 0:
            run("BEGIN IMMEDIATE")
            run("CREATE TABLE objects (id INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB)")
            run("CREATE TABLE latest (version INTEGER NOT NULL)")
            run("INSERT INTO latest VALUES (0)")
            run(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            run("COMMIT")
        elif found != _SCHEMA_VERSION:
            raise errors.RefusedError(
                "LogUnusable",
                f"{self.path} was written by another version of serinus (format {found}); "
                "`serinus local reset` starts afresh",
            )
        else:
            # Takes the exclusive lock now, so that a second server is told at its start.
            run("BEGIN IMMEDIATE")
            run("COMMIT")


def _why_unusable(path: Path, cause: Exception) -> str:
    if "locked" in str(cause):
        return f"{path} is in use: another server of this cluster runs"
    return f"{path} cannot be used ({cause}); `serinus local reset` starts afresh"
