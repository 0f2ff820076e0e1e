"""Drive one release: hold its Lease, and reconcile whenever the world or a deadline says so."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable

from serinus import errors
from serinus.clock import Clock
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.kubernetes.presence import Driver, operator
from serinus.controller.kubernetes.record import RECORD_LABEL, record_name
from serinus.controller.reconcile import Round, foresee, reconcile
from serinus.controller.showing import Showing
from serinus.errors import Retry
from serinus.kube.kinds import LEASES
from serinus.kube.lease import Lease, LeaseOptions
from serinus.release.model import Command, Outcome

LEASE = LeaseOptions(duration_ms=6_000, renew_deadline_ms=4_000, retry_period_ms=1_000)
"""A driver that dies is replaced after six seconds; nothing moves in between."""
BACK_OFF_MS = (100, 200, 500, 1_000, 2_000, 5_000)
RECHECK_MS = 30_000
"""How often to look though nothing was heard."""
FOLLOW_MS = 1_000
"""How long who drives may take for what is due, before it is looked at again."""


class NotDriving(errors.RefusedError):
    """Another process drives the release."""


class Operated(NotDriving):
    """An operator drives the releases of this namespace."""

    def __init__(self, name: str, by: Driver) -> None:
        self.by = by
        super().__init__("Driven", f"release {name} is driven by {by.words}")


def identity() -> str:
    """Return who we are in a Lease: host, process and a number that no other run has."""
    return f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"


def is_gone(holder: str | None) -> bool:
    """Tell whether a holder was a process of this host that has ended."""
    host, _, rest = (holder or "").rpartition("_")[0].rpartition("_")
    if host != socket.gethostname() or not rest.isdecimal():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


async def refuse_operated(cluster: KubernetesCluster, name: str, clock: Clock) -> None:
    """Raise Operated where an operator drives the releases of the namespace."""
    there = await operator(cluster.caches, cluster.namespace, clock.now_ms())
    if there is not None:
        raise Operated(name, there)


@contextlib.asynccontextmanager
async def driving(
    cluster: KubernetesCluster, name: str, clock: Clock, *, keep: bool = True
) -> AsyncIterator[Lease]:
    """Hold the Lease of a release for as long as the block runs; without `keep` delete it then.

    Raises:
        NotDriving: another process holds it.
    """
    lease = Lease(
        cluster.client,
        record_name(name),
        cluster.namespace,
        identity=identity(),
        options=LEASE,
        labels={RECORD_LABEL: "release"},
        clock=clock,
    )
    held = await lease.try_acquire()
    if not held and is_gone(lease.holder):
        # Its process has ended here, so nobody renews: wait until the lease runs out like anyone.
        held = await lease.acquire(LEASE.duration_ms + LEASE.renew_deadline_ms)
    if not held:
        raise NotDriving(
            "Driven", f"release {name} is driven by {lease.holder}; its commands can still be given"
        )
    try:
        with cluster.fenced(lambda: lease.is_held):
            yield lease
    finally:
        with contextlib.suppress(errors.ClusterError):
            if await lease.release() and not keep:
                await _delete_free(lease, cluster)


async def _delete_free(lease: Lease, cluster: KubernetesCluster) -> None:
    """Delete a Lease that nobody has taken since we let it go."""
    found = await cluster.client.find(LEASES, lease.name, cluster.namespace)
    if found is not None and not found["spec"].get("holderIdentity"):
        meta = found["metadata"]
        await cluster.client.delete(
            LEASES,
            lease.name,
            cluster.namespace,
            uid=meta["uid"],
            resource_version=meta["resourceVersion"],
        )


async def drive(
    cluster: KubernetesCluster,
    name: str,
    *,
    lease: Lease,
    clock: Clock,
    until: Callable[[Round], bool],
    on_round: Callable[[Round], None],
    on_trouble: Callable[[errors.SerinusError], None],
    command: Command | None = None,
) -> Round:
    """Reconcile until `until` says that the round was the last one; begin with a command.

    Raises:
        NotDriving: the Lease was lost.
        SerinusError: something that trying again cannot mend.
    """
    failure_count, showing = 0, Showing()
    while True:
        count = cluster.changes.count
        if not lease.is_held:
            raise NotDriving("LeaseLost", f"the lease of release {name} was lost; nothing was lost")
        now = clock.now_ms()
        try:
            done = await reconcile(cluster, name, now, command=command, show=showing.due(now))
        except errors.ClusterError as error:
            if error.retry is Retry.NEVER and not isinstance(
                error, errors.NotFound | errors.AlreadyExists
            ):
                raise
            failure_count += 1
            if failure_count > 1:
                on_trouble(error)
            await asyncio.sleep(BACK_OFF_MS[min(failure_count, len(BACK_OFF_MS)) - 1] / 1000)
            continue
        failure_count = 0
        on_round(done)
        show_at = showing.after(done, now)
        if until(done):
            if done.unshown:
                with contextlib.suppress(errors.ClusterError):
                    await reconcile(cluster, name, clock.now_ms())
            return done
        wakes = [at for at in (done.decision.wake_at, show_at) if at is not None]
        wait_ms = max(0, min(wakes) - clock.now_ms()) if wakes else RECHECK_MS
        await _wait(cluster, min(wait_ms, RECHECK_MS), count, lease)


async def follow(
    cluster: KubernetesCluster,
    name: str,
    *,
    clock: Clock,
    until: Callable[[Round], bool],
    on_round: Callable[[Round], None],
) -> Round:
    """Watch another's driving until `until` says that the round was the last one.

    A round here is what would be decided on what is seen; nothing is written.

    Raises:
        NotFound: the record is gone.
    """
    while True:
        count = cluster.changes.count
        done = await foresee(cluster, name, clock.now_ms())
        on_round(done)
        if until(done):
            return done
        # What is done at a deadline is a change, and heard; only a decision without one is not.
        wake_at = done.decision.wake_at
        wait_ms = RECHECK_MS if wake_at is None else max(FOLLOW_MS, wake_at - clock.now_ms())
        await cluster.changes.wait(min(wait_ms, RECHECK_MS), since_count=count)


async def _wait(cluster: KubernetesCluster, wait_ms: int, count: int, lease: Lease) -> None:
    """Wait for a change, a deadline, or the loss of the lease."""
    change = asyncio.ensure_future(cluster.changes.wait(wait_ms, since_count=count))
    lost = asyncio.ensure_future(lease.lost.wait())
    try:
        await asyncio.wait({change, lost}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (change, lost):
            task.cancel()


async def give(
    cluster: KubernetesCluster, name: str, command: Command, *, dry_run: bool = False
) -> None:
    """Write a command into the record of a release.

    Raises:
        NotFound: there is no such release.
    """
    while True:
        stored = await cluster.load(name)
        if stored is None:
            raise errors.NotFound(f"there is no release called {name} in {cluster.namespace}")
        with contextlib.suppress(errors.Conflict):
            await cluster.records.command(stored, command, dry_run=dry_run)
            return
        await cluster.changes.wait(100)


async def answered(
    cluster: KubernetesCluster, name: str, command: Command, timeout_ms: int
) -> Outcome | None:
    """Wait for the driver's answer to a command; None when it did not come in time."""
    deadline = asyncio.get_running_loop().time() + timeout_ms / 1000
    while True:
        count = cluster.changes.count
        stored = await cluster.load(name)
        last = None if stored is None else stored.release.status.last_command
        if last is not None and last.id == command.id:
            return last
        left_ms = int(1000 * (deadline - asyncio.get_running_loop().time()))
        if left_ms <= 0:
            return None
        await cluster.changes.wait(left_ms, since_count=count)
