"""Ports for the API server: a cluster takes one that is free and then keeps it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

RANGE = range(16443, 17443)
"""Below what systems hand out for outgoing connections (32768 on Linux, 49152 on macOS) and below
the NodePorts (30000), so that nobody sits on it by chance while the server is down."""


def candidates(folder: Path) -> Sequence[int]:
    """Return all ports of the range, beginning at one that depends on the cluster's folder.

    So a new cluster hardly ever takes the port of another one whose server is down.
    """
    first = zlib.crc32(str(folder).encode()) % len(RANGE)
    return [*RANGE[first:], *RANGE[:first]]
