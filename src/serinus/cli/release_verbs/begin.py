"""The verb `release`: try a new version on a share of the traffic."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from serinus.cli.options import ClusterOptions, DryRun, with_cluster

PANEL = "Release"
EPILOG = """Examples:

 serinus release shop web=shop:1.8 --steps 5,pause:10m,25,pause

 serinus release shop web=shop:1.8 --weight 25 --wait

 serinus release shop web=shop:1.8 --router envoy --steps 0.1,pause:10m,5 --sticky header:x-user

 serinus release shop --file release.yaml

 serinus release shop --steps 25,pause (the template was changed by kubectl and is held)
"""


class ModeOption(enum.StrEnum):
    """Where the canary's pods come from."""

    SURGE = "surge"
    CONSTANT = "constant"


class RouterOption(enum.StrEnum):
    """What splits the traffic."""

    REPLICA_RATIO = "replica-ratio"
    ENVOY = "envoy"


class PromotionOption(enum.StrEnum):
    """How the canary's revision becomes the stable one."""

    ADOPT = "adopt"
    ROLLING_UPDATE = "rolling-update"


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The Deployment: NAME or deployment/NAME.")
]
Images = Annotated[
    list[str] | None,
    typer.Argument(metavar="CONTAINER=IMAGE", help="What to try.", show_default=False),
]
Steps = Annotated[
    str | None,
    typer.Option(
        "--steps",
        metavar="STEPS",
        help="Weights in percent and pauses: 5,pause:10m,25,pause.",
        show_default=False,
    ),
]
Weight = Annotated[
    str | None,
    typer.Option(
        "--weight",
        metavar="PERCENT",
        help="The same as --steps PERCENT,pause.",
        show_default=False,
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="A CanaryRelease; options overrule it.",
        show_default=False,
    ),
]
Service = Annotated[
    str | None,
    typer.Option(
        "--service",
        metavar="NAME",
        help="The Service, if there are several.",
        show_default=False,
    ),
]
Promotion = Annotated[
    PromotionOption | None,
    typer.Option("--promotion", help="adopt: no pod is started.", show_default=False),
]
Mode = Annotated[
    ModeOption | None,
    typer.Option("--mode", help="surge: beside a whole stable.", show_default=False),
]
Settle = Annotated[
    str | None,
    typer.Option(
        "--settle",
        metavar="TIME",
        help="What proxies get to follow a change of the Service (2s).",
        show_default=False,
    ),
]
UndoWindow = Annotated[
    str | None,
    typer.Option(
        "--undo-window",
        metavar="TIME",
        help="Keep the old pods this long at 100 %.",
        show_default=False,
    ),
]
RouterName = Annotated[
    RouterOption | None,
    typer.Option(
        "--router",
        help="replica-ratio: the share of pods. envoy: exact shares, by proxies in front.",
        show_default=False,
    ),
]
Rules = Annotated[
    list[str] | None,
    typer.Option(
        "--rule",
        metavar="[NAME=]VERSION:RULE",
        help="canary, stable or percentage for requests that a rule is true of; several by order.",
        show_default=False,
    ),
]
Sticky = Annotated[
    list[str] | None,
    typer.Option(
        "--sticky",
        metavar="SOURCE",
        help="Who the user is: header:NAME, cookie:NAME, query:NAME, source-address, or id-cookie "
        "for users whom nobody knows.",
        show_default=False,
    ),
]
Mirror = Annotated[
    str | None,
    typer.Option(
        "--mirror",
        metavar="PERCENT",
        help="Copy this share of stable's requests to the canary.",
        show_default=False,
    ),
]
RetryOnStable = Annotated[
    bool,
    typer.Option("--retry-on-stable", help="Ask stable when the canary failed."),
]
Keep = Annotated[
    bool, typer.Option("--keep-router", help="Leave the routers there after the release.")
]
AllowCoarse = Annotated[
    bool, typer.Option("--allow-coarse", help="Accept a share far above the asked one.")
]
AllowRecreate = Annotated[
    bool, typer.Option("--allow-recreate", help="Versions may run side by side all the same.")
]
AllowAutoscaler = Annotated[
    bool, typer.Option("--allow-autoscaler", help="Accept that an HPA counts the canary.")
]


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command("release", rich_help_panel=PANEL, epilog=EPILOG)(with_cluster(release))
    app.command(
        "plan",
        rich_help_panel=PANEL,
        epilog="Example: serinus plan shop web=shop:1.8 --steps 5,pause:10m,25,pause",
    )(with_cluster(plan))


def release(
    name: Name,
    images: Images = None,
    steps: Steps = None,
    weight: Weight = None,
    file: File = None,
    service: Service = None,
    promotion: Promotion = None,
    mode: Mode = None,
    settle: Settle = None,
    undo_window: UndoWindow = None,
    router: RouterName = None,
    rule: Rules = None,
    sticky: Sticky = None,
    mirror: Mirror = None,
    retry_on_stable: RetryOnStable = False,
    keep_router: Keep = False,
    allow_coarse: AllowCoarse = False,
    allow_recreate: AllowRecreate = False,
    allow_autoscaler: AllowAutoscaler = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay through pauses for a person.")] = False,
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout", metavar="TIME", help="Give up waiting after it.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[
        DryRun, typer.Option("--dry-run", help="client: check only; server: let it check too.")
    ] = DryRun.NONE,
    *,
    options: ClusterOptions,
) -> None:
    """Try a new version on a share of the traffic, step by step."""
    from serinus.cli.release_verbs import releasing, routing, wishes
    from serinus.cli.session import run_async

    wish = wishes.Wish(
        name=name,
        images=tuple(images or ()),
        steps=steps,
        weight=weight,
        file=file,
        service=service,
        promotion=None if promotion is None else promotion.value,
        mode=None if mode is None else mode.value,
        settle=settle,
        undo_window=undo_window,
        routing=routing.RoutingWish(
            router=None if router is None else router.value,
            rules=tuple(rule or ()),
            sticky=tuple(sticky or ()),
            mirror=mirror,
            retry_on_stable=retry_on_stable,
            keep=keep_router,
        ),
        allow_coarse=allow_coarse,
        allow_recreate=allow_recreate,
        allow_autoscaler=allow_autoscaler,
    )
    work = releasing.release(wish, options, wait=wait, limit=timeout, dry_run=dry_run)
    run_async(work, leaving="nothing advances until the same command or another verb goes on")


def plan(
    name: Name,
    images: Images = None,
    steps: Steps = None,
    weight: Weight = None,
    file: File = None,
    service: Service = None,
    promotion: Promotion = None,
    mode: Mode = None,
    settle: Settle = None,
    undo_window: UndoWindow = None,
    router: RouterName = None,
    rule: Rules = None,
    sticky: Sticky = None,
    mirror: Mirror = None,
    retry_on_stable: RetryOnStable = False,
    keep_router: Keep = False,
    allow_coarse: AllowCoarse = False,
    allow_recreate: AllowRecreate = False,
    allow_autoscaler: AllowAutoscaler = False,
    *,
    options: ClusterOptions,
) -> None:
    """Print every write that a release would make, and make none."""
    from serinus.cli.release_verbs import planning, routing, wishes
    from serinus.cli.session import run_async

    wish = wishes.Wish(
        name=name,
        images=tuple(images or ()),
        steps=steps,
        weight=weight,
        file=file,
        service=service,
        promotion=None if promotion is None else promotion.value,
        mode=None if mode is None else mode.value,
        settle=settle,
        undo_window=undo_window,
        routing=routing.RoutingWish(
            router=None if router is None else router.value,
            rules=tuple(rule or ()),
            sticky=tuple(sticky or ()),
            mirror=mirror,
            retry_on_stable=retry_on_stable,
            keep=keep_router,
        ),
        allow_coarse=allow_coarse,
        allow_recreate=allow_recreate,
        allow_autoscaler=allow_autoscaler,
    )
    run_async(planning.plan(wish, options))
