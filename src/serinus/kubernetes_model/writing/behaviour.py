"""How the objects of one resource are read, defaulted and checked."""

from __future__ import annotations

import abc
from typing import Any

from serinus.kubernetes_model import defaults, failures, validation
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.fields import typed
from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.schema import reading
from serinus.kubernetes_model.schema.nodes import ObjectNode
from serinus.kubernetes_model.validation import names, warnings
from serinus.kubernetes_model.writing import event_versions, preparation, strategies
from serinus.kubernetes_model.writing.strategies import Strategy

Manifest = dict[str, Any]


class Behaviour(abc.ABC):
    """The rules of one resource, built in or custom."""

    resource: Resource
    node: ObjectNode
    strategy: Strategy
    merges_strategically: bool = True

    @abc.abstractmethod
    def read(self, manifest: Any) -> tuple[Manifest, list[str]]:
        """Return a fresh object and the paths of unknown fields.

        Raises:
            ValueError: it cannot be read as this kind.
        """

    @abc.abstractmethod
    def default(self, item: Manifest) -> None:
        """Fill in what an object leaves open."""

    @abc.abstractmethod
    def prepare_create(self, item: Manifest) -> None:
        """Set back what the creator may not choose."""

    @abc.abstractmethod
    def prepare_update(self, new: Manifest, old: Manifest, subresource: str | None) -> None:
        """Set back what this endpoint may not change."""

    @abc.abstractmethod
    def problems(
        self, new: Manifest, old: Manifest | None, subresource: str | None
    ) -> list[Problem]:
        """Return what is wrong with an object."""

    def warnings(self, new: Manifest, old: Manifest | None) -> tuple[str, ...]:
        """Return what is odd about an object, though it is accepted."""
        del new, old
        return ()

    @abc.abstractmethod
    def empty(self) -> Manifest:
        """Return the object that field ownership is compared with on creation."""

    @abc.abstractmethod
    def apply_problem(self, config: Manifest) -> str:
        """Return why a configuration cannot be merged by type; empty when it can."""

    def stored(self, item: Manifest) -> Manifest:
        """Return the form in which an object is kept."""
        return item

    def served(self, item: Manifest) -> Manifest:
        """Return a kept object as this resource shows it."""
        return item


class BuiltIn(Behaviour):
    """A kind of the table, with Kubernetes' own rules."""

    def __init__(self, resource: Resource, node: ObjectNode) -> None:
        self.resource = resource
        self.node = node
        self.strategy = strategies.of_kind(resource.kind)

    def read(self, manifest: Any) -> tuple[Manifest, list[str]]:
        """Return a fresh object as Go would decode it."""
        item, unknown = reading.read(self.node, manifest)
        item["apiVersion"] = self.resource.api_version
        item["kind"] = self.resource.kind
        return item, unknown

    def default(self, item: Manifest) -> None:
        """Fill in what an object leaves open."""
        defaults.apply_defaults(self.resource.kind, item)

    def prepare_create(self, item: Manifest) -> None:
        """Set back the status, start the generation."""
        if self.strategy.generation is not strategies.Generation.NEVER:
            item["metadata"]["generation"] = 1
        else:
            item["metadata"].pop("generation", None)
        if self.strategy.has_status and not self.strategy.status_on_create:
            status = self.node.properties["status"]
            item["status"] = reading.empty(status) if isinstance(status, ObjectNode) else {}
        preparation.prepare_create(self.resource.kind, item)

    def prepare_update(self, new: Manifest, old: Manifest, subresource: str | None) -> None:
        """Keep the status from a write to the object, the rest from one to the status."""
        if subresource == "status":
            _keep_all_but_status(new, old, self.strategy)
        elif self.strategy.has_status:
            _keep(new, old, "status")
        preparation.prepare_update(self.resource.kind, new, old, subresource)

    def problems(
        self, new: Manifest, old: Manifest | None, subresource: str | None
    ) -> list[Problem]:
        """Return what is wrong with an object."""
        if old is None:
            found = validation.check_create(self.resource.kind, new)
            found += names.check_metadata(
                new["metadata"],
                namespaced=self.resource.namespaced,
                rule=validation.name_rule(self.resource.kind),
            )
            return found + names.check_bare_finalizers(new["metadata"])
        found = names.check_metadata(
            new["metadata"], namespaced=self.resource.namespaced, rule=names.path_segment
        )
        # Kubernetes checks this twice: once for all kinds, once in each kind's own rules.
        found += names.check_metadata_update(new["metadata"], old["metadata"]) * 2
        if subresource == "status":
            return found + validation.check_status(self.resource.kind, new)
        if "spec" not in new or new["spec"] != old.get("spec"):
            found += validation.check_update(self.resource.kind, new, old)
        return found

    def warnings(self, new: Manifest, old: Manifest | None) -> tuple[str, ...]:
        """Return what is odd about an object, though it is accepted."""
        return warnings.warn(self.resource.kind, new, old)

    def apply_problem(self, config: Manifest) -> str:
        """Return why a configuration cannot be merged by type; empty when it can."""
        words = typed.problems(self.node, config)
        return words[0] if len(words) == 1 else "errors:\n  " + "\n  ".join(words) if words else ""

    def empty(self) -> Manifest:
        """Return the zero object."""
        return reading.empty(self.node)

    def stored(self, item: Manifest) -> Manifest:
        """Return the form in which an object is kept: events in their core form."""
        if self.resource.storage_group is None:
            return item
        return event_versions.to_core(item)

    def served(self, item: Manifest) -> Manifest:
        """Return a kept object as this resource shows it."""
        if self.resource.storage_group is None:
            return item
        return event_versions.from_core(item)


def _keep(new: Manifest, old: Manifest, key: str) -> None:
    if key in old:
        new[key] = old[key]
    else:
        new.pop(key, None)


def _keep_all_but_status(new: Manifest, old: Manifest, strategy: Strategy) -> None:
    for key in [*new, *old]:
        if key not in {"metadata", "status", "apiVersion", "kind"}:
            _keep(new, old, key)
    for key in strategy.status_keeps:
        _keep(new["metadata"], old["metadata"], key)


def refuse_unreadable(resource: Resource, why: ValueError) -> Exception:
    """Return the error for a body that cannot be read."""
    return failures.bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a '
        f"{resource.kind}: {why}"
    )
