"""Envoy's admin, over a socket that only its owner may open."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from serinus.errors import DataPlaneError

_TIMEOUT_S = 5.0


class Admin:
    """Ask one Envoy; a fresh connection for each request, since it may have been restarted."""

    def __init__(self, socket: Path) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(socket), force_close=True),
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def is_ready(self) -> bool:
        """Tell whether it answers, and has all that it waits for."""
        try:
            async with self._session.get("http://admin/ready") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def post(self, path: str) -> None:
        """Make it do something.

        Raises:
            DataPlaneError: it does not answer, or says no.
        """
        try:
            async with self._session.post(f"http://admin{path}") as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DataPlaneError(f"Envoy's admin does not answer {path}: {error}") from error
        if answer.status != 200:
            raise DataPlaneError(f"Envoy's admin refuses {path}: {answer.status} {text.strip()}")

    async def stats(self, pattern: str) -> dict[str, Any]:
        """Return the counters, gauges and texts whose names a pattern finds.

        Raises:
            DataPlaneError: it does not answer.
        """
        query = {"format": "json", "filter": pattern}
        try:
            async with self._session.get("http://admin/stats", params=query) as answer:
                found = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise DataPlaneError(f"Envoy's admin does not answer: {error}") from error
        return {each["name"]: each["value"] for each in found["stats"] if "value" in each}
