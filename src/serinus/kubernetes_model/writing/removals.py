"""Deletes: carry out what `deletion` judged."""

from __future__ import annotations

from serinus.clock import Instant
from serinus.kubernetes_model import failures, timestamps
from serinus.kubernetes_model.kinds import NAMESPACES
from serinus.kubernetes_model.requests import DeleteOptions, Object, Written
from serinus.kubernetes_model.store import Store
from serinus.kubernetes_model.writing import deletion
from serinus.kubernetes_model.writing.behaviour import Behaviour
from serinus.kubernetes_model.writing.deletion import Fate

_IMMORTAL = {"default", "kube-system", "kube-public"}


class Removals:
    """Delete objects from a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def delete(
        self, behaviour: Behaviour, item: Object, now: Instant, options: DeleteOptions
    ) -> Written:
        """Delete an object as it is stored, or mark it.

        Raises:
            Conflict: a precondition does not hold.
            Forbidden: it is a namespace that has to stay.
        """
        if behaviour.resource.storage_key == NAMESPACES.storage_key:
            return self._delete_namespace(behaviour, item, now, options)
        sentence = deletion.judge(
            behaviour.resource, item, options, now, graceful=behaviour.strategy.graceful
        )
        return self._execute(behaviour, item, sentence, dry_run=options.dry_run)

    def _execute(
        self, behaviour: Behaviour, item: Object, sentence: deletion.Sentence, *, dry_run: bool
    ) -> Written:
        resource = behaviour.resource
        goes = sentence.fate in {Fate.REMOVE, Fate.MARK_AND_REMOVE}
        if sentence.fate is Fate.KEEP or (not goes and sentence.item == item):
            return Written(behaviour.served(item))
        if dry_run:
            return Written(behaviour.served(sentence.item), deleted=goes)
        last = item
        if sentence.fate is not Fate.REMOVE:
            last = self._store.put(resource, sentence.item, item)
        if goes:
            last = self._store.remove(resource, last)
        return Written(behaviour.served(last), changed=True, deleted=goes)

    def _delete_namespace(
        self, behaviour: Behaviour, item: Object, now: Instant, options: DeleteOptions
    ) -> Written:
        """Mark a namespace as Terminating; its controller empties and releases it."""
        name = item["metadata"]["name"]
        if name in _IMMORTAL:
            words = "this namespace may not be deleted"
            raise failures.forbidden(behaviour.resource, name, words)
        deletion.check_preconditions(behaviour.resource, item, options)
        if "deletionTimestamp" not in item["metadata"]:
            metadata = {**item["metadata"], "deletionTimestamp": timestamps.time(now)}
            status = {**item["status"], "phase": "Terminating"}
            marked = {**item, "metadata": metadata, "status": status}
            if options.dry_run:
                return Written(marked)
            return Written(self._store.put(behaviour.resource, marked, item), changed=True)
        if item["spec"].get("finalizers"):
            return Written(item)
        sentence = deletion.judge(behaviour.resource, item, options, now, graceful=False)
        return self._execute(behaviour, item, sentence, dry_run=options.dry_run)
