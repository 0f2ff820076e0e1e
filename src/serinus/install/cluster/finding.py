"""Which controller a cluster has, and whether it is of our version."""

from __future__ import annotations

import msgspec

import serinus
from serinus import errors
from serinus.install import crd
from serinus.install.settings import CONTROLLER_NAMESPACE_ANNOTATION, VERSION_LABEL
from serinus.kube.client import Client
from serinus.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS


class Installation(msgspec.Struct, frozen=True):
    """What the definition of CanaryReleases says of the installation that it belongs to."""

    version: str
    controller_namespace: str | None
    """Where the Lease of the controller is; None where CanaryReleases have no controller."""

    @property
    def skew(self) -> str:
        """Return a warning when it is of another version than this program; empty otherwise."""
        if self.version == serinus.__version__:
            return ""
        words = f"the cluster has serinus {self.version}, this is {serinus.__version__}"
        remedy = "upgrade this program" if self.is_newer else "`serinus install` upgrades it"
        return f"{words}: {remedy}"

    @property
    def is_newer(self) -> bool:
        """Tell whether it is of a later version than this program."""
        return _numbers(self.version) > _numbers(serinus.__version__)


async def find(client: Client) -> Installation | None:
    """Return the installation of a cluster, or None; whoever may not look finds none."""
    try:
        found = await client.find(CUSTOM_RESOURCE_DEFINITIONS, crd.NAME)
    except errors.Forbidden:
        return None
    if found is None:
        return None
    meta = found["metadata"]
    marks, labels = meta.get("annotations") or {}, meta.get("labels") or {}
    return Installation(
        version=labels.get(VERSION_LABEL, ""),
        controller_namespace=marks.get(CONTROLLER_NAMESPACE_ANNOTATION),
    )


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version so that a later one is greater; what is no number counts as 0."""
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))
