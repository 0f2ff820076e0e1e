"""The options that every verb on a cluster has, spelled as kubectl spells them."""

from __future__ import annotations

import enum
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from serinus.errors import UsageError

CLUSTER_PANEL = "Cluster"
OUTPUT_PANEL = "Output"


class Output(enum.StrEnum):
    """How data is written to stdout."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class DryRun(enum.StrEnum):
    """Whether writes are made."""

    NONE = "none"
    CLIENT = "client"
    SERVER = "server"


class ClusterOptions(msgspec.Struct, frozen=True):
    """Which cluster, who asks, and how the answer looks."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
    as_user: str | None = None
    request_timeout: str | None = None
    output: Output = Output.TEXT
    verbose: bool = False
    debug: bool = False

    @property
    def request_timeout_ms(self) -> int | None:
        """Return the limit of one request; None for the default."""
        if self.request_timeout in (None, "0"):
            return None
        from serinus.api.text import parse_duration

        text = str(self.request_timeout)
        try:
            return parse_duration(f"{text}s" if text.isdecimal() else text)
        except ValueError as error:
            raise UsageError(f"--request-timeout: {error}") from error


def _option(*names: str, panel: str, text: str, metavar: str | None = None) -> Any:
    return typer.Option(
        *names, help=text, metavar=metavar, rich_help_panel=panel, show_default=False
    )


_SHARED: dict[str, tuple[Any, Any]] = {
    "kubeconfig": (
        Annotated[
            Path | None,
            _option(
                "--kubeconfig", panel=CLUSTER_PANEL, text="The kubeconfig file.", metavar="FILE"
            ),
        ],
        None,
    ),
    "context": (
        Annotated[
            str | None,
            _option(
                "--context", panel=CLUSTER_PANEL, text="The kubeconfig's context.", metavar="NAME"
            ),
        ],
        None,
    ),
    "namespace": (
        Annotated[
            str | None,
            _option(
                "--namespace", "-n", panel=CLUSTER_PANEL, text="The namespace.", metavar="NAME"
            ),
        ],
        None,
    ),
    "as_user": (
        Annotated[
            str | None,
            _option("--as", panel=CLUSTER_PANEL, text="Whom to impersonate.", metavar="USER"),
        ],
        None,
    ),
    "request_timeout": (
        Annotated[
            str | None,
            _option(
                "--request-timeout",
                panel=CLUSTER_PANEL,
                text="The limit of one request, such as 5s; 0 for the default.",
                metavar="TIME",
            ),
        ],
        None,
    ),
    "output": (
        Annotated[
            Output, _option("--output", "-o", panel=OUTPUT_PANEL, text="text, json, yaml or name.")
        ],
        Output.TEXT,
    ),
    "verbose": (
        Annotated[
            bool,
            _option("--verbose", "-v", panel=OUTPUT_PANEL, text="Say every write as it is made."),
        ],
        False,
    ),
    "debug": (
        Annotated[bool, _option("--debug", panel=OUTPUT_PANEL, text="Show tracebacks of errors.")],
        False,
    ),
}


def with_cluster(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the shared options; it gets them together as its argument `options`."""

    @functools.wraps(verb)
    def wrapped(**arguments: Any) -> None:
        shared = {name: arguments.pop(name) for name in _SHARED}
        verb(**arguments, options=ClusterOptions(**shared))

    own = [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for p in inspect.signature(verb, eval_str=True).parameters.values()
        if p.name != "options"
    ]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for name, (hint, default) in _SHARED.items()
    ]
    signature = inspect.Signature([*own, *shared])
    wrapped.__signature__ = signature  # type: ignore[attr-defined] # what inspect itself looks for
    wrapped.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    del wrapped.__wrapped__
    return wrapped
