"""A plan in a file, also a mounted ConfigMap; the report goes into a file beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import msgspec
import yaml

from serinus.api import traffic_plan
from serinus.errors import InvalidInput
from serinus.router_agent.source import Wanted
from serinus.traffic.envoy.report import Report

_POLL_S = 0.02
_Mark = tuple[int, int, int]


class FileSource:
    """Read the plan again when the file becomes another one."""

    def __init__(self, path: Path, report_path: Path | None = None) -> None:
        self._path = path
        self._report_path = report_path
        self._mark: _Mark | None = None
        self._read_count = 0

    def newest(self) -> Wanted:
        """Return the plan that the file holds now."""
        # The mark first: a change in between is seen again.
        self._mark = self._found()
        self._read_count += 1
        try:
            found = yaml.load(self._path.read_bytes(), Loader=yaml.CSafeLoader)
        except OSError as error:
            raise InvalidInput(str(self._path), [f"cannot be read: {error.strerror}"]) from error
        except yaml.YAMLError as error:
            raise InvalidInput(str(self._path), [f"is not YAML: {error}"]) from error
        plan = traffic_plan.decode(found, source=str(self._path))
        return Wanted(plan.plan, plan.endpoints, plan.generation or self._read_count)

    async def changed(self, timeout_ms: int) -> bool:
        """Wait until the file is another one than was read."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_ms / 1000):
                # No library of ours hears of files, and a look costs two microseconds.
                while self._found() == self._mark:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_S)
        return self._found() != self._mark

    async def publish(self, report: Report) -> None:
        """Put the report into its file, in one step."""
        if self._report_path is None:
            return
        new = self._report_path.with_name(f".{self._report_path.name}.new")
        new.write_bytes(msgspec.json.encode(report.to_json()))
        os.replace(new, self._report_path)  # noqa: PTH105 - the call itself is the point

    async def withdraw(self) -> None:
        """Remove the report."""
        if self._report_path is not None:
            self._report_path.unlink(missing_ok=True)

    def _found(self) -> _Mark | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
