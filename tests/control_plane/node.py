"""A node for a control plane: our agent runs the pods, kube-proxy (or the agent) the Services."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO

from serinus.local_cluster.node.run import Services
from serinus.process import spawn, stop
from tests.control_plane import kube_proxy, namespace, outside
from tests.control_plane.bench import ControlPlane


@contextlib.asynccontextmanager
async def running(
    plane: ControlPlane, state: Path, *, images: Sequence[Path] = (), kube_proxied: bool = True
) -> AsyncIterator[None]:
    """Run a node in the network namespace that we are in, for as long as the block lasts.

    Without `kube_proxied`, or where kube-proxy cannot run, the agent plays the Services. Its files
    and `node.log` are in the folder `state`, which is made.
    """
    is_proxied = kube_proxied and kube_proxy.missing(plane.binaries) is None
    services = Services.NONE if is_proxied else Services.OWN
    with _log_in(state) as log:
        node = await spawn(
            [
                sys.executable,
                *("-m", "serinus.local_cluster.node"),
                *("--kubeconfig", str(plane.kubeconfig)),
                *("--state-folder", str(state)),
                *("--pod-cidr", str(namespace.POD_NETWORK)),
                *("--node-address", namespace.NODE_ADDRESS),
                *("--services", services.value),
                *(word for path in images for word in ("--images", str(path))),
            ],
            stdout=log,
            stderr=log,
            die_with_parent=True,
        )
    try:
        async with contextlib.AsyncExitStack() as stack:
            if is_proxied:
                await stack.enter_async_context(kube_proxy.running(plane))
                await stack.enter_async_context(outside.network())
            yield
    finally:
        await stop(node, grace_ms=10_000)


def _log_in(state: Path) -> IO[bytes]:
    state.mkdir(mode=0o700)
    return (state / "node.log").open("wb")
