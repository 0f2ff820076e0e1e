"""A port for the API server that stays the same over restarts."""

from __future__ import annotations

import socket

from serinus import errors

# Below what systems hand out for outgoing connections (32768 on Linux, 49152 on macOS) and below
# the NodePorts (30000), so that nobody sits on it by chance while the server is down.
_FIRST, _LAST = 16443, 16643


def free_port() -> int:
    """Return the first port of our range on which nobody listens.

    Raises:
        RefusedError: there is none.
    """
    for port in range(_FIRST, _LAST + 1):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise errors.RefusedError(
        "NoFreePort", f"every port of {_FIRST}-{_LAST} is taken; choose one with --port"
    )
