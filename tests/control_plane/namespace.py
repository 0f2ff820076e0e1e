"""Run a command in a network namespace of its own, made ready for pods as plain processes.

`python -m tests.control_plane.namespace python -m pytest tests/end_to_end --cluster=kubernetes`
runs these tests with an own network in which, before the command starts,

- every address of 10.244.0.0/16 is this machine's: a pod can bind any of them;
- 10.78.0.1 is the node's address, where NodePorts answer (not on 127.0.0.1);
- port 80 may be bound by anyone, and there is a default route (which leads nowhere).

The real API server refuses loopback addresses in EndpointSlices, so pods need such a network. As
an ordinary user it takes a user namespace, too; some systems forbid these, which is said loudly.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from serinus.errors import RefusedError

POD_NETWORK = ipaddress.ip_network("10.244.0.0/16")
SERVICE_NETWORK = ipaddress.ip_network("10.0.0.0/16")
NODE_ADDRESS = "10.78.0.1"
NODE_NETWORK = ipaddress.ip_network("10.78.0.0/24")
_UPLINK = "10.79.0.1/24"
_GATEWAY = "10.79.0.2"
_INSIDE = "--inside"


def is_inside() -> bool:
    """Return whether this process runs in such a namespace: a pod address can be bound."""
    with socket.socket() as probe:
        try:
            probe.bind((str(POD_NETWORK[1]), 0))
        except OSError:
            return False
    return True


def enter(command: list[str]) -> list[str]:
    """Return a command line that makes the namespace, sets it up, and runs `command` in it.

    Raises:
        RefusedError: this system has no way to make one.
    """
    unshare = shutil.which("unshare")
    if sys.platform != "linux" or unshare is None or shutil.which("ip") is None:
        raise RefusedError(
            "NoNamespace", "a network namespace needs Linux with `unshare` and `ip` (iproute2)"
        )
    flags = ["--net"] if os.geteuid() == 0 else ["--net", "--user", "--map-root-user"]
    probe = subprocess.run([unshare, *flags, "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        raise RefusedError("NoNamespace", f"`unshare` was refused: {probe.stderr.strip()}")
    return [unshare, *flags, sys.executable, "-m", __spec__.name, _INSIDE, *command]


def set_up() -> None:
    """Give the namespace that this process is in its addresses and routes."""
    _ip("link", "set", "lo", "up")
    _ip("route", "add", "local", str(POD_NETWORK), "dev", "lo")
    _ip("address", "add", f"{NODE_ADDRESS}/{NODE_NETWORK.prefixlen}", "dev", "lo")
    _make_uplink()
    _ip("address", "add", _UPLINK, "dev", "uplink")
    _ip("link", "set", "uplink", "up")
    _ip("route", "add", "default", "via", _GATEWAY, "dev", "uplink")
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")


def _make_uplink() -> None:
    try:
        _ip("link", "add", "uplink", "type", "dummy")
    except RefusedError:
        # Kernels without the dummy module have veth, as containers need it.
        _ip("link", "add", "uplink", "type", "veth", "peer", "name", "uplink-peer")
        _ip("link", "set", "uplink-peer", "up")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = " ".join(arguments)
        raise RefusedError("NoNetwork", f"`ip {words}` failed: {done.stderr.strip()}")


def main(arguments: list[str]) -> NoReturn:
    """Make the namespace, then set it up, then become the command."""
    if not arguments or arguments == [_INSIDE]:
        sys.exit(f"usage: python -m {__spec__.name} COMMAND ...")
    try:
        if arguments[0] == _INSIDE:
            set_up()
            command = arguments[1:]
        else:
            command = enter(arguments)
    except RefusedError as error:
        sys.exit(f"NO NETWORK NAMESPACE: {error}")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
