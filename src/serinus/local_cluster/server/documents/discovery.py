"""Discovery: which groups, versions and resources there are, in the old form and the aggregated.

The forms are those of `APIGroupDiscoveryList` (apidiscovery.k8s.io/v2), `APIGroupList` and
`APIResourceList`.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from serinus import errors
from serinus.kubernetes_model import Cluster, Resource

VERSION = "v1.36.3+serinus"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

# Questions that are answered and not stored.
REVIEWS: tuple[Resource, ...] = (
    Resource(
        "authorization.k8s.io",
        "v1",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        "selfsubjectaccessreview",
        namespaced=False,
        verbs=("create",),
    ),
    Resource(
        "authorization.k8s.io",
        "v1",
        "SelfSubjectRulesReview",
        "selfsubjectrulesreviews",
        "selfsubjectrulesreview",
        namespaced=False,
        verbs=("create",),
    ),
    Resource(
        "authentication.k8s.io",
        "v1",
        "SelfSubjectReview",
        "selfsubjectreviews",
        "selfsubjectreview",
        namespaced=False,
        verbs=("create",),
    ),
)
_KINDS_OF_SUBRESOURCES: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = {
    "scale": ("autoscaling", "v1", "Scale", ("get", "patch", "update")),
    "binding": ("", "v1", "Binding", ("create",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "log": ("", "v1", "Pod", ("get",)),
    "finalize": ("", "v1", "Namespace", ("update",)),
}


def version() -> dict[str, str]:
    """Return what `kubectl version` asks for."""
    return {
        "major": "1",
        "minor": "36",
        "emulationMajor": "1",
        "emulationMinor": "36",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "35",
        "gitVersion": VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{_architecture()}",
    }


def _architecture() -> str:
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


class Discovery:
    """Say what one cluster serves at the moment."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def api_versions(self) -> dict[str, Any]:
        """Return `/api` in the old form."""
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}

    def groups(self) -> dict[str, Any]:
        """Return `/apis` in the old form."""
        groups = [self._group(name) for name in self._versions() if name]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}

    def group(self, name: str) -> dict[str, Any]:
        """Return `/apis/GROUP`.

        Raises:
            NotFound: there is no such group.
        """
        if not name or name not in self._versions():
            raise _no_group(name)
        return {"kind": "APIGroup", "apiVersion": "v1", **self._group(name)}

    def resources(self, group: str, version: str) -> dict[str, Any]:
        """Return `/apis/GROUP/VERSION` or `/api/v1`.

        Raises:
            NotFound: there is no such version.
        """
        if version not in self._versions().get(group, ()):
            raise _no_group(f"{group}/{version}" if group else version)
        entries = []
        for resource in self._of(group, version):
            entries.append(_entry(resource))
            entries += [_subentry(resource, name) for name in sorted(resource.subresources)]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": entries,
        }

    def aggregated(self, *, core: bool) -> dict[str, Any]:
        """Return `/api` or `/apis` with all resources in one document."""
        items = []
        for name, versions in self._versions().items():
            if bool(name) == core:
                continue
            items.append(
                {
                    "metadata": {"name": name, "creationTimestamp": None} if name else {},
                    "versions": [
                        {
                            "version": version,
                            "freshness": "Current",
                            "resources": [_discovered(r) for r in self._of(name, version)],
                        }
                        for version in versions
                    ],
                }
            )
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        }

    def _all(self) -> Sequence[Resource]:
        return (*self._cluster.resources, *REVIEWS)

    def _of(self, group: str, version: str) -> list[Resource]:
        return [r for r in self._all() if r.group == group and r.version == version]

    def _versions(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for resource in self._all():
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return found

    def _group(self, name: str) -> dict[str, Any]:
        versions = [
            {"groupVersion": f"{name}/{version}", "version": version}
            for version in self._versions()[name]
        ]
        return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _no_group(name: str) -> errors.NotFound:
    return errors.NotFound(
        f"the local cluster does not serve {name or 'that group'}; see kubectl api-resources",
        code=404,
        details={},
    )


def _entry(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _subkind(resource: Resource, name: str) -> tuple[str, str, str, tuple[str, ...]]:
    own = (resource.group, resource.version, resource.kind, ("get", "patch", "update"))
    return _KINDS_OF_SUBRESOURCES.get(name, own)


def _subentry(resource: Resource, name: str) -> dict[str, Any]:
    group, version, kind, verbs = _subkind(resource, name)
    entry: dict[str, Any] = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": kind,
        "verbs": list(verbs),
    }
    if (group, version) != (resource.group, resource.version):
        entry["group"], entry["version"] = group, version
    return entry


def _discovered(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = []
    for name in sorted(resource.subresources):
        group, version, kind, verbs = _subkind(resource, name)
        subresources.append(
            {
                "subresource": name,
                "responseKind": _kind(group, version, kind),
                "verbs": list(verbs),
            }
        )
    if subresources:
        entry["subresources"] = subresources
    return entry


def _kind(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}
