"""How the operator logs: one line for each thing that happened, JSON for machines."""

from __future__ import annotations

import sys

import structlog

_LEVELS = {"debug": 10, "info": 20}


def configure(*, as_json: bool, verbose: bool) -> None:
    """Write log lines to stderr from now on."""
    render = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            _LEVELS["debug" if verbose else "info"]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
