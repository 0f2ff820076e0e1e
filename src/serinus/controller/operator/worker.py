"""One release after another: a round each time it is due, and what to do when a round fails."""

from __future__ import annotations

import contextlib
import time

import msgspec

from serinus import errors
from serinus.api.codec import Release
from serinus.clock import Clock, Instant
from serinus.controller.kubernetes.caches import Caches
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.operator.concerns import Key
from serinus.controller.operator.drivers import Drivers
from serinus.controller.operator.report import Report
from serinus.controller.operator.workqueue import WorkQueue
from serinus.controller.ports import Stored
from serinus.controller.reconcile import Round, reconcile
from serinus.controller.showing import Showing
from serinus.errors import Retry
from serinus.kube import kinds
from serinus.release.conditions import with_trouble
from serinus.release.model import Phase

RECHECK_MS = 30_000
"""How often to look at a release that is under way though nothing was heard."""
REFUSED_RETRY_MS = 60_000
"""When to try again what the API server refuses: a quota or a role may be mended."""
DRIVEN_RETRY_MS = 2_000


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
        release, name = stored.release, key[1]
        rival = self._rival(key, release)
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
        self._plan_next(key, done, showing.after(done, now))

    def _plan_next(self, key: Key, done: Round, show_at: Instant | None) -> None:
        """Look again when time itself matters; else a change of the world comes first."""
        wakes = [at for at in (done.decision.wake_at, show_at) if at is not None]
        if wakes:
            wait_ms = max(0, min(wakes) - self._clock.now_ms())
            self._queue.add_after(key, min(wait_ms, RECHECK_MS))
        elif not done.at_rest:
            self._queue.add_after(key, RECHECK_MS)

    def _rival(self, key: Key, release: Release) -> str:
        """Return an older release of the same Deployment, or nothing."""
        namespace, name = key
        same = self._caches.releases_of(namespace, release.spec.target)
        if len(same) < 2:
            return ""

        def age(found: object) -> tuple[str, str]:
            meta = found["metadata"]  # type: ignore[index] # a manifest
            return meta["creationTimestamp"], meta["name"]

        oldest = min(same, key=age)
        return "" if oldest["metadata"]["name"] == name else str(oldest["metadata"]["name"])

    async def _failed(self, cluster: KubernetesCluster, key: Key, error: Exception) -> None:
        """Try again as the failure allows; say in the status what only a person can mend."""
        match error:
            case errors.ClusterError() if error.retry is not Retry.NEVER:
                count = self._queue.failed(key)
                self._report.trouble(key, error, loud=count > 3)
                return
            case errors.NotFound() | errors.AlreadyExists():
                # The caches are a moment behind.
                self._queue.failed(key)
                self._report.trouble(key, error, loud=False)
                return
            case errors.InvariantViolation():
                reason = "InvariantViolation"
                words = f"frozen: serinus was about to do wrong ({error}); please report it"
            case errors.ClusterError():
                reason, words = error.reason, f"the API server refuses: {error}"
            case errors.SerinusError():
                reason, words = "Invalid", str(error)
            case _:
                reason, words = "Defect", f"{type(error).__name__}: {error}"
        self._report.defect(key, reason, error)
        self._queue.add_after(key, REFUSED_RETRY_MS)
        # What is wrong with it may be that it cannot be written.
        with contextlib.suppress(errors.SerinusError):
            await self._show_trouble(cluster, key, reason, words)

    async def _show_trouble(
        self, cluster: KubernetesCluster, key: Key, reason: str, message: str
    ) -> None:
        """Say in the status why a release does not go on."""
        found = self._caches.get(kinds.CANARY_RELEASES, *key)
        try:
            stored = await cluster.load(key[1])
        except errors.InvalidInput:
            await cluster.records.refuse(key[1], message)
            return
        if stored is None:
            return
        release = stored.release
        shown = with_trouble(release.outlook, reason, message, self._clock.now_ms())
        if shown == release.outlook:
            return
        self._report.degraded(key, reason, message, found)
        saved = msgspec.structs.replace(release, outlook=shown)
        await cluster.save(msgspec.structs.replace(stored, release=saved))

    async def _refuse(self, cluster: KubernetesCluster, stored: Stored, rival: str) -> None:
        """Refuse a second release of one Deployment; it has never begun."""
        release = stored.release
        message = (
            f"CanaryRelease {rival} is older and names Deployment {release.spec.target} too: "
            "delete one of them"
        )
        status = msgspec.structs.replace(release.status, phase=Phase.DEGRADED, message=message)
        if status == release.status:
            return
        key = release.namespace, release.name
        found = self._caches.get(kinds.CANARY_RELEASES, *key)
        self._report.degraded(key, "TwoReleases", message, found)
        shown = with_trouble(release.outlook, "TwoReleases", message, self._clock.now_ms())
        saved = msgspec.structs.replace(release, status=status, outlook=shown)
        await cluster.save(msgspec.structs.replace(stored, release=saved))

    def _forget(self, key: Key) -> None:
        self._clusters.pop(key, None)
        self._showings.pop(key, None)
        self._report.forget(key)
