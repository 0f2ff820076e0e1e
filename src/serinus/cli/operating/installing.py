"""How `serinus install` and `uninstall` go."""

from __future__ import annotations

import functools
import sys

import msgspec
import typer

import serinus
from serinus.api.text import parse_duration
from serinus.cli import output
from serinus.cli.operating import letting_go
from serinus.cli.options import ClusterOptions, DryRun, Output
from serinus.cli.session import open_client
from serinus.errors import InvalidInput, RefusedError, UsageError
from serinus.install import manifests
from serinus.install.cluster import applying, finding, removing
from serinus.install.cluster.applying import Done
from serinus.install.kinds import shown
from serinus.install.settings import NAMESPACE, Hold, Manifest, Settings
from serinus.kube.client import Client
from serinus.process import SystemClock


class Choices(msgspec.Struct, frozen=True):
    """What was typed."""

    watch_namespaces: tuple[str, ...] = ()
    image: str | None = None
    hold: str = "auto"
    service_monitor: bool = False
    cli_only: bool = False


def is_printed(options: ClusterOptions) -> bool:
    """Tell whether the objects themselves are asked for, and so nothing is changed."""
    return options.output is not Output.TEXT


def write(choices: Choices, options: ClusterOptions) -> None:
    """Write the objects to stdout without asking any cluster; `auto` means the policy."""
    made = manifests.objects(settings_of(choices, options))
    match options.output:
        case Output.JSON:
            sys.stdout.write(output.to_json({"apiVersion": "v1", "kind": "List", "items": made}))
        case Output.NAME:
            sys.stdout.write("".join(f"{shown(manifest)}\n" for manifest in made))
        case _:
            sys.stdout.write("---\n".join(output.to_yaml(manifest) for manifest in made))


async def install(
    choices: Choices,
    options: ClusterOptions,
    *,
    force: bool,
    limit: str | None,
    dry_run: DryRun,
) -> int:
    """Apply everything; with a limit, wait that long for the controller."""
    limit_ms = None if limit is None else _limit_ms(limit)
    settings = settings_of(choices, options)
    if dry_run is DryRun.CLIENT:
        for manifest in manifests.objects(settings):
            typer.echo(f"{shown(manifest)} (client dry run)")
        return 0
    clock = SystemClock()
    async with open_client(options) as client:
        _say_where(client, f"install serinus {serinus.__version__}", settings.namespace)
        before = await finding.find(client)
        if before is not None and before.is_newer:
            typer.echo(f"warning: {before.skew}; going back", err=True)
        await applying.refuse(client, settings, before)
        settings = await _with_hold(client, choices, settings)
        is_rehearsal = dry_run is DryRun.SERVER
        made = manifests.objects(settings)
        async for done in applying.apply(client, made, clock, force=force, dry_run=is_rehearsal):
            _say(done, " (server dry run)" if is_rehearsal else "")
        if limit_ms is not None and settings.controller and not is_rehearsal:
            await applying.until_available(client, settings.namespace, clock, limit_ms)
            typer.echo("the controller is available")
    return 0


async def uninstall(options: ClusterOptions, *, let_go: bool, limit: str, only_print: bool) -> int:
    """Remove everything, or name what there is."""
    limit_ms = _limit_ms(limit)
    async with open_client(options) as client:
        if only_print:
            for manifest in reversed(await applying.installed(client)):
                typer.echo(shown(manifest))
            return 0
        _say_where(client, "uninstall serinus", options.namespace or NAMESPACE)
        leave = functools.partial(letting_go.let_go, client, limit_ms=limit_ms)
        removed = False
        async for done in removing.remove(client, let_go=leave if let_go else None):
            _say(done)
            removed = True
        if not removed:
            await _say_nothing_to_remove(client)
    return 0


async def _say_nothing_to_remove(client: Client) -> None:
    if await finding.find(client) is not None:
        raise RefusedError(
            "InstalledOtherwise",
            "`serinus install` has made nothing here; what has installed the definition of "
            "CanaryReleases (helm, kustomize) takes it out again",
        )
    typer.echo("nothing to remove", err=True)


def settings_of(choices: Choices, options: ClusterOptions) -> Settings:
    """Return the installation that was asked for; `auto` is the policy until a cluster is asked.

    Raises:
        UsageError: two of the choices exclude each other.
    """
    if choices.cli_only and (choices.watch_namespaces or choices.image or choices.service_monitor):
        raise UsageError(
            "--cli-only installs no controller: --watch-namespace, --image and --with are of no use"
        )
    made = Settings(
        namespace=options.namespace or NAMESPACE,
        watch_namespaces=tuple(dict.fromkeys(choices.watch_namespaces)),
        hold=Hold.FIELD if choices.hold == Hold.FIELD.value else Hold.POLICY,
        controller=not choices.cli_only,
        service_monitor=choices.service_monitor,
    )
    return msgspec.structs.replace(made, image=choices.image) if choices.image else made


async def _with_hold(client: Client, choices: Choices, settings: Settings) -> Settings:
    """Return the settings with a hold that the cluster offers.

    Raises:
        RefusedError: the policy was asked for by name, and is not offered.
    """
    if settings.hold is Hold.FIELD:
        return settings
    version = await applying.policy_version(client)
    if version is not None:
        return msgspec.structs.replace(settings, policy_version=version)
    if choices.hold == Hold.POLICY.value:
        raise RefusedError(
            "NoPolicies",
            "this cluster obeys no MutatingAdmissionPolicy (Kubernetes 1.36 does, 1.34 and 1.35 "
            "with the beta on): --hold field works everywhere",
        )
    typer.echo("hold by field: this cluster obeys no MutatingAdmissionPolicy", err=True)
    return msgspec.structs.replace(settings, hold=Hold.FIELD)


def _limit_ms(limit: str) -> int:
    try:
        return parse_duration(limit)
    except ValueError as error:
        raise InvalidInput("--timeout", [str(error)]) from error


def _say_where(client: Client, what: str, namespace: str) -> None:
    context = client.connection.context or client.connection.server
    typer.echo(f"{what} (context {context}, namespace {namespace})", err=True)


def _say(done: Done, more: str = "") -> None:
    manifest: Manifest = done.manifest
    typer.echo(f"{shown(manifest)} {done.outcome}{more}")
