"""Being the only one to do something: a `coordination.k8s.io/v1` Lease.

Whether another's lease has run out is judged by how long *we* have seen its record unchanged, never
by comparing clocks, and we stop counting ourselves as holder before others may take over
(as client-go does: tools/leaderelection/leaderelection.go). Every write carries the
resourceVersion that it was decided on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from serinus import errors, process
from serinus.clock import Clock, Instant
from serinus.kube import timestamps
from serinus.kube.client import Client, Manifest
from serinus.kube.kinds import LEASES

_UNSEEN = object()


class LeaseOptions(msgspec.Struct, frozen=True):
    """How long a lease lasts; `retry_period_ms` is how often it is renewed, or asked for."""

    duration_ms: int = 15_000
    renew_deadline_ms: int = 10_000
    retry_period_ms: int = 2_000

    def __post_init__(self) -> None:
        problems = []
        if self.duration_ms % 1000 or self.duration_ms < 1000:
            problems.append("duration_ms: must be whole seconds, as the Lease's own field is")
        if not 0 < self.retry_period_ms < self.renew_deadline_ms < self.duration_ms:
            problems.append("must be retry_period_ms < renew_deadline_ms < duration_ms")
        if problems:
            raise errors.InvalidInput("lease options", problems)


class LeaseRecord(msgspec.Struct, frozen=True):
    """What a Lease says; its times come from its holder's clock and are for people."""

    holder: str
    duration_ms: int | None
    acquired: Instant | None
    renewed: Instant | None
    transition_count: int

    def age_ms(self, now: Instant) -> int | None:
        """Say how old the last renewal looks, if clocks agree."""
        return None if self.renewed is None else now - self.renewed

    def looks_expired(self, now: Instant) -> bool:
        """Guess, for display, whether nobody holds it; `Lease.try_acquire` does not go by this."""
        age = self.age_ms(now)
        return not self.holder or age is None or age > (self.duration_ms or 0)


def read_record(lease: Manifest) -> LeaseRecord:
    """Return what a Lease object says."""
    spec = lease.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    return LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        duration_ms=None if seconds is None else seconds * 1000,
        acquired=_instant(spec.get("acquireTime")),
        renewed=_instant(spec.get("renewTime")),
        transition_count=spec.get("leaseTransitions") or 0,
    )


class Lease:
    """Hold a lease: it renews itself from `try_acquire` until `release`; `async with` releases.

    Args:
        identity: who we are; no other process may use the same.
        labels: what a Lease that we create is labelled with.
        annotations: what a Lease says of its holder, for as long as that is us.
    """

    def __init__(
        self,
        client: Client,
        name: str,
        namespace: str,
        *,
        identity: str,
        options: LeaseOptions | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name, self.namespace, self.identity = name, namespace, identity
        self.lost = asyncio.Event()
        """Set when we have held the lease and hold it no more."""
        self._client = client
        self._options = options or LeaseOptions()
        self._labels = dict(labels or {})
        self._annotations = dict(annotations or {})
        self._clock = clock or process.SystemClock()
        self._lease: Manifest | None = None
        self._seen_spec: object = _UNSEEN
        self._seen_at_ms = 0
        self._renewed_at: tuple[int, Instant] | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()

    @property
    def record(self) -> LeaseRecord | None:
        """What the Lease said when it was last read or written, or None where there is none."""
        return None if self._lease is None else read_record(self._lease)

    @property
    def holder(self) -> str | None:
        """Who held it when it was last read or written."""
        record = self.record
        return (record.holder or None) if record is not None else None

    @property
    def is_held(self) -> bool:
        """Whether we hold it now; false from the renew deadline on, before others may take it."""
        return self._remaining_ms() > 0

    async def read(self) -> LeaseRecord | None:
        """Read the Lease, and note whether it has changed since it was last seen."""
        self._note(await self._client.find(LEASES, self.name, self.namespace))
        return self.record

    async def try_acquire(self) -> bool:
        """Take the lease if nobody holds it, once; return whether we hold it now.

        Raises:
            ClusterError: the API server could not be asked, or refuses.
        """
        if self.is_held:
            return True
        await self._stop_renewing()
        await self.read()
        if not self._is_free():
            return False
        if not await self._write():
            return False
        self.lost.clear()
        self._task = asyncio.create_task(self._renew(), name=f"lease {self.namespace}/{self.name}")
        return True

    async def acquire(self, timeout_ms: int | None = None) -> bool:
        """Try until we hold the lease; return whether we do.

        Trouble with the API server counts as one more try, a refusal that will stay does not.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1000):
                while True:
                    try:
                        if await self.try_acquire():
                            return True
                    except errors.ClusterError as e:
                        if e.retry is errors.Retry.NEVER:
                            raise
                    await asyncio.sleep(self._options.retry_period_ms / 1000)
        return self.is_held

    async def release(self) -> bool:
        """Let others have it at once; return whether that was written.

        Where it cannot be written the lease runs out by itself.
        """
        await self._stop_renewing()
        held, self._renewed_at = self.is_held, None
        if not held:
            return False
        self.lost.set()
        for _ in range(2):
            try:
                return await self._write_release()
            except errors.Conflict:
                # A renewal that was cut short may have been written all the same: look once.
                continue
            except errors.ClusterError:
                return False
        return False

    async def _write_release(self) -> bool:
        lease = await self._client.find(LEASES, self.name, self.namespace)
        self._note(lease)
        if lease is None or self.holder != self.identity:
            return False
        # As client-go leaves it: the shortest duration, so that nobody waits for its end.
        spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        self._note(await self._client.replace(LEASES, {**lease, "spec": spec}))
        return True

    def _is_free(self) -> bool:
        record = self.record
        if record is None or record.holder in {"", self.identity}:
            return True
        duration_ms = record.duration_ms or self._options.duration_ms
        return _monotonic_ms() - self._seen_at_ms >= duration_ms

    async def _write(self) -> bool:
        """Write ourselves as the holder over what was last seen; return whether it was still so."""
        started = (_monotonic_ms(), self._clock.now_ms())
        now = timestamps.format_micros(started[1])
        record = self.record
        spec: dict[str, Any] = {} if self._lease is None else {**(self._lease.get("spec") or {})}
        if record is None or record.holder != self.identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = 0 if record is None else record.transition_count + 1
        spec["holderIdentity"] = self.identity
        spec["leaseDurationSeconds"] = self._options.duration_ms // 1000
        spec["renewTime"] = now
        try:
            if self._lease is None:
                body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "spec": spec}
                written = await self._client.create(LEASES, {**body, "metadata": self._metadata()})
            else:
                body = {**self._lease, "metadata": self._metadata(), "spec": spec}
                written = await self._client.replace(LEASES, body)
        except (errors.AlreadyExists, errors.Conflict, errors.NotFound):
            return False
        self._note(written)
        # Counted from before the request, since the server's answer may have been long on its way.
        self._renewed_at = started
        return True

    def _metadata(self) -> dict[str, Any]:
        """Return what is written over what was last seen; others may have written on it too."""
        if self._lease is None:
            made: dict[str, Any] = {"name": self.name, "namespace": self.namespace}
            if self._labels:
                made["labels"] = self._labels
        else:
            made = dict(self._lease["metadata"])
        if self._annotations:
            made["annotations"] = {**(made.get("annotations") or {}), **self._annotations}
        return made

    async def _renew(self) -> None:
        """Renew until it fails for the whole of the deadline, or another holds the lease."""
        try:
            while (remaining_ms := self._remaining_ms()) > 0:
                await asyncio.sleep(min(self._options.retry_period_ms, remaining_ms) / 1000)
                with contextlib.suppress(errors.ClusterError, TimeoutError):
                    async with asyncio.timeout(max(0, self._remaining_ms()) / 1000):
                        if not await self._renew_once():
                            break
        finally:
            self._renewed_at = None
            self.lost.set()

    async def _renew_once(self) -> bool:
        """Return False when another holds the lease."""
        if await self._write():
            return True
        await self.read()
        if self._lease is not None and self.holder != self.identity:
            return False
        # Somebody else changed a label, or deleted the Lease: it is still ours to write.
        await self._write()
        return True

    def _remaining_ms(self) -> int:
        """How long we still count as the holder.

        The monotonic clock stands still while a machine sleeps, the wall clock does not: the one
        that went further counts.
        """
        if self._renewed_at is None:
            return 0
        monotonic_ms, wall = self._renewed_at
        passed_ms = max(_monotonic_ms() - monotonic_ms, self._clock.now_ms() - wall)
        return max(0, self._options.renew_deadline_ms - passed_ms)

    def _note(self, lease: Manifest | None) -> None:
        self._lease = lease
        spec = None if lease is None else lease.get("spec") or {}
        if spec != self._seen_spec:
            self._seen_spec, self._seen_at_ms = spec, _monotonic_ms()

    async def _stop_renewing(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            # The loop forgets on its way out that we hold the lease; the release needs to know.
            renewed_at = self._renewed_at
            task.cancel()
            await asyncio.wait([task])
            self._renewed_at = renewed_at


def _instant(text: str | None) -> Instant | None:
    return timestamps.parse(text) if text else None


def _monotonic_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
