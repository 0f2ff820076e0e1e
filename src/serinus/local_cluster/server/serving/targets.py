"""Which resource, object or subresource a path names."""

from __future__ import annotations

import msgspec

from serinus import errors
from serinus.kubernetes_model import Resource
from serinus.local_cluster.server.live_cluster import LiveCluster

# Subresources of other kinds than objects: answered with what to do instead.
_ABSENT = {
    "exec": "exec is not part of the local cluster: pods are processes of this machine",
    "attach": "attach is not part of the local cluster; read what a pod prints with kubectl logs",
    "portforward": "port-forward is not part of the local cluster: a pod listens on this machine, "
    "see its address with kubectl get pods -o wide",
    "proxy": "proxy is not part of the local cluster: Services and pods listen on this machine",
    "ephemeralcontainers": "ephemeral containers are not part of the local cluster",
    "resize": "resizing pods in place is not part of the local cluster",
    "token": "service account tokens are not part of the local cluster",
}


class Target(msgspec.Struct, frozen=True):
    """What a path names; no name means the whole collection."""

    resource: Resource
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None


class Targets:
    """Read paths against the resources that a cluster serves at the moment."""

    def __init__(self, live: LiveCluster) -> None:
        self._live = live
        self._kinds_version = -1
        self._by_path: dict[tuple[str, str, str], Resource] = {}

    def find(self, segments: tuple[str, ...]) -> Target:
        """Return what `/api/...` or `/apis/...` names.

        Raises:
            NotFound: there is no such resource; the message names those that there are.
        """
        if segments[0] == "api" and len(segments) >= 3:
            group, version, rest = "", segments[1], segments[2:]
        elif segments[0] == "apis" and len(segments) >= 4:
            group, version, rest = segments[1], segments[2], segments[3:]
        else:
            raise self.unknown(segments)
        namespace = None
        if rest[0] == "namespaces" and len(rest) >= 3 and not self._is_about_namespace(group, rest):
            namespace, rest = rest[1], rest[2:]
        resource = self._resource(group, version, rest[0])
        if resource is None or len(rest) > 3 or resource.namespaced < (namespace is not None):
            raise self.unknown(segments)
        target = Target(resource, namespace, *rest[1:])
        if target.name and resource.namespaced and namespace is None:
            raise self.unknown(segments)
        sub = target.subresource
        if sub is not None and sub not in resource.subresources:
            raise _absent(sub) if sub in _ABSENT else self.unknown(segments)
        return target

    def unknown(self, segments: tuple[str, ...]) -> errors.NotFound:
        """Return the error for a path that names nothing here."""
        served = ", ".join(sorted({r.qualified_name for r in self._live.cluster.resources}))
        return errors.NotFound(
            f"the local cluster has nothing at /{'/'.join(segments)}; the kinds that it knows are: "
            f"{served}",
            code=404,
            details={},
        )

    def _is_about_namespace(self, group: str, rest: tuple[str, ...]) -> bool:
        """Tell `namespaces/NAME/status` from `namespaces/NAME/pods`."""
        return not group and len(rest) == 3 and rest[2] in {"status", "finalize"}

    def _resource(self, group: str, version: str, plural: str) -> Resource | None:
        if self._kinds_version != self._live.kinds_version:
            self._kinds_version = self._live.kinds_version
            served = self._live.cluster.resources
            self._by_path = {(r.group, r.version, r.plural): r for r in served}
        return self._by_path.get((group, version, plural))


def _absent(subresource: str) -> errors.Invalid:
    return errors.Invalid(_ABSENT[subresource], code=405, details={})
