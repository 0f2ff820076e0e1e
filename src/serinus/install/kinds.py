"""The kinds of object that an installation is made of."""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api import v1alpha1
from serinus.errors import UnknownName
from serinus.install import policy, roles
from serinus.install.settings import Manifest
from serinus.kube import kinds
from serinus.kube.kinds import Kind

CANARY_RELEASES = Kind(v1alpha1.GROUP, v1alpha1.VERSION, v1alpha1.KIND, v1alpha1.PLURAL)


def _policies(version: str) -> Iterator[Kind]:
    for word, served in (("Mutating", version), ("Validating", "v1")):
        for kind, plural in (("Policy", "policies"), ("PolicyBinding", "policybindings")):
            name, resource = f"{word}Admission{kind}", f"{word.lower()}admission{plural}"
            yield Kind(policy.GROUP, served, name, resource, namespaced=False)


INSTALLED: tuple[Kind, ...] = (
    kinds.NAMESPACES,
    kinds.CUSTOM_RESOURCE_DEFINITIONS,
    *_policies("v1"),
    Kind(roles.RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind(roles.RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    kinds.ROLES,
    kinds.ROLE_BINDINGS,
    kinds.SERVICE_ACCOUNTS,
    kinds.SERVICES,
    kinds.POD_DISRUPTION_BUDGETS,
    kinds.DEPLOYMENTS,
    Kind("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
)
"""In the order of their application."""

BETA: tuple[Kind, ...] = tuple(k for k in _policies("v1beta1") if k.version == "v1beta1")
"""The same kinds where a cluster serves no newer version of them."""

_BY_NAME = {(kind.api_version, kind.kind): kind for kind in (*INSTALLED, *BETA)}


def kind_of(manifest: Manifest) -> Kind:
    """Return the kind of an installed object."""
    name = (manifest["apiVersion"], manifest["kind"])
    if name not in _BY_NAME:
        raise UnknownName("kind of object", " ".join(name), sorted(k for _, k in _BY_NAME))
    return _BY_NAME[name]


def shown(manifest: Manifest) -> str:
    """Return an object as kubectl writes it with `-o name`, its namespace before it."""
    kind, meta = kind_of(manifest), manifest["metadata"]
    word = kind.kind.lower() + (f".{kind.group}" if kind.group else "")
    where = f" in {meta['namespace']}" if kind.namespaced else ""
    return f"{word}/{meta['name']}{where}"
