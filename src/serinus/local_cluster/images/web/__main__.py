"""Start the web server: `python -m serinus.local_cluster.images.web`."""

from __future__ import annotations

import asyncio
import os
import sys

from serinus.local_cluster.images.web.options import Options
from serinus.local_cluster.images.web.server import WebServer


def main() -> int:
    """Serve; return 2 when the environment is wrong and 1 when an address cannot be had."""
    try:
        options = Options(os.environ)
    except ValueError as e:
        sys.stderr.write(f"{e}\n")
        return 2

    async def serve() -> None:
        await WebServer(options).run()

    try:
        asyncio.run(serve())
    except OSError as e:
        where = ", ".join(f"{host}:{port}" for host, port in options.addresses)
        sys.stderr.write(f"cannot listen on {where}: {e.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
