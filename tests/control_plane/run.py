"""Run a real cluster in the foreground: `python -m tests.control_plane.run`.

Prints the path of a kubeconfig whose contexts are admin, editor, viewer and stranger, and stops
everything on Ctrl-C or TERM. The cluster has a network namespace of its own, where pods run as
processes; where there is none, the control plane runs alone and no pod starts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from serinus.errors import RefusedError
from tests.control_plane import credentials, kube_proxy, namespace, node, relay
from tests.control_plane.bench import ControlPlane, running
from tests.control_plane.build import Binaries, find_or_build
from tests.control_plane.programs import ControlPlaneError


async def run(binaries: Binaries, listening: socket.socket | None, way_in: str) -> None:
    """Start, say how to use it, and stay until told to end."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with contextlib.AsyncExitStack() as stack:
        plane = await stack.enter_async_context(running(binaries))
        kubeconfig = plane.kubeconfig
        if listening is not None:
            await stack.enter_async_context(node.running(plane, plane.folder / "node"))
            await stack.enter_async_context(relay.running(listening, plane.port))
            kubeconfig = _for_outside(plane, listening)
            if reason := kube_proxy.missing(binaries):
                _say(f"NO KUBE-PROXY: {reason}; our own node plays the Services")
            _say(f"NodePorts answer inside: {way_in} curl {namespace.NODE_ADDRESS}:PORT")
        print(kubeconfig, flush=True)
        await ended.wait()


def _for_outside(plane: ControlPlane, listening: socket.socket) -> Path:
    path = plane.folder / "kubeconfig-outside"
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    credentials.write_kubeconfig(path, url, plane.ca_file, plane.tokens)
    return path


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is missing, go into a namespace where that is possible, run until Ctrl-C."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("--listening", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--way-in", default="", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    try:
        binaries = find_or_build(os.environ)
        if given.listening is None:
            _become_inside()
            asyncio.run(run(binaries, None, ""))
        else:
            asyncio.run(run(binaries, socket.socket(fileno=given.listening), given.way_in))
    except (RefusedError, ControlPlaneError) as error:
        _say(str(error))
        return 1
    return 0


def _become_inside() -> None:
    """Run this program again in a namespace of its own; return only where there is none."""
    listening = relay.listen()
    # `unshare` and the rest become one another by exec, so the process stays the same.
    spaces = "--net" if os.geteuid() == 0 else "--net --user --preserve-credentials"
    way_in = f"nsenter --target {os.getpid()} {spaces}"
    again = [sys.executable, "-m", __spec__.name, "--listening", str(listening.fileno())]
    try:
        command = namespace.enter([*again, "--way-in", way_in])
    except RefusedError as error:
        listening.close()
        _say(f"NO NETWORK NAMESPACE: {error}; the control plane runs alone, and no pod starts")
        return
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
