"""The life of a definition: its resources come with it, and its objects go before it."""

from __future__ import annotations

from serinus.clock import Instant
from serinus.kubernetes_model.custom import definitions
from serinus.kubernetes_model.custom.rules import Evaluate
from serinus.kubernetes_model.kinds import CUSTOM_RESOURCE_DEFINITIONS, Resource
from serinus.kubernetes_model.requests import DeleteOptions, Object, WriteOptions
from serinus.kubernetes_model.store import Store
from serinus.kubernetes_model.writing.registry import Registry
from serinus.kubernetes_model.writing.removals import Removals
from serinus.kubernetes_model.writing.transactions import Call, Transactions

_BACKGROUND = DeleteOptions()


class Definitions:
    """Keep the registry in step with the definitions of a cluster, and end them."""

    def __init__(self, store: Store, registry: Registry, evaluate: Evaluate | None) -> None:
        self._store = store
        self._registry = registry
        self._evaluate = evaluate
        self._ending: set[str] = set()
        self._born: dict[str, int] = {}

    def follow(self, definition: Object) -> None:
        """Serve what a definition says; note when it is going."""
        name = definition["metadata"]["name"]
        self._born.setdefault(name, self._store.version)
        self._registry.serve(name, definitions.behaviours(definition, self._evaluate))
        if "deletionTimestamp" in definition["metadata"]:
            self._ending.add(name)

    def forget(self, definition: Object) -> None:
        """Serve a definition's resources no more."""
        name = definition["metadata"]["name"]
        self._ending.discard(name)
        self._born.pop(name, None)
        self._registry.serve(name, ())

    def born(self, resource: Resource) -> int:
        """Return the version at which a custom resource came; 0 for all others."""
        return self._born.get(resource.qualified_name, 0)

    def end(self, removals: Removals, transactions: Transactions, now: Instant) -> None:
        """Delete the objects of definitions that are going; release those that have none left.

        Not done while a change is being told, so that every listener hears changes in order.
        """
        for name in sorted(self._ending):
            if self._has_ended(name, removals, now):
                definition = self._store.get(CUSTOM_RESOURCE_DEFINITIONS, name, None)
                if definition is not None:
                    self._release(definition, transactions, now)

    def _has_ended(self, name: str, removals: Removals, now: Instant) -> bool:
        behaviour = next(iter(self._registry.custom(name)), None)
        if behaviour is None:
            return True
        for _, item in list(self._store.objects(behaviour.resource, None)):
            if "deletionTimestamp" not in item["metadata"]:
                removals.delete(behaviour, item, now, _BACKGROUND)
        return not any(True for _ in self._store.objects(behaviour.resource, None))

    def _release(self, definition: Object, transactions: Transactions, now: Instant) -> None:
        metadata = definition["metadata"]
        kept = [name for name in metadata.get("finalizers", ()) if name != definitions.CLEANUP]
        if kept == metadata.get("finalizers", []):
            return
        behaviour = self._registry.of(CUSTOM_RESOURCE_DEFINITIONS)
        call = Call(behaviour, None, now, WriteOptions())
        released = {**definition, "metadata": {**metadata, "finalizers": kept}}
        transactions.commit(call, definition, released)
