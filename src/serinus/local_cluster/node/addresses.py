"""Addresses for pods: one of their own where the system has them, and ports that can be bound."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence

from serinus import errors

LOOPBACK = "127.0.0.1"
_LOOPBACK_ALONE = ipaddress.IPv4Network(f"{LOOPBACK}/32")
_NOT_HERE = (
    "this machine does not have the addresses of {0}; `ip route add local {0} dev lo` gives them "
    "to it, best in a network namespace of its own"
)


class AddressPool:
    """Give each pod an address; where there is 127.0.0.1 alone, pods share it, with other ports."""

    def __init__(self, cidr: str, *, start: int = 0) -> None:
        """Take the addresses of a network such as `127.1.0.0/16`; all share `127.0.0.1/32`.

        Two nodes of one machine that start at different places do not get into each other's way.

        Raises:
            InvalidInput: it is no IPv4 network, has no room for pods, or is not here.
        """
        try:
            self._network = ipaddress.IPv4Network(cidr)
        except ValueError as e:
            raise errors.InvalidInput("--pod-cidr", [f"{cidr!r}: {e}"]) from e
        self._used: set[str] = set()
        self._next = start % self._network.num_addresses
        self._reserved_ports: set[int] = set()
        self.is_shared = self._network == _LOOPBACK_ALONE
        if self.is_shared:
            return
        if self._network.num_addresses < 8:
            raise errors.InvalidInput("--pod-cidr", [f"{cidr!r}: no room for pods (at most /29)"])
        if not _can_bind(str(self._network[2]), 0):
            if not self._network.is_loopback:
                raise errors.InvalidInput("--pod-cidr", [_NOT_HERE.format(cidr)])
            # macOS has 127.0.0.1 alone of the whole loopback network.
            self.is_shared = True

    @property
    def cidr(self) -> str:
        """The network that pods are in."""
        return str(self._network)

    def take(self, wanted: str | None = None) -> str:
        """Return a free address, the wanted one if it can be had.

        Raises:
            RefusedError: all are taken.
        """
        if self.is_shared:
            return LOOPBACK
        if wanted and wanted not in self._used and self._is_ours(wanted):
            self._used.add(wanted)
            return wanted
        size = self._network.num_addresses
        for _ in range(size):
            # Addresses come back as late as possible: a client may still remember the last owner.
            self._next = self._next % (size - 1) + 1
            address = str(self._network[self._next])
            last = self._next % 256
            # The first one is left to the node, and people read .0 and .255 as special.
            if self._next > 1 and 0 < last < 255 and address not in self._used:
                self._used.add(address)
                return address
        raise errors.RefusedError("NoAddress", f"all pod addresses of {self._network} are taken")

    def give_back(self, address: str, ports: Iterable[int] = ()) -> None:
        """Take an address, and the ports that were allocated on it, back."""
        self._used.discard(address)
        self._reserved_ports.difference_update(ports)

    def place(self, address: str, ports: Sequence[int]) -> dict[int, int]:
        """Return for each port where to listen: itself where it may be bound, else a free one."""
        placed: dict[int, int] = {}
        for port in ports:
            if not self.is_shared and _can_bind(address, port):
                placed[port] = port
            else:
                placed[port] = self._free_port(address)
        return placed

    def _free_port(self, address: str) -> int:
        while True:
            with socket.socket() as probe:
                probe.bind((address, 0))
                port: int = probe.getsockname()[1]
            if port not in self._reserved_ports:
                self._reserved_ports.add(port)
                return port

    def _is_ours(self, address: str) -> bool:
        try:
            return ipaddress.IPv4Address(address) in self._network
        except ValueError:
            return False


def _can_bind(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
