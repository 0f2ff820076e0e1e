"""Building requests to the API server: values in, a `Request` out. No I/O."""

from __future__ import annotations

import enum
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from serinus import errors
from serinus.kube.kinds import PODS, Kind

Query = tuple[tuple[str, str], ...]


class Request(msgspec.Struct, frozen=True):
    """One HTTP request; the path is percent-encoded and starts with a slash."""

    method: str
    path: str
    what: str
    """The attempt in words, for messages."""
    query: Query = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def target(self) -> str:
        """Path and query as they go over the wire."""
        return f"{self.path}?{urllib.parse.urlencode(self.query)}" if self.query else self.path

    @property
    def is_read(self) -> bool:
        """Whether the request changes nothing, so that it may be sent again."""
        return self.method == "GET"


class PatchType(enum.Enum):
    """How the body of a patch is to be understood; the value is its media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Propagation(enum.StrEnum):
    """What a deletion does to the objects that the deleted one owns."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class WriteOptions(msgspec.Struct, frozen=True):
    """What every write may be told."""

    field_manager: str | None = None
    dry_run: bool = False

    @property
    def query(self) -> Query:
        """The options as query parameters."""
        return _query(fieldManager=self.field_manager, dryRun="All" if self.dry_run else None)


class Target(msgspec.Struct, frozen=True):
    """An object, or with no name a collection; with no namespace one over all namespaces."""

    kind: Kind
    name: str | None = None
    namespace: str | None = None
    subresource: str | None = None

    @property
    def path(self) -> str:
        """The path of the API server that serves it.

        Raises:
            InvalidInput: a part cannot stand in a path, or a namespace is missing.
        """
        kind = self.kind
        if kind.namespaced and self.name is not None and not self.namespace:
            raise errors.InvalidInput(f"{kind.resource} {self.name!r}", ["a namespace is needed"])
        parts = ["apis", kind.group, kind.version] if kind.group else ["api", kind.version]
        if kind.namespaced and self.namespace:
            parts += ["namespaces", _segment("namespace", self.namespace)]
        parts.append(kind.plural)
        if self.name is not None:
            parts.append(_segment("name", self.name))
        if self.subresource is not None:
            parts += [_segment("subresource", part) for part in self.subresource.split("/")]
        return "/" + "/".join(parts)

    def words(self, verb: str) -> str:
        """Say what is attempted on it."""
        resource = f"{self.kind.resource}/{self.subresource}" if self.subresource else None
        text = f"{verb} {resource or self.kind.resource}"
        if self.name is not None:
            text += f' "{self.name}"'
        return f'{text} in namespace "{self.namespace}"' if self.namespace else text


def get(target: Target) -> Request:
    """Read one object."""
    return Request("GET", target.path, target.words("get"))


def list_page(
    target: Target,
    *,
    label_selector: str | None = None,
    field_selector: str | None = None,
    limit_count: int = 0,
    continue_token: str | None = None,
) -> Request:
    """Read a page of a collection; a limit of 0 asks for all at once."""
    query = _query(
        labelSelector=label_selector,
        fieldSelector=field_selector,
        limit=str(limit_count) if limit_count else None,
        **{"continue": continue_token},
    )
    return Request("GET", target.path, target.words("list"), query)


def watch(
    target: Target,
    *,
    resource_version: str,
    timeout_ms: int,
    label_selector: str | None = None,
    field_selector: str | None = None,
    bookmarks: bool = True,
) -> Request:
    """Ask for the changes of a collection since a version.

    The server counts its timeout in whole seconds; it is rounded up, and never 0, which would
    mean the server's own choice of 30 to 60 minutes.
    """
    query = _query(
        watch="true",
        resourceVersion=resource_version,
        timeoutSeconds=str(max(1, -(-timeout_ms // 1000))),
        allowWatchBookmarks="true" if bookmarks else None,
        labelSelector=label_selector,
        fieldSelector=field_selector,
    )
    return Request("GET", target.path, target.words("watch"), query)


def create(target: Target, body: Mapping[str, Any], options: WriteOptions) -> Request:
    """Create an object: a POST to its collection, or to a subresource of a named object."""
    what = target.words("create")
    if target.subresource is None:
        target = msgspec.structs.replace(target, name=None)
    if target.kind.namespaced and not target.namespace:
        raise errors.InvalidInput(target.kind.resource, ["a namespace is needed to create one"])
    request = _json("POST", target, body, options.query, verb="create")
    return msgspec.structs.replace(request, what=what)


def replace(target: Target, body: Mapping[str, Any], options: WriteOptions) -> Request:
    """Replace an object; a `metadata.resourceVersion` in the body is the precondition."""
    return _json("PUT", target, body, options.query, verb="replace")


def patch(
    target: Target,
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    patch_type: PatchType,
    options: WriteOptions,
    *,
    force: bool = False,
) -> Request:
    """Change parts of an object; `force` is for apply alone and takes over fields of others.

    Raises:
        InvalidInput: an apply without a field manager, or force without apply.
    """
    is_apply = patch_type is PatchType.APPLY
    problems = []
    if is_apply and not options.field_manager:
        problems.append("an apply needs a field manager")
    if force and not is_apply:
        problems.append("only an apply may be forced")
    if problems:
        raise errors.InvalidInput(target.words("patch"), problems)
    query = options.query + _query(force="true" if force else None)
    request = _json("PATCH", target, body, query, verb="apply" if is_apply else "patch")
    return msgspec.structs.replace(request, headers=(("Content-Type", patch_type.value),))


class DeleteOptions(msgspec.Struct, frozen=True):
    """How an object is to be deleted, and on what condition."""

    propagation: Propagation | str | None = None
    grace_period_s: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False

    def body(self) -> dict[str, Any]:
        """The options as a `v1.DeleteOptions`."""
        given = {"uid": self.uid, "resourceVersion": self.resource_version}
        preconditions = {key: value for key, value in given.items() if value is not None}
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if self.propagation is not None:
            body["propagationPolicy"] = str(self.propagation)
        if self.grace_period_s is not None:
            body["gracePeriodSeconds"] = self.grace_period_s
        if preconditions:
            body["preconditions"] = preconditions
        if self.dry_run:
            body["dryRun"] = ["All"]
        return body


def delete(target: Target, options: DeleteOptions) -> Request:
    """Delete one object."""
    return _json("DELETE", target, options.body(), (), verb="delete")


def scale(
    target: Target, replica_count: int, *, resource_version: str | None, options: WriteOptions
) -> Request:
    """Set the number of replicas through the scale subresource, which touches nothing else."""
    body: dict[str, Any] = {"spec": {"replicas": replica_count}}
    if resource_version is not None:
        body["metadata"] = {"resourceVersion": resource_version}
    target = msgspec.structs.replace(target, subresource="scale")
    return patch(target, body, PatchType.MERGE, options)


class LogOptions(msgspec.Struct, frozen=True):
    """Which lines of a container's output are wanted."""

    container: str | None = None
    follow: bool = False
    previous: bool = False
    tail_count: int | None = None
    since_s: int | None = None
    timestamps: bool = False


def logs(name: str, namespace: str, options: LogOptions) -> Request:
    """Read a container's output."""
    target = Target(PODS, name, namespace, "log")
    query = _query(
        container=options.container,
        follow="true" if options.follow else None,
        previous="true" if options.previous else None,
        tailLines=None if options.tail_count is None else str(options.tail_count),
        sinceSeconds=None if options.since_s is None else str(options.since_s),
        timestamps="true" if options.timestamps else None,
    )
    return Request("GET", target.path, target.words("get"), query)


def _json(method: str, target: Target, body: Any, query: Query, *, verb: str) -> Request:
    return Request(
        method=method,
        path=target.path,
        what=target.words(verb),
        query=query,
        headers=(("Content-Type", "application/json"),),
        body=msgspec.json.encode(body),
    )


def _query(**parameters: str | None) -> Query:
    return tuple((key, value) for key, value in parameters.items() if value is not None)


def _segment(role: str, text: str) -> str:
    """Refuse what Kubernetes refuses in a path (apimachinery, IsValidPathSegmentName)."""
    if not text or text in {".", ".."} or "/" in text or "%" in text:
        raise errors.InvalidInput(role, [f"{text!r} may not be empty, '.', '..' or hold '/', '%'"])
    return urllib.parse.quote(text, safe="")
