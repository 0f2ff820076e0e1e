"""Start the node: `python -m serinus.local_cluster.node --kubeconfig F --state-folder FOLDER`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import structlog

from serinus import errors
from serinus.local_cluster.node import run
from serinus.local_cluster.node.context import NODE_NAME, Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node; return its exit code."""
    given = _parser().parse_args(arguments)
    _log_plainly()
    options = run.NodeOptions(
        kubeconfig=given.kubeconfig,
        state=given.state_folder,
        pod_cidr=given.pod_cidr,
        images=tuple(given.images),
        services=run.Services(given.services),
        settings=Settings(node_name=given.node_name, node_address=given.node_address),
    )
    try:
        _run(run.run(options))
    except errors.SerinusError as e:
        sys.stderr.write(f"{e}\n")
        return e.exit_code
    return 0


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def _log_plainly() -> None:
    # Tracebacks without the values of variables: these hold the environments of pods.
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            plain,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serinus.local_cluster.node",
        description="Run the pods of a cluster as processes, and its Services as TCP balancers "
        "unless kube-proxy does that.",
    )
    parser.add_argument("--kubeconfig", type=Path, required=True, help="how to reach the cluster")
    parser.add_argument(
        "--state-folder", type=Path, required=True, help="where logs and process records are kept"
    )
    parser.add_argument(
        "--pod-cidr", default=run.POD_CIDR, help="the addresses of pods (default: %(default)s)"
    )
    parser.add_argument(
        "--node-address",
        default="127.0.0.1",
        help="where NodePorts are listened on (default: %(default)s)",
    )
    parser.add_argument(
        "--services",
        choices=[each.value for each in run.Services],
        default=run.Services.OWN.value,
        help="own: be the balancer of Services; none: leave them to kube-proxy "
        "(default: %(default)s)",
    )
    parser.add_argument("--node-name", default=NODE_NAME, help="(default: %(default)s)")
    parser.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a catalogue of commands that play images (may be repeated)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
