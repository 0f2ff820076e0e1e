"""Take an installation out of a cluster, once no release needs it any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeAlias

from serinus import errors
from serinus.errors import RefusedError
from serinus.install.cluster import applying
from serinus.install.cluster.applying import Done
from serinus.install.kinds import CANARY_RELEASES, kind_of
from serinus.install.settings import Manifest
from serinus.kube.client import Client
from serinus.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS

LetGo: TypeAlias = Callable[[Sequence[Manifest]], Awaitable[None]]
"""Let releases go: return when CanaryReleases are gone and their owners' objects whole."""

_SHOWN_MAX = 5


async def releases(client: Client) -> list[Manifest]:
    """Return all CanaryReleases of the cluster; none where the kind is not served."""
    try:
        return (await client.list(CANARY_RELEASES)).items
    except errors.NotFound:
        return []


async def remove(client: Client, *, let_go: LetGo | None) -> AsyncIterator[Done]:
    """Let releases go, then remove all that was installed, the definition last.

    Raises:
        RefusedError: there are releases, and they must not be let go.
    """
    found = await releases(client)
    if found and let_go is None:
        names = [f"{r['metadata']['namespace']}/{r['metadata']['name']}" for r in found]
        more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
        raise RefusedError(
            "ReleasesLeft",
            f"there are CanaryReleases: {', '.join(names[:_SHOWN_MAX])}{more}; `serinus uninstall "
            "--let-go` gives their Deployments and Services back first",
        )
    if found and let_go is not None:
        await let_go(found)
    parts = [*reversed(await applying.installed(client))]
    for manifest in sorted(parts, key=_is_definition):
        await applying.delete(client, manifest)
        yield Done(manifest, "removed")


def _is_definition(manifest: Manifest) -> bool:
    return kind_of(manifest) is CUSTOM_RESOURCE_DEFINITIONS
