"""What may be chosen about an installation, and the names that it has in a cluster."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

import serinus

Manifest = dict[str, Any]

NAME = "serinus"
NAMESPACE = "serinus-system"
CONTROLLER = "serinus-controller"
"""The name of the Deployment, its account, its roles and its Lease."""
PORT = 8080
MANAGER = "serinus-install"
"""The field manager of `serinus install`."""

PART_OF_LABEL = "app.kubernetes.io/part-of"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
VERSION_LABEL = "app.kubernetes.io/version"
CONTROLLER_NAMESPACE_ANNOTATION = "serinus.dev/controller-namespace"
"""On the definition of CanaryReleases: where the Lease of the controller is."""


class Hold(enum.Enum):
    """What keeps a changed template from rolling out."""

    POLICY = "policy"
    """A MutatingAdmissionPolicy: nothing is paused at rest."""
    FIELD = "field"
    """`spec.paused` of the Deployment, also at rest."""


class Settings(msgspec.Struct, frozen=True):
    """One installation."""

    namespace: str = NAMESPACE
    watch_namespaces: tuple[str, ...] = ()
    """Where releases are looked after; none means everywhere."""
    image: str = f"{NAME}:{serinus.__version__}"
    hold: Hold = Hold.POLICY
    policy_version: str = "v1"
    """The version of admissionregistration.k8s.io that serves MutatingAdmissionPolicy."""
    controller: bool = True
    """Whether a controller runs; without one, `serinus release` drives releases itself."""
    service_monitor: bool = False
    managed_by: str = MANAGER


def labels(settings: Settings) -> dict[str, str]:
    """Return the labels of everything that is installed."""
    return {
        "app.kubernetes.io/name": NAME,
        PART_OF_LABEL: NAME,
        VERSION_LABEL: serinus.__version__,
        MANAGED_BY_LABEL: settings.managed_by,
    }


def metadata(settings: Settings, name: str, namespace: str | None = None) -> Manifest:
    """Return the metadata of one installed object."""
    where = {} if namespace is None else {"namespace": namespace}
    return {"name": name, **where, "labels": labels(settings)}
