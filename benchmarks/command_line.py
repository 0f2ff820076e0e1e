"""How long `serinus --help` takes, against a bare interpreter."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from benchmarks import measure


def wall_ms(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run([*command], check=True, capture_output=True)
    return 1000 * (time.perf_counter() - began)


async def main() -> None:
    async def ours() -> float:
        return wall_ms(sys.executable, "-m", "serinus", "--help")

    async def bare() -> float:
        return wall_ms(sys.executable, "-c", "pass")

    found = await measure.alternating({"help": ours, "bare": bare}, round_count=15)
    measure.row("serinus --help", f"{measure.median(found['help']):.0f} ms", "< 250 ms")
    measure.row("python -c pass", f"{measure.median(found['bare']):.0f} ms")


if __name__ == "__main__":
    asyncio.run(main())
