"""The API server as a synchronous object: no input or output, no clock.

Each call does what one request does on Kubernetes 1.36 and raises a `serinus.errors.ClusterError`
with Kubernetes' code and wording where that would answer with a Status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model import failures, reads
from serinus.kubernetes_model.custom import definitions
from serinus.kubernetes_model.custom.definition_behaviour import DefinitionBehaviour
from serinus.kubernetes_model.custom.lifecycle import Definitions
from serinus.kubernetes_model.custom.rules import Evaluate
from serinus.kubernetes_model.kinds import (
    CUSTOM_RESOURCE_DEFINITIONS,
    KINDS,
    NAMESPACES,
    SERVICES,
    Resource,
)
from serinus.kubernetes_model.patches import merge_patch
from serinus.kubernetes_model.requests import (
    Change,
    ChangeType,
    DeleteOptions,
    Object,
    ObjectList,
    PatchType,
    WriteOptions,
    Written,
)
from serinus.kubernetes_model.store import Store
from serinus.kubernetes_model.subresources import pod_actions, scale
from serinus.kubernetes_model.writing import patching
from serinus.kubernetes_model.writing.addresses import SERVICE_NETWORK, ServiceAddresses
from serinus.kubernetes_model.writing.behaviour import Behaviour
from serinus.kubernetes_model.writing.registry import Registry
from serinus.kubernetes_model.writing.removals import Removals
from serinus.kubernetes_model.writing.transactions import Admit, Call, Transactions, plain

ListOf: TypeAlias = list
"""The built-in list; inside the class that name is a method."""

LOG_LENGTH = 20_000
"""How many changes a watcher may lie behind before it has to list again."""

DEFAULT_WRITE = WriteOptions()
DEFAULT_DELETE = DeleteOptions()


class Cluster:
    """Hold the objects of one cluster and apply Kubernetes' rules to each write."""

    def __init__(
        self,
        *,
        new_id: Callable[[], str],
        kinds: Sequence[Resource] = KINDS,
        start_version: int = 1,
        service_network: str = SERVICE_NETWORK,
        evaluate: Evaluate | None = None,
        admit: Admit | None = None,
    ) -> None:
        """Start empty; `evaluate` answers the CEL rules of custom resources (None: unchecked).

        `admit` has its say in every update of an object, as an admission policy does.
        """
        self._evaluate = evaluate
        self._store = Store(start_version, LOG_LENGTH)
        makers = {CUSTOM_RESOURCE_DEFINITIONS.kind: DefinitionBehaviour}
        self._registry = Registry(kinds, makers)
        self._definitions = Definitions(self._store, self._registry, evaluate)
        self._addresses = ServiceAddresses(service_network)
        self._transactions = Transactions(self._store, self._addresses, new_id, admit)
        self._removals = Removals(self._store)
        self._store.listeners.append(self._note)

    def copy(self, *, new_id: Callable[[], str], admit: Admit | None = None) -> Cluster:
        """Return a cluster with the same objects and log, which goes its own way; nobody listens.

        Its Services get their addresses from the default range from now on.
        """
        other = Cluster(
            new_id=new_id, kinds=self._registry.built_in, evaluate=self._evaluate, admit=admit
        )
        other._store.take_over(self._store)
        for item in other._store.everything():
            resource = self._stored_resource(item)
            other._note(Change(ChangeType.ADDED, resource, item, None, self._store.version))
        return other

    @property
    def resources(self) -> tuple[Resource, ...]:
        """Return what is served: the built-in kinds, then those of the CRDs."""
        return tuple(self._registry)

    @property
    def resource_version(self) -> int:
        """Return the version of the latest change."""
        return self._store.version

    @property
    def on_change(self) -> ListOf[Callable[[Change], None]]:
        """Return the callbacks that are told each committed change, in order; add yours."""
        return self._store.listeners

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """Return the served resource of a manifest's apiVersion and kind."""
        return self._registry.by_kind(api_version, kind)

    def get(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> Object:
        """Return one object (or its `scale`). It is shared: do not change it.

        Raises:
            NotFound: there is none of that name.
        """
        item = self._store.get(resource, name, namespace)
        if item is None:
            raise failures.not_found(resource, name)
        if subresource == "scale":
            return scale.of_object(item)
        return self.view(resource, item)

    def view(self, resource: Resource, item: Object) -> Object:
        """Return a stored object in the version in which a resource shows it."""
        if item["apiVersion"] == resource.api_version:
            return item
        return self._behaviour(resource).served(item)

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        limit: int | None = None,
        continue_token: str | None = None,
    ) -> ObjectList:
        """Return one page of objects, of all namespaces when none is given."""
        asked = reads.query(resource, label_selector, field_selector)
        place = namespace if resource.namespaced else ""
        found = reads.page(self._store, resource, place, asked, limit=limit, token=continue_token)
        if found.items and found.items[0]["apiVersion"] != resource.api_version:
            items = [self.view(resource, item) for item in found.items]
            return msgspec.structs.replace(found, items=items)
        return found

    def create(
        self,
        resource: Resource,
        body: Object,
        namespace: str | None = None,
        *,
        now: Instant,
        options: WriteOptions = DEFAULT_WRITE,
        subresource: str | None = None,
        name: str | None = None,
    ) -> Written:
        """Create an object; `name` and `subresource` for `binding` and `eviction`."""
        call = self._call(resource, namespace, now=now, options=options, subresource=subresource)
        if subresource is not None:
            return self._act(call, name or "", body)
        item, warnings = self._transactions.read(call, body)
        self._admit(resource, item["metadata"].get("name", ""), namespace)
        return self._transactions.create(call, item, warnings)

    def replace(
        self,
        resource: Resource,
        name: str,
        body: Object,
        namespace: str | None = None,
        *,
        now: Instant,
        options: WriteOptions = DEFAULT_WRITE,
        subresource: str | None = None,
    ) -> Written:
        """Replace an object, or one of its subresources (`status`, `scale`, `finalize`)."""
        call = self._call(resource, namespace, now=now, options=options, subresource=subresource)
        if subresource == "scale":
            return self._scale(call, name, body)
        item, warnings = self._transactions.read(call, body)
        patching.check_name(item, name)
        self._check_namespace(item, namespace)
        old = self._find(call, name)
        if old is None:
            if subresource is None and call.behaviour.strategy.creates_on_update:
                self._admit(resource, name, namespace)
                return self._transactions.create(call, item, warnings)
            raise failures.not_found(resource, name)
        return self._settled(self._transactions.update(call, old, item, warnings), now)

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        patch_type: PatchType,
        now: Instant,
        options: WriteOptions = DEFAULT_WRITE,
        subresource: str | None = None,
    ) -> Written:
        """Change an object by a patch; an apply patch may create it."""
        call = self._call(resource, namespace, now=now, options=options, subresource=subresource)
        old = self._find(call, name)
        if subresource == "scale":
            if old is None:
                raise failures.not_found(resource, name)
            if patch_type is PatchType.APPLY:
                return self._scale(call, name, merge_patch.apply(scale.of_object(old), patch))
            patched = patching.patched(call.behaviour, scale.of_object(old), patch, patch_type)
            return self._scale(call, name, patched)
        if patch_type is PatchType.APPLY:
            return self._apply(call, name, old, patch)
        if old is None:
            raise failures.not_found(resource, name)
        patched = patching.patched(call.behaviour, old, patch, patch_type)
        patching.check_place(patched, old)
        shown = failures.as_go(patch) if patch_type is PatchType.STRATEGIC else None
        return self._settled(self._transactions.patch(call, old, patched, shown), now)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        now: Instant,
        options: DeleteOptions = DEFAULT_DELETE,
    ) -> Written:
        """Delete an object, or mark it while finalizers or grace keep it."""
        item = self._store.get(resource, name, namespace)
        if item is None:
            raise failures.not_found(resource, name)
        if resource.storage_key == CUSTOM_RESOURCE_DEFINITIONS.storage_key:
            item = definitions.with_cleanup(item)
        written = self._removals.delete(self._behaviour(resource), item, now, options)
        return self._settled(written, now)

    def delete_collection(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        now: Instant,
        options: DeleteOptions = DEFAULT_DELETE,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ObjectList:
        """Delete all that match; return them as they were left."""
        found = self.list(
            resource, namespace, label_selector=label_selector, field_selector=field_selector
        )
        left = [
            self.delete(
                resource,
                item["metadata"]["name"],
                item["metadata"].get("namespace"),
                now=now,
                options=options,
            ).object
            for item in found.items
        ]
        return ObjectList(left, str(self._store.version))

    def changes_since(self, resource: Resource | None, version: int) -> Sequence[Change]:
        """Return the changes after a version, oldest first.

        Raises:
            Gone: the log no longer reaches back that far, or the resource is younger.
        """
        if resource is not None and version < (born := self._definitions.born(resource)):
            raise failures.too_old(version, born)
        return self._store.changes_since(resource, version)

    def snapshot(self) -> tuple[Sequence[Object], int]:
        """Return every object as stored, and the version of the latest change."""
        return list(self._store.everything()), self._store.version

    def restore(self, objects: Iterable[Object], version: int) -> None:
        """Take over what `snapshot` returned, in place of everything held."""
        items = list(objects)
        for item in items:
            if item["kind"] == CUSTOM_RESOURCE_DEFINITIONS.kind:
                self._definitions.follow(item)
        pairs = [(self._stored_resource(item), item) for item in items]
        self._store.restore(pairs, version)
        for resource, item in pairs:
            self._note(Change(ChangeType.ADDED, resource, item, None, version))

    def _stored_resource(self, item: Object) -> Resource:
        resource = self._registry.by_kind(item["apiVersion"], item["kind"])
        if resource is None:
            raise failures.internal(f"no kind {item['kind']} in {item['apiVersion']} is known")
        return resource

    def _behaviour(self, resource: Resource) -> Behaviour:
        try:
            return self._registry.of(resource)
        except KeyError:
            message = "the server could not find the requested resource"
            raise errors.NotFound(message, code=404, details={}) from None

    def _call(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        now: Instant,
        options: WriteOptions,
        subresource: str | None = None,
    ) -> Call:
        behaviour = self._behaviour(resource)
        if subresource is not None and subresource not in resource.subresources:
            message = "the server could not find the requested resource"
            raise errors.NotFound(message, code=404, details={})
        return Call(behaviour, namespace, now, options, subresource)

    def _find(self, call: Call, name: str) -> Object | None:
        resource = call.behaviour.resource
        item = self._store.get(resource, name, call.namespace)
        return None if item is None else self.view(resource, item)

    def _admit(self, resource: Resource, name: str, namespace: str | None) -> None:
        """Refuse a new object in a namespace that is not there, or is going."""
        if not resource.namespaced:
            return
        home = self._store.get(NAMESPACES, namespace or "", None)
        if home is None:
            raise failures.not_found(NAMESPACES, namespace or "")
        if "deletionTimestamp" in home["metadata"]:
            words = (
                f"unable to create new content in namespace {namespace} because it is being "
                "terminated"
            )
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            raise failures.forbidden(resource, name, words, [cause])

    @staticmethod
    def _check_namespace(item: Object, namespace: str | None) -> None:
        given = item["metadata"].get("namespace")
        if given and given != (namespace or ""):
            raise failures.bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )

    def _apply(self, call: Call, name: str, old: Object | None, patch: Any) -> Written:
        config = patching.configuration(call.behaviour, plain(patch), name, call.namespace)
        if old is not None:
            return self._transactions.apply(call, old, config)
        if call.subresource is not None:
            raise failures.not_found(call.behaviour.resource, name)
        self._admit(call.behaviour.resource, name, call.namespace)
        return self._transactions.apply_create(call, name, config)

    def _scale(self, call: Call, name: str, body: Any) -> Written:
        old = self._find(call, name)
        if old is None:
            raise failures.not_found(call.behaviour.resource, name)
        wanted = scale.applied(call.behaviour.resource, old, body)
        written = self._transactions.patch(call, old, wanted)
        return msgspec.structs.replace(written, object=scale.of_object(written.object))

    def _act(self, call: Call, name: str, body: Any) -> Written:
        """Bind or evict a pod."""
        resource, options = call.behaviour.resource, call.options
        pod = self._find(call, name)
        if pod is None:
            raise failures.not_found(resource, name)
        if call.subresource == "binding":
            self._transactions.commit(call, pod, pod_actions.bound(pod, body, call.now))
        elif call.subresource == "eviction":
            budget = pod_actions.check_eviction(self._store, pod)
            if budget is not None and not options.dry_run:
                self._use_up(budget, call.now, options)
            given = pod_actions.delete_options(body, dry_run=options.dry_run)
            self.delete(resource, name, call.namespace, now=call.now, options=given)
        else:
            raise failures.method_not_allowed(resource, "create")
        return Written(pod_actions.SUCCESS, created=True, changed=not options.dry_run)

    def _use_up(self, budget: Object, now: Instant, options: WriteOptions) -> None:
        metadata = budget["metadata"]
        resource = self._stored_resource(budget)
        self.replace(
            resource,
            metadata["name"],
            budget,
            metadata["namespace"],
            now=now,
            options=options,
            subresource="status",
        )

    def _note(self, change: Change) -> None:
        """Keep what depends on single kinds in step with the store."""
        if change.resource.storage_key == SERVICES.storage_key:
            metadata = change.object["metadata"]
            gone = change.type is ChangeType.DELETED
            key = f"{metadata['namespace']}/{metadata['name']}"
            self._addresses.take(key, None if gone else change.object)
        elif change.resource.storage_key == CUSTOM_RESOURCE_DEFINITIONS.storage_key:
            if change.type is ChangeType.DELETED:
                self._definitions.forget(change.object)
            else:
                self._definitions.follow(change.object)

    def _settled(self, written: Written, now: Instant) -> Written:
        self._definitions.end(self._removals, self._transactions, now)
        return written
