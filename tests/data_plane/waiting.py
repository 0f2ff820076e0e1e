"""Wait for a condition, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

DEADLINE_S = 20.0


async def until(is_so: Callable[[], bool], what: str, *, deadline_s: float = DEADLINE_S) -> None:
    """Wait until something is so."""
    try:
        async with asyncio.timeout(deadline_s):
            while not is_so():  # noqa: ASYNC110 - the world tells nobody
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"after {deadline_s:.0f} s not so: {what}") from None


async def until_connectable(host: str, port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            writer.close()
            await writer.wait_closed()
            return
