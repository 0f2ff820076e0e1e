"""One release after another: a round each time it is due, and what to do when a round fails."""

from __future__ import annotations

import contextlib
import time

import msgspec

from serinus import errors
from serinus.api import shown
from serinus.clock import Clock
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.operator import judgement
from serinus.controller.operator.concerns import Key
from serinus.controller.operator.drivers import Drivers
from serinus.controller.operator.report import Report
from serinus.controller.operator.workqueue import WorkQueue
from serinus.controller.ports import Stored
from serinus.controller.reconcile import reconcile
from serinus.controller.showing import Showing
from serinus.kube import kinds

REFUSED_RETRY_MS = 60_000
"""When to try again what the API server refuses: a quota or a role may be mended."""
DRIVEN_RETRY_MS = 2_000
LOUD_AFTER_COUNT = 3


class Worker:
    """Play rounds for the keys of a queue."""

    def __init__(
        self,
        caches: Caches,
        queue: WorkQueue[Key],
        drivers: Drivers,
        report: Report,
        *,
        clock: Clock,
    ) -> None:
        self._caches, self._queue, self._drivers = caches, queue, drivers
        self._report, self._clock = report, clock
        self._clusters: dict[Key, KubernetesCluster] = {}
        self._showings: dict[Key, Showing] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            key = await self._queue.get()
            began = time.perf_counter()
            try:
                await self._work(key)
            finally:
                self._queue.done(key)
                self._report.round_took(time.perf_counter() - began)

    async def _work(self, key: Key) -> None:
        namespace, name = key
        driver = self._drivers.of(key)
        if driver:
            self._report.driven(key, driver)
            self._queue.add_after(key, DRIVEN_RETRY_MS)
            return
        cluster = self._clusters.get(key)
        if cluster is None:
            cluster = self._clusters[key] = KubernetesCluster(self._caches, namespace)
            cluster.own.on_write = self._report.wrote
        try:
            stored = await cluster.load(name)
            if stored is None:
                self._forget(key)
                return
            await self._round(cluster, key, stored)
        except Exception as error:  # noqa: BLE001 - a release never stops the others
            await self._failed(cluster, key, error)
        else:
            self._queue.succeeded(key)

    async def _round(self, cluster: KubernetesCluster, key: Key, stored: Stored) -> None:
        release, (namespace, name) = stored.release, key
        same = self._caches.releases_of(namespace, release.spec.target)
        rival = judgement.rival_of(name, same)
        if rival and release.leaving:
            await cluster.forget(name)
            self._forget(key)
            return
        if rival:
            await self._refuse(cluster, stored, rival)
            return
        if self._caches.get(kinds.CANARY_RELEASES, *key) is None:
            # A release that was begun without an operator: its record moves into the object.
            stored = await cluster.save(stored)
        showing, now = self._showings.setdefault(key, Showing()), self._clock.now_ms()
        done = await reconcile(cluster, name, now, show=showing.due(now))
        self._report.round(key, done, self._caches.get(kinds.CANARY_RELEASES, *key))
        if done.decision.gone:
            self._forget(key)
            return
        wait_ms = judgement.look_again_ms(done, showing.after(done, now), self._clock.now_ms())
        if wait_ms is not None:
            self._queue.add_after(key, wait_ms)

    async def _failed(self, cluster: KubernetesCluster, key: Key, error: Exception) -> None:
        """Try again, and say in the status what only a person can mend."""
        found = self._caches.get(kinds.CANARY_RELEASES, *key)
        deleted = found is not None and bool(found["metadata"].get("deletionTimestamp"))
        trouble = judgement.trouble_of(error, deleted=deleted)
        if trouble is None:
            count = self._queue.failed(key)
            self._report.trouble(key, error, loud=count > LOUD_AFTER_COUNT)
            return
        self._report.defect(key, trouble.reason, error)
        self._queue.add_after(key, REFUSED_RETRY_MS)
        if found is None:
            return
        now, before = self._clock.now_ms(), found.get("status") or {}
        status = shown.with_trouble(before, trouble.reason, trouble.message, now)
        if status is None:
            return
        self._report.degraded(key, trouble.reason, trouble.message, found)
        # What is wrong with it may be that it cannot be written.
        with contextlib.suppress(errors.SerinusError):
            await cluster.records.show(key[1], status)

    async def _refuse(self, cluster: KubernetesCluster, stored: Stored, rival: str) -> None:
        """Refuse a second release of one Deployment."""
        refused = judgement.refused(stored.release, rival, self._clock.now_ms())
        if refused is None:
            return
        key = refused.namespace, refused.name
        found = self._caches.get(kinds.CANARY_RELEASES, *key)
        self._report.degraded(key, judgement.TWO_RELEASES, refused.status.message, found)
        await cluster.save(msgspec.structs.replace(stored, release=refused))

    def _forget(self, key: Key) -> None:
        self._clusters.pop(key, None)
        self._showings.pop(key, None)
        self._report.forget(key)
