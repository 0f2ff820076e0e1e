"""Which resources are served, and the behaviour of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.schema import loader
from serinus.kubernetes_model.writing.behaviour import Behaviour, BuiltIn


class Registry:
    """Behaviours by resource; built-in ones are made when first asked for."""

    def __init__(
        self, kinds: Sequence[Resource], makers: Mapping[str, type[BuiltIn]] | None = None
    ) -> None:
        """Serve built-in kinds; `makers` names the class for those that need one of their own."""
        self.built_in = tuple(kinds)
        self._makers = makers or {}
        self._behaviours: dict[tuple[str, str, str], Behaviour] = {}
        self._custom: dict[str, list[Behaviour]] = {}
        self._known = {(r.group, r.version, r.plural): r for r in kinds}

    def __iter__(self) -> Iterator[Resource]:
        yield from self.built_in
        for behaviours in self._custom.values():
            for behaviour in behaviours:
                yield behaviour.resource

    def of(self, resource: Resource) -> Behaviour:
        """Return the behaviour of a served resource.

        Raises:
            KeyError: it is not served.
        """
        key = (resource.group, resource.version, resource.plural)
        found = self._behaviours.get(key)
        if found is None:
            make = self._makers.get(resource.kind, BuiltIn)
            found = make(self._known[key], loader.built_in().of(resource))
            self._behaviours[key] = found
        return found

    def serve(self, definition: str, behaviours: Sequence[Behaviour]) -> None:
        """Serve the custom resources of a definition, in place of those it had."""
        for behaviour in self._custom.pop(definition, []):
            self._behaviours.pop(_key(behaviour.resource), None)
        if behaviours:
            self._custom[definition] = list(behaviours)
        for behaviour in behaviours:
            self._behaviours[_key(behaviour.resource)] = behaviour

    def custom(self, definition: str) -> Sequence[Behaviour]:
        """Return the behaviours that a definition added."""
        return self._custom.get(definition, ())

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """Return the served resource of a manifest's apiVersion and kind."""
        for resource in self:
            if resource.kind == kind and resource.api_version == api_version:
                return resource
        return None


def _key(resource: Resource) -> tuple[str, str, str]:
    return (resource.group, resource.version, resource.plural)
