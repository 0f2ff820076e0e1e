"""Files to a running Envoy: written one after the other, each acknowledged before the next."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from serinus.errors import DataPlaneError
from serinus.router_agent.admin import Admin
from serinus.router_agent.supervisor import Supervisor
from serinus.traffic.envoy.files import ConfigFile, changes

_ANSWER_WITHIN_S = 10.0
_POLL_S = 0.001
_POLL_MAX_S = 0.02


class Rejected(msgspec.Struct, frozen=True):
    """An update that Envoy refused; what was there before is in force."""

    file: str
    words: str


def write(folder: Path, file: ConfigFile) -> None:
    """Put a file into its place in one step, so that nobody ever reads half of it."""
    new = folder / f".{file.name}.new"
    new.write_bytes(file.text)
    os.replace(new, folder / file.name)  # noqa: PTH105 - the call itself is the point


class Applier:
    """Bring an Envoy from what it has to what it should have, and know which of it is in force."""

    def __init__(self, folder: Path, admin: Admin) -> None:
        self._folder = folder
        self._admin = admin
        self._good: dict[str, ConfigFile] = {}

    def restore(self) -> None:
        """Write what was last acknowledged: an Envoy that starts now has nothing else to keep."""
        for file in self._good.values():
            write(self._folder, file)

    async def begin(self, wanted: Sequence[ConfigFile], supervisor: Supervisor) -> Rejected | None:
        """Start Envoy with these files; return what it refused of them."""
        self._good = {file.name: file for file in wanted}
        self.restore()
        told_count = supervisor.refusal_count
        await supervisor.start()
        for file in wanted:
            if not await self._acknowledged(file, refused_before=0):
                return Rejected(file.name, await supervisor.refusal(told_count))
        return None

    async def apply(
        self, wanted: Sequence[ConfigFile], supervisor: Supervisor, *, lowers: bool
    ) -> Rejected | None:
        """Write what differs; stop at the first file that is refused, and put it back.

        Raises:
            DataPlaneError: Envoy does not answer; what is in force is not known.
        """
        for file in changes(wanted, self._good, lowers=lowers):
            refused_before = await self._refused_count(file)
            told_count = supervisor.refusal_count
            write(self._folder, file)
            try:
                taken = await self._acknowledged(file, refused_before=refused_before)
            except DataPlaneError:
                write(self._folder, self._good[file.name])
                raise
            if not taken:
                words = await supervisor.refusal(told_count)
                # A restart must not find what Envoy refuses: it would serve nothing.
                write(self._folder, self._good[file.name])
                return Rejected(file.name, words)
            self._good[file.name] = file
        return None

    async def _acknowledged(self, file: ConfigFile, *, refused_before: int) -> bool:
        """Wait until Envoy says that it has taken or refused a file; return which."""
        pause_s = _POLL_S
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                while True:
                    stats = await self._stats(file)
                    if stats.get(f"{file.subscription}.version_text") == file.version:
                        return True
                    if _refused(stats, file) > refused_before:
                        return False
                    await asyncio.sleep(pause_s)
                    pause_s = min(_POLL_MAX_S, 2 * pause_s)
        except TimeoutError:
            raise DataPlaneError(
                f"Envoy has neither taken nor refused {file.name} in {_ANSWER_WITHIN_S:.0f} s"
            ) from None

    async def _refused_count(self, file: ConfigFile) -> int:
        return _refused(await self._stats(file), file)

    async def _stats(self, file: ConfigFile) -> dict[str, object]:
        name = re.escape(file.subscription)
        return await self._admin.stats(f"^{name}\\.(version_text|update_rejected|update_failure)$")


def _refused(stats: dict[str, object], file: ConfigFile) -> int:
    counts = (stats.get(f"{file.subscription}.{n}") for n in ("update_rejected", "update_failure"))
    return sum(count for count in counts if isinstance(count, int))
