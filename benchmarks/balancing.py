"""The Service proxy's own balancer in front of one backend, without the rest of the node."""

from __future__ import annotations

import asyncio
import random
import sys

import uvloop

from serinus.local_cluster.network.balancer import Balancer
from serinus.local_cluster.network.listener import Listener
from serinus.process import SystemClock


async def main(port: int, backend_port: int) -> None:
    balancer = Balancer(source=random.Random(1), clock=SystemClock())
    balancer.update([("127.0.0.1", backend_port)], None)
    listener = Listener(("127.0.0.1", port), balancer, lambda *_: None)
    await listener.open()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
