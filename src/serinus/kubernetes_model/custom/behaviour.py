"""How the objects of a custom resource are read, defaulted and checked."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model.custom import checking, rules, structural
from serinus.kubernetes_model.custom.rules import Evaluate
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.fields import typed
from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.schema import reading
from serinus.kubernetes_model.schema.nodes import ObjectNode
from serinus.kubernetes_model.validation import names
from serinus.kubernetes_model.writing import strategies
from serinus.kubernetes_model.writing.behaviour import Behaviour, Manifest
from serinus.kubernetes_model.writing.strategies import Generation, Strategy


class Custom(Behaviour):
    """One served version of a custom resource."""

    merges_strategically = False

    def __init__(
        self,
        resource: Resource,
        schema: dict[str, Any],
        storage_version: str,
        evaluate: Evaluate | None,
    ) -> None:
        self.resource = resource
        self.node = structural.root_type(schema, resource.kind)
        self.strategy = Strategy(
            generation=Generation.ALL_BUT_METADATA,
            has_status="status" in resource.subresources,
            needs_version=True,
            status_keeps=(strategies.ALL,),
        )
        self._schema = schema
        self._stored_api_version = f"{resource.group}/{storage_version}"
        self._evaluate = evaluate

    def read(self, manifest: Any) -> tuple[Manifest, list[str]]:
        """Return a pruned object and the paths of what was pruned.

        Raises:
            ValueError: its metadata cannot be read.
        """
        item = structural.pruned(self.node, manifest)
        meta = self.node.properties["metadata"]
        unknown = reading.unknown_fields(self.node, manifest)
        if isinstance(meta, ObjectNode):
            item["metadata"], _ = reading.read(meta, manifest.get("metadata") or {})
        item["apiVersion"] = self.resource.api_version
        item["kind"] = self.resource.kind
        return item, unknown

    def default(self, item: Manifest) -> None:
        """Set the defaults of the schema."""
        structural.fill_defaults(self._schema, item)

    def prepare_create(self, item: Manifest) -> None:
        """Drop the status, start the generation."""
        item["metadata"]["generation"] = 1
        if self.strategy.has_status:
            item.pop("status", None)

    def prepare_update(self, new: Manifest, old: Manifest, subresource: str | None) -> None:
        """Keep the status from a write to the object, the rest from one to the status."""
        if subresource == "status":
            kept = {"metadata", "status", "apiVersion", "kind"}
            for key in (new.keys() | old.keys()) - kept:
                _keep(new, old, key)
            managed = new["metadata"].get("managedFields")
            new["metadata"] = dict(old["metadata"])
            if managed:
                new["metadata"]["managedFields"] = managed
        elif self.strategy.has_status:
            _keep(new, old, "status")

    def problems(
        self, new: Manifest, old: Manifest | None, subresource: str | None
    ) -> list[Problem]:
        """Return what is wrong with an object."""
        del subresource
        found = names.check_metadata(
            new["metadata"], namespaced=self.resource.namespaced, rule=names.subdomain
        )
        if old is not None:
            found += names.check_metadata_update(new["metadata"], old["metadata"])
        shape = checking.check(self._schema, new)
        if shape or self._evaluate is None:
            return found + shape
        return found + rules.check(self._schema, new, old, self._evaluate)

    def apply_problem(self, config: Manifest) -> str:
        """Return why a configuration cannot be merged by type; empty when it can."""
        words = typed.problems(self.node, config)
        return words[0] if len(words) == 1 else "errors:\n  " + "\n  ".join(words) if words else ""

    def empty(self) -> Manifest:
        """Return the zero object."""
        return {"metadata": {}}

    def stored(self, item: Manifest) -> Manifest:
        """Return the object in the version that is kept."""
        if item["apiVersion"] == self._stored_api_version:
            return item
        return {**item, "apiVersion": self._stored_api_version}

    def served(self, item: Manifest) -> Manifest:
        """Return the object in this version."""
        if item["apiVersion"] == self.resource.api_version:
            return item
        return {**item, "apiVersion": self.resource.api_version}


def _keep(new: Manifest, old: Manifest, key: str) -> None:
    if key in old:
        new[key] = old[key]
    else:
        new.pop(key, None)
