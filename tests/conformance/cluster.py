"""The port through which a conformance case speaks to a cluster, whichever it is.

A case is written once against `Cluster` and runs on the model, on the local server and on real
Kubernetes. Kinds are named by their plural (`deployments`); objects are plain JSON. What the
cluster refuses is raised as one of `serinus.errors`. Nothing but `eventually` and `steadily` lets
time pass: pods get ready and leave only there, so a case decides itself when they do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import msgspec
import pytest

from tests.conformance.features import FEATURES

Object: TypeAlias = dict[str, Any]
PatchKind: TypeAlias = Literal["json", "merge", "strategic"]
Propagation: TypeAlias = Literal["Background", "Foreground", "Orphan"]
FieldValidation: TypeAlias = Literal["Ignore", "Warn", "Strict"]
T = TypeVar("T")


class Page(msgspec.Struct, frozen=True):
    """One page of a list."""

    items: list[Object]
    resource_version: str
    continue_token: str | None = None
    remaining_item_count: int | None = None

    def names(self) -> list[str]:
        """Return the names in the order of the list."""
        return [item["metadata"]["name"] for item in self.items]


class Event(msgspec.Struct, frozen=True):
    """One event of a watch."""

    type: str
    object: Object


class Watch(Protocol):
    """A running watch."""

    async def next(self, deadline_ms: int = 5_000) -> Event:
        """Return the next event; an ERROR is raised as what its Status stands for."""
        ...


class Pods(Protocol):
    """What plays the kubelet while a case lets time pass."""

    ready_when: Callable[[Object], bool]
    """Which running pods are ready; all, unless the case says otherwise."""
    gone_when: Callable[[Object], bool]
    """Which terminating pods may leave; all, unless the case says otherwise."""


class Cluster(Protocol):
    """One cluster, seen from one namespace that the case has for itself."""

    namespace: str
    warnings: list[str]
    """Every warning that the server sent along, oldest first."""

    @property
    def pods(self) -> Pods:
        """Return what plays the kubelet."""
        ...

    def now_ms(self) -> int:
        """Return the present instant of the cluster."""
        ...

    async def get(
        self, kind: str, name: str, *, namespace: str | None = None, subresource: str | None = None
    ) -> Object: ...

    async def list(
        self,
        kind: str,
        *,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
        limit: int | None = None,
        continue_token: str | None = None,
    ) -> Page: ...

    async def create(
        self,
        kind: str,
        body: Object,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        field_manager: str | None = None,
        field_validation: FieldValidation | None = None,
        dry_run: bool = False,
    ) -> Object: ...

    async def replace(
        self,
        kind: str,
        body: Object,
        *,
        subresource: str | None = None,
        field_manager: str | None = None,
        field_validation: FieldValidation | None = None,
        dry_run: bool = False,
    ) -> Object: ...

    async def patch(
        self,
        kind: str,
        name: str,
        body: Any,
        *,
        type: PatchKind = "merge",  # noqa: A002 - Kubernetes' own word
        namespace: str | None = None,
        subresource: str | None = None,
        field_manager: str | None = None,
        field_validation: FieldValidation | None = None,
        dry_run: bool = False,
    ) -> Object: ...

    async def apply(
        self,
        kind: str,
        body: Object,
        *,
        manager: str,
        force: bool = False,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object: ...

    async def delete(
        self,
        kind: str,
        name: str,
        *,
        namespace: str | None = None,
        propagation: Propagation | None = None,
        grace_seconds: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        dry_run: bool = False,
    ) -> Object: ...

    async def delete_collection(self, kind: str, *, labels: str | None = None) -> None: ...

    def watch(
        self,
        kind: str,
        *,
        from_version: str,
        labels: str | None = None,
        fields: str | None = None,
        initial_events: bool = False,
    ) -> Watch:
        """Watch one kind; `initial_events` begins with what is there, and says where that ends."""
        ...

    async def define(self, definition: Object) -> None:
        """Create a CustomResourceDefinition; return when its kind is served, by its plural."""
        ...

    async def eventually(
        self, condition: Callable[[], Awaitable[T]], *, deadline_ms: int = 15_000
    ) -> T:
        """Let time pass until `condition` neither asserts nor misses an object."""
        ...

    async def steadily(
        self, condition: Callable[[], Awaitable[object]], *, for_ms: int = 1_000
    ) -> None:
        """Let time pass and hold that `condition` is true all the while."""
        ...


def needs(*features: str) -> pytest.MarkDecorator:
    """Name the features that a case needs; a cluster that lacks one skips it, saying so."""
    assert set(features) <= FEATURES.keys(), features
    return pytest.mark.needs(*features)
