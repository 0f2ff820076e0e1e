"""Copies of all that releases read: of one namespace for the command line, of all for the operator.

Objects are kept without what nobody reads of them, and found by what they say: a release in a
namespace of a thousand others costs no more than one that is alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from serinus import errors
from serinus.controller.kubernetes import lookup, record
from serinus.controller.observe import matches
from serinus.controller.ports import Snapshot
from serinus.kube import kinds
from serinus.kube.cache import Cache, CacheSetting, Changes
from serinus.kube.client import Client, manifest_decoder
from serinus.kube.index import Index
from serinus.kube.kinds import Kind
from serinus.kube.objects import SERVICE_NAME_LABEL
from serinus.release.holding import HOLD_POLICY
from serinus.release.model import Spec
from serinus.release.observation import HoldBy
from serinus.release.render import CANARY_OF_LABEL, LABEL_VALUE_MAX, canary_name, shorten
from serinus.traffic.plan import Manifest

SYNC_TIMEOUT_MS = 20_000
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Caches:
    """What a namespace (None: the cluster) shows; `async with` opens and closes the caches.

    Those of an operator are `shared` by many releases and packed: all pods are followed, the Leases
    of command lines, and the admission policy. Else pods are followed when they are first asked
    for, and whether there is a policy is read once.
    """

    def __init__(self, client: Client, namespace: str | None, *, shared: bool = False) -> None:
        self.client = client
        self.namespace = namespace
        self.hold_by = HoldBy.FIELD
        """What holds a changed template in this cluster."""
        self._shared = shared
        self.changes = Changes()
        self._setting = CacheSetting(changes=self.changes, packed=shared)
        self._caches: dict[Kind, Cache[Any]] = {}
        self._selected_pods: dict[str, Cache[Any]] = {}

    async def __aenter__(self) -> Self:
        open_ = self._open
        self._deployments = open_(kinds.DEPLOYMENTS, lookup.deployment_keys)
        self._replica_sets = open_(kinds.REPLICA_SETS, lookup.label_keys)
        self._services = open_(kinds.SERVICES, lookup.service_keys)
        self._slices = open_(kinds.ENDPOINT_SLICES, lookup.label_keys)
        self._autoscalers = open_(kinds.HORIZONTAL_POD_AUTOSCALERS, lookup.autoscaler_keys)
        self._budgets = open_(kinds.POD_DISRUPTION_BUDGETS, lookup.budget_keys)
        self._releases = open_(kinds.CANARY_RELEASES, lookup.release_keys)
        open_(kinds.CONFIG_MAPS, lookup.label_keys, record.RECORD_SELECTOR)
        if self._shared:
            self._pods = open_(kinds.PODS, lookup.label_keys)
            open_(kinds.LEASES, lookup.label_keys, record.RECORD_SELECTOR)
        optional = {
            kinds.HORIZONTAL_POD_AUTOSCALERS,
            kinds.POD_DISRUPTION_BUDGETS,
            kinds.CANARY_RELEASES,
        }
        try:
            await asyncio.gather(
                self._find_policy(),
                *(self._synced(kind, optional) for kind in list(self._caches)),
            )
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop to follow the cluster."""
        caches = (*self._caches.values(), *self._selected_pods.values())
        await asyncio.gather(*(cache.close() for cache in caches))

    def has(self, kind: Kind) -> bool:
        """Tell whether the cluster has a kind, and lets us read it."""
        return kind in self._caches

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return an object, or None."""
        cache = self._caches.get(kind)
        return None if cache is None else cache.get(name, namespace)

    def all(self, kind: Kind, namespace: str | None = None) -> tuple[Manifest, ...]:
        """Return all objects of a kind."""
        cache = self._caches.get(kind)
        found = () if cache is None else cache.items()
        return tuple(o for o in found if namespace in (None, o["metadata"].get("namespace")))

    def version(self, kind: Kind) -> str:
        """Return the version up to which changes of a kind are known."""
        return self._caches[kind].resource_version

    def listen(self, kind: Kind, listener: Callable[[str, Manifest], None]) -> None:
        """Have each change of a kind told, if the cluster has it."""
        if kind in self._caches:
            self._caches[kind].add_listener(listener)

    def releases_of(self, namespace: str, target: str) -> list[Manifest]:
        """Return the CanaryReleases that name a Deployment."""
        return self._releases.get(namespace, f"target={target}")

    def releases_behind(self, namespace: str, service: str) -> list[Manifest]:
        """Return the CanaryReleases that name a Service."""
        return self._releases.get(namespace, f"service={service}")

    def deployments_that_take(self, namespace: str, labels: Mapping[str, str]) -> list[Manifest]:
        """Return the Deployments whose selector matches pods with these labels."""
        near = lookup.near(
            self._deployments, namespace, [f"selects {pair}" for pair in lookup.pairs(labels)]
        )
        return [d for d in near if matches(d["spec"]["selector"], labels)]

    async def snapshot(self, namespace: str, spec: Spec) -> Snapshot:
        """Return the objects around a release."""
        target = self.get(kinds.DEPLOYMENTS, namespace, spec.target)
        service = self.get(kinds.SERVICES, namespace, spec.service) if spec.service else None
        slices = self._slices.get(namespace, f"{SERVICE_NAME_LABEL}={spec.service}")
        mark = f"{CANARY_OF_LABEL}={shorten(spec.target, LABEL_VALUE_MAX)}"
        canaries = self._deployments.get(namespace, mark)
        if target is None:
            return Snapshot(
                target=None,
                service=service,
                deployments=tuple(canaries),
                slices=tuple(slices),
            )
        labels = target["spec"]["template"].get("metadata", {}).get("labels") or {}
        selector = target["spec"]["selector"]
        sets = lookup.selected(self._replica_sets, namespace, selector)
        return Snapshot(
            target=target,
            service=service,
            deployments=self._deployments_around(namespace, target, canaries, sets),
            replica_sets=tuple(sets),
            pods=await self.pods(namespace, selector),
            services=tuple(lookup.near(self._services, namespace, lookup.pairs(labels))),
            slices=tuple(slices),
            autoscalers=tuple(self._autoscalers.get(namespace, spec.target)),
            budgets=tuple(lookup.near(self._budgets, namespace, lookup.pairs(labels))),
            hold_by=self.hold_by,
        )

    async def everything(self, namespace: str, service: str = "") -> Snapshot:
        """Return a whole namespace, with the endpoints of one Service."""
        return Snapshot(
            target=None,
            service=self.get(kinds.SERVICES, namespace, service) if service else None,
            deployments=self.all(kinds.DEPLOYMENTS, namespace),
            replica_sets=self.all(kinds.REPLICA_SETS, namespace),
            services=self.all(kinds.SERVICES, namespace),
            slices=tuple(self._slices.get(namespace, f"{SERVICE_NAME_LABEL}={service}")),
        )

    async def pods(self, namespace: str, selector: Manifest) -> tuple[Manifest, ...]:
        """Return the pods that a LabelSelector takes.

        In a single namespace only those are followed from now on: it may have thousands of others.
        """
        if self._shared:
            return tuple(lookup.selected(self._pods, namespace, selector))
        text = lookup.selector_text(selector)
        if text not in self._selected_pods:
            cache = self._cache(kinds.PODS, text)
            self._selected_pods[text] = cache
            cache.start()
            await cache.synced(SYNC_TIMEOUT_MS)
        return tuple(self._selected_pods[text].items())

    def _deployments_around(
        self,
        namespace: str,
        target: Manifest,
        canaries: Iterable[Manifest],
        sets: list[Manifest],
    ) -> tuple[Manifest, ...]:
        """Return the Deployments that may matter: ours, owners of the sets, and rivals for pods."""
        labels = target["spec"]["template"].get("metadata", {}).get("labels") or {}
        names = {o["name"] for rs in sets for o in rs["metadata"].get("ownerReferences") or ()}
        names.add(canary_name(target, tuple(sets)))
        named = [self.get(kinds.DEPLOYMENTS, namespace, name) for name in names]
        rivals = lookup.near(
            self._deployments, namespace, [f"selects {pair}" for pair in lookup.pairs(labels)]
        )
        found = [target, *canaries, *(d for d in named if d is not None), *rivals]
        by_name = {d["metadata"]["name"]: d for d in found}
        return tuple(by_name[name] for name in sorted(by_name))

    def _cache(
        self, kind: Kind, label_selector: str | None, field_selector: str | None = None
    ) -> Cache[Any]:
        return Cache(
            self.client,
            kind,
            self.namespace if kind.namespaced else None,
            label_selector=label_selector,
            field_selector=field_selector,
            decode=_trimming(kind, pods_too=self._shared),
            setting=self._setting,
        )

    def _open(
        self,
        kind: Kind,
        keys: Callable[[Manifest], Iterable[str]],
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Index[Any]:
        cache = self._cache(kind, label_selector, field_selector)
        index = cache.add_index(keys)
        cache.start()
        self._caches[kind] = cache
        return index

    async def _find_policy(self) -> None:
        """Find whether the cluster holds Deployments by itself; the operator follows that."""
        by_name = f"metadata.name={HOLD_POLICY}"
        for kind in kinds.MUTATING_ADMISSION_POLICY_BINDING_VERSIONS:
            try:
                found = (await self.client.list(kind, field_selector=by_name)).items
            except (errors.NotFound, errors.Forbidden):
                # An older API server, or one that does not let us see.
                continue
            self.hold_by = HoldBy.POLICY if found else HoldBy.FIELD
            if self._shared:
                self._open(kind, lookup.label_keys, field_selector=by_name)
                self.listen(kind, self._policy_changed)
                await self._synced(kind, set())
            return

    def _policy_changed(self, event: str, _: Manifest) -> None:
        self.hold_by = HoldBy.FIELD if event == "DELETED" else HoldBy.POLICY

    async def _synced(self, kind: Kind, optional: set[Kind]) -> None:
        try:
            await self._caches[kind].synced(SYNC_TIMEOUT_MS)
        except (errors.NotFound, errors.Forbidden):
            if kind not in optional:
                raise
            await self._caches.pop(kind).close()


def _trimming(kind: Kind, *, pods_too: bool) -> Callable[[Any], Manifest]:
    """Return a decoder that leaves out what nobody reads; of pods the most, which are many."""
    whole = manifest_decoder(kind)

    def decode(raw: Any) -> Manifest:
        found = whole(raw)
        meta = found["metadata"]
        # Who owns a field by server-side apply matters; who wrote it otherwise does not.
        applied = [e for e in meta.get("managedFields") or () if e.get("operation") == "Apply"]
        meta.pop("managedFields", None)
        if applied and kind in (kinds.DEPLOYMENTS, kinds.SERVICES):
            meta["managedFields"] = applied
        if LAST_APPLIED in (meta.get("annotations") or {}):
            del meta["annotations"][LAST_APPLIED]
        if pods_too and kind == kinds.PODS:
            status = found.get("status") or {}
            found["spec"] = {"nodeName": (found.get("spec") or {}).get("nodeName")}
            found["status"] = {k: status[k] for k in ("phase", "conditions") if k in status}
        return found

    return decode
