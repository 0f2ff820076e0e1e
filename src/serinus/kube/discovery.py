"""Which kinds a cluster serves, and which one a person means by `deploy` or `routes.example.com`.

One request for the core group, one for all others (aggregated discovery, apidiscovery.k8s.io/v2);
servers that do not know it answer in the old form, which takes one more for each group version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from typing import TypeVar

import msgspec

from serinus import errors
from serinus.kube.client import Client
from serinus.kube.kinds import Kind

_FORMS = ",".join(
    [
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        "application/json",
    ]
)


AnswerT = TypeVar("AnswerT")


class Resource(msgspec.Struct, frozen=True):
    """A kind that is served, with the names that people may call it by."""

    kind: Kind
    singular: str = ""
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names without a group, in lower case."""
        kind = self.kind
        given = (kind.plural, self.singular, kind.kind, *self.short_names)
        return tuple(dict.fromkeys(name.lower() for name in given if name))


class Discovery(msgspec.Struct, frozen=True):
    """All that is served, in the server's order of preference."""

    resources: tuple[Resource, ...]

    def resolve(self, name: str) -> Kind:
        """Return the kind that a person means: `po`, `Pod`, `pods.v1.` or `pods.metrics.k8s.io`.

        Without a version it is the group's preferred one; without a group the first that fits,
        the core group first.

        Raises:
            UnknownName: nothing of that name is served.
        """
        for word, version, group in _readings(name.lower()):
            for resource in self.resources:
                kind = resource.kind
                fits = word in resource.names and version in {None, kind.version}
                if fits and group in {None, kind.group}:
                    return kind
        word = name.lower().partition(".")[0]
        near = sorted({r.kind.resource for r in self.resources if _is_near(word, r.names)})
        raise errors.UnknownName("kind of object", name, near)


def _readings(name: str) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield (word, version, group) as the text may be read, the fullest first, as kubectl does."""
    word, dot, rest = name.partition(".")
    if not dot:
        yield word, None, None
        return
    version, dot, group = rest.partition(".")
    if dot:
        yield word, version, group
    yield word, None, rest


def _is_near(word: str, names: Sequence[str]) -> bool:
    return any(
        len(word) > 2 and (word in known or known in word) for known in names if len(known) > 2
    )


async def fetch(client: Client) -> Discovery:
    """Ask a server what it serves.

    Raises:
        ClusterError: it cannot be asked.
    """
    found = await _together([_fetch_root(client, "/api"), _fetch_root(client, "/apis")])
    return Discovery(tuple(resource for resources in found for resource in resources))


class _Verbs(msgspec.Struct, frozen=True, rename="camel"):
    verbs: tuple[str, ...] | None = None
    short_names: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None


class _ResponseKind(msgspec.Struct, frozen=True):
    kind: str
    group: str = ""
    version: str = ""


class _DiscoveredResource(_Verbs, frozen=True, rename="camel"):
    resource: str = ""
    response_kind: _ResponseKind | None = None
    scope: str = "Namespaced"
    singular_resource: str = ""


class _DiscoveredVersion(msgspec.Struct, frozen=True):
    version: str
    resources: tuple[_DiscoveredResource, ...] | None = None


class _DiscoveredMeta(msgspec.Struct, frozen=True):
    name: str = ""


class _DiscoveredGroup(msgspec.Struct, frozen=True):
    metadata: _DiscoveredMeta = _DiscoveredMeta()
    versions: tuple[_DiscoveredVersion, ...] | None = None


class _GroupVersion(msgspec.Struct, frozen=True, rename="camel"):
    group_version: str
    version: str


class _OldGroup(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    versions: tuple[_GroupVersion, ...] = ()
    preferred_version: _GroupVersion | None = None


class _Root(msgspec.Struct, frozen=True):
    """Any of the three answers; `kind` says which."""

    kind: str = ""
    items: tuple[_DiscoveredGroup, ...] = ()
    versions: tuple[str, ...] = ()
    groups: tuple[_OldGroup, ...] = ()


class _OldResource(_Verbs, frozen=True, rename="camel"):
    name: str = ""
    kind: str = ""
    namespaced: bool = True
    singular_name: str = ""
    group: str | None = None
    version: str | None = None


class _OldResources(msgspec.Struct, frozen=True):
    resources: tuple[_OldResource, ...] | None = None


async def _fetch_root(client: Client, path: str) -> list[Resource]:
    answer = _decode(await client.raw("GET", path, headers=[("Accept", _FORMS)]), _Root, path)
    if answer.kind == "APIGroupDiscoveryList":
        return _aggregated(answer)
    if path == "/api":
        paths = [f"{path}/{version}" for version in answer.versions or ("v1",)]
    else:
        paths = [f"{path}/{group_version}" for group_version in _old_versions(answer.groups)]
    lists = await _together([_fetch_old(client, p) for p in paths])
    return [resource for resources in lists for resource in resources]


async def _together(fetches: Sequence[Awaitable[list[Resource]]]) -> list[list[Resource]]:
    """Await all, so that none is left running when one fails; then raise the first failure."""
    found = await asyncio.gather(*fetches, return_exceptions=True)
    for result in found:
        if isinstance(result, BaseException):
            raise result
    return [result for result in found if not isinstance(result, BaseException)]


def _old_versions(groups: Sequence[_OldGroup]) -> Iterator[str]:
    for group in groups:
        preferred = group.preferred_version
        versions = [v.group_version for v in group.versions]
        first = [] if preferred is None else [preferred.group_version]
        yield from dict.fromkeys(first + versions)


async def _fetch_old(client: Client, path: str) -> list[Resource]:
    try:
        body = await client.raw("GET", path)
    except (errors.NotFound, errors.Unavailable):
        # An aggregated API whose server is down must not take all the others with it.
        return []
    _, _, group_version = path.lstrip("/").partition("/")
    group, _, version = group_version.rpartition("/")
    return [
        Resource(
            kind=Kind(r.group or group, r.version or version, r.kind, r.name, r.namespaced),
            singular=r.singular_name or r.kind.lower(),
            short_names=r.short_names or (),
            verbs=r.verbs or (),
            categories=r.categories or (),
        )
        for r in _decode(body, _OldResources, path).resources or ()
        if "/" not in r.name
    ]


def _aggregated(answer: _Root) -> list[Resource]:
    return [
        Resource(
            kind=Kind(
                group.metadata.name,
                version.version,
                r.response_kind.kind,
                r.resource,
                r.scope == "Namespaced",
            ),
            singular=r.singular_resource or r.response_kind.kind.lower(),
            short_names=r.short_names or (),
            verbs=r.verbs or (),
            categories=r.categories or (),
        )
        for group in answer.items
        for version in group.versions or ()
        for r in version.resources or ()
        if r.response_kind is not None and r.response_kind.kind
    ]


def _decode(body: bytes, of: type[AnswerT], path: str) -> AnswerT:
    try:
        return msgspec.json.decode(body, type=of)
    except msgspec.DecodeError as e:
        raise errors.Unavailable(
            f"the answer to {path} is not what a Kubernetes API server sends: {e}"
        ) from e
