"""The options of `serinus load`, as the command line names and explains them."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer


class Output(enum.StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"


Url = Annotated[str, typer.Argument(metavar="URL", help="http or https.", show_default=False)]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="R",
        help="Open loop: start R requests a second, whatever the server does. Without it the "
        "loop is closed: each client waits for its answer.",
        show_default=False,
    ),
]
Connections = Annotated[
    int,
    typer.Option(
        "--connections",
        metavar="N",
        help="Clients of a closed loop; with --rate the keep-alive connections that are held.",
    ),
]
Duration = Annotated[
    str, typer.Option("--duration", metavar="TIME", help="Start no request after it: 30s, 5m.")
]
Requests = Annotated[
    int | None,
    typer.Option(
        "--requests",
        metavar="N",
        help="Stop after N requests; without --duration, however long that takes.",
        show_default=False,
    ),
]
Timeout = Annotated[
    str, typer.Option("--timeout", metavar="TIME", help="For one request: 500ms, 10s.")
]
KeepAlive = Annotated[bool, typer.Option("--keep-alive", help="Use connections again.")]
NewConnections = Annotated[
    bool,
    typer.Option(
        "--new-connections",
        help="A new connection for each request (the default). With --keep-alive: half of "
        "the requests each.",
    ),
]
Method = Annotated[str, typer.Option("--method", metavar="METHOD", help="GET, HEAD …")]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="Send it; may be repeated."),
]
Data = Annotated[str, typer.Option("--data", metavar="TEXT", help="Body of the request.")]
VersionHeader = Annotated[
    str | None,
    typer.Option(
        "--version-header",
        metavar="NAME",
        help="The header that names the version (default: X-Serinus-Version).",
        show_default=False,
    ),
]
VersionJson = Annotated[
    str | None,
    typer.Option(
        "--version-json",
        metavar="PATH",
        help="Or a field of the JSON body: app.version.",
        show_default=False,
    ),
]
VersionRegex = Annotated[
    str | None,
    typer.Option(
        "--version-regex",
        metavar="PATTERN",
        help="Or a regular expression on the body; its first group is the version.",
        show_default=False,
    ),
]
Expectations = Annotated[
    list[str] | None,
    typer.Option(
        "--expect",
        metavar="VERSION=PERCENT",
        help="Show how far the share of VERSION is from PERCENT, in standard deviations (z).",
    ),
]
RetryIdleRace = Annotated[
    bool,
    typer.Option(
        "--retry-idle-race",
        help="Ask once more where a keep-alive connection was closed as it was written to, as "
        "most clients do; without it such a request counts as failed.",
    ),
]
OneSource = Annotated[
    bool,
    typer.Option(
        "--one-source",
        help="Towards loopback, do not spread over source addresses of 127/8.",
    ),
]
Insecure = Annotated[bool, typer.Option("--insecure", "-k", help="https: trust any certificate.")]
CaFile = Annotated[
    str | None,
    typer.Option("--ca-file", metavar="FILE", help="https: trust these.", show_default=False),
]
PictureFile = Annotated[
    Path | None,
    typer.Option(
        "--picture",
        metavar="FILE.svg",
        help="Write the share by version over time.",
        show_default=False,
    ),
]
OutputFormat = Annotated[
    Output, typer.Option("--output", "-o", help="Format of the report on standard output.")
]
