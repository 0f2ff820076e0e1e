"""Ports for the API server, from which it takes the first that is free and then keeps it."""

from __future__ import annotations

CANDIDATES = range(16443, 16644)
"""Below what systems hand out for outgoing connections (32768 on Linux, 49152 on macOS) and below
the NodePorts (30000), so that nobody sits on it by chance while the server is down."""
