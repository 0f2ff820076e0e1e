from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from serinus import errors
from serinus.kube import lease as leases
from serinus.kube.client import Client
from serinus.kube.lease import Lease, LeaseOptions, LeaseRecord
from tests.unit.kube.api_server import ApiServer, answers, failure

SHORT = LeaseOptions(duration_ms=1_000, renew_deadline_ms=600, retry_period_ms=50)
KEY = ("leases", "shop", "serinus-shop")


class FixedClock:
    def __init__(self, now: int = 1_700_000_000_123) -> None:
        self.now = now

    def now_ms(self) -> int:
        return self.now


def a_lease(client: Client, identity: str, **more: Any) -> Lease:
    return Lease(client, "serinus-shop", "shop", identity=identity, **{"options": SHORT, **more})


def spec(server: ApiServer) -> dict[str, Any]:
    found: dict[str, Any] = server.objects[KEY]["spec"]
    return found


async def test_the_first_one_creates_the_lease_and_the_second_does_not_get_it(
    server: ApiServer, client: Client
) -> None:
    async with a_lease(client, "one", clock=FixedClock(), labels={"app": "x"}) as one:
        assert await one.try_acquire()
        assert one.is_held
        two = a_lease(client, "two")
        assert not await two.try_acquire()
        assert not two.is_held
        assert two.holder == "one"
    created = next(r.json for r in server.requests if r.method == "POST")
    assert created == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "serinus-shop", "namespace": "shop", "labels": {"app": "x"}},
        "spec": {
            "holderIdentity": "one",
            "leaseDurationSeconds": 1,
            "acquireTime": "2023-11-14T22:13:20.123000Z",
            "renewTime": "2023-11-14T22:13:20.123000Z",
            "leaseTransitions": 0,
        },
    }


async def test_a_lease_says_of_its_holder_what_the_holder_wants_to_be_said(
    server: ApiServer, client: Client
) -> None:
    one = a_lease(client, "one", annotations={"version": "1"})
    assert await one.try_acquire()
    assert server.objects[KEY]["metadata"]["annotations"] == {"version": "1"}
    assert await one.release()
    note = {"annotations": {"version": "1", "note": "mine"}}
    server.put("leases", "shop", "serinus-shop", spec=spec(server), metadata=note)
    async with a_lease(client, "two", annotations={"version": "2"}) as two:
        assert await two.try_acquire()
        annotations = server.objects[KEY]["metadata"]["annotations"]
    assert annotations == {"version": "2", "note": "mine"}


async def test_a_released_lease_is_free_at_once_and_keeps_what_others_wrote_on_it(
    server: ApiServer, client: Client
) -> None:
    one, two = a_lease(client, "one"), a_lease(client, "two")
    assert await one.try_acquire()
    server.put("leases", "shop", "serinus-shop", spec=spec(server), metadata={"labels": {"a": "b"}})
    assert not await two.try_acquire()
    assert await one.release()
    assert one.lost.is_set()
    assert spec(server)["holderIdentity"] == ""
    assert await two.try_acquire()
    assert (spec(server)["holderIdentity"], spec(server)["leaseTransitions"]) == ("two", 1)
    assert server.objects[KEY]["metadata"]["labels"] == {"a": "b"}
    await two.release()


async def test_a_lease_that_nobody_renews_is_taken_over_when_it_was_seen_unchanged_for_its_length(
    server: ApiServer, client: Client
) -> None:
    # Its times are of long ago: that alone does not count, clocks may differ.
    old = {
        "holderIdentity": "dead",
        "leaseDurationSeconds": 1,
        "renewTime": "2001-01-01T00:00:00.000000Z",
        "leaseTransitions": 4,
    }
    server.put("leases", "shop", "serinus-shop", spec=old)
    two = a_lease(client, "two")
    started = asyncio.get_running_loop().time()
    assert not await two.try_acquire()
    assert await two.acquire(5_000)
    assert asyncio.get_running_loop().time() - started >= 1.0
    assert (spec(server)["holderIdentity"], spec(server)["leaseTransitions"]) == ("two", 5)
    await two.release()


async def test_a_lease_that_is_renewed_is_never_taken_over(
    server: ApiServer, client: Client
) -> None:
    one, two = a_lease(client, "one"), a_lease(client, "two")
    assert await one.try_acquire()
    assert not await two.acquire(1_500)
    assert one.is_held
    assert not one.lost.is_set()
    assert spec(server)["holderIdentity"] == "one"
    renewals = [r for r in server.requests if r.method == "PUT"]
    assert len(renewals) > 5
    # Every write carries the version that it was decided on.
    assert all(r.json["metadata"]["resourceVersion"] for r in renewals)
    await one.release()


async def test_the_holder_stops_counting_itself_before_others_may_take_over(
    server: ApiServer, client: Client
) -> None:
    one = a_lease(client, "one")
    assert await one.try_acquire()
    loop = asyncio.get_running_loop()
    server.next_answers.extend([answers(lambda: failure(503, "ServiceUnavailable", "x"))] * 1000)
    started = loop.time()
    async with asyncio.timeout(5):
        await one.lost.wait()
    assert not one.is_held
    assert loop.time() - started < 1.0
    server.next_answers.clear()
    assert spec(server)["holderIdentity"] == "one"
    assert not await one.release()


async def test_a_lease_taken_by_another_is_lost_at_once(server: ApiServer, client: Client) -> None:
    options = LeaseOptions(duration_ms=60_000, renew_deadline_ms=50_000, retry_period_ms=20)
    one = a_lease(client, "one", options=options)
    assert await one.try_acquire()
    server.put("leases", "shop", "serinus-shop", spec={**spec(server), "holderIdentity": "two"})
    async with asyncio.timeout(5):
        await one.lost.wait()
    assert not one.is_held
    assert not await one.release()
    assert spec(server)["holderIdentity"] == "two"


async def test_a_renewal_survives_that_somebody_labels_the_lease(
    server: ApiServer, client: Client
) -> None:
    one = a_lease(client, "one")
    assert await one.try_acquire()
    for number in range(5):
        more = {"labels": {"n": str(number)}}
        server.put("leases", "shop", "serinus-shop", spec=spec(server), metadata=more)
        before = spec(server)["renewTime"]
        # The default binds this turn's value.
        await server.until(
            lambda before=before: spec(server)["renewTime"] > before  # type: ignore[misc]
        )
    assert one.is_held
    assert server.objects[KEY]["metadata"]["labels"] == {"n": "4"}
    assert await one.try_acquire()
    await one.release()


async def test_a_release_that_cannot_be_written_leaves_the_lease_to_run_out(
    server: ApiServer, client: Client
) -> None:
    options = LeaseOptions(duration_ms=60_000, renew_deadline_ms=50_000, retry_period_ms=40_000)
    one = a_lease(client, "one", options=options)
    assert await one.try_acquire()
    server.next_answers.append(answers(lambda: failure(503, "ServiceUnavailable", "x")))
    assert not await one.release()
    assert not one.is_held
    assert spec(server)["holderIdentity"] == "one"
    # Whoever comes back under the same name has it at once.
    assert await one.try_acquire()
    conflict = answers(lambda: failure(409, "Conflict", "the object has been modified"))

    async def reads(_: web.Request) -> web.StreamResponse:
        return web.json_response(server.objects[KEY])

    server.next_answers.extend([reads, conflict])
    assert await one.release()
    assert spec(server)["holderIdentity"] == ""


async def test_a_release_does_not_touch_what_another_holds(
    server: ApiServer, client: Client
) -> None:
    options = LeaseOptions(duration_ms=60_000, renew_deadline_ms=50_000, retry_period_ms=40_000)
    one = a_lease(client, "one", options=options)
    assert await one.try_acquire()
    server.put("leases", "shop", "serinus-shop", spec={**spec(server), "holderIdentity": "two"})
    assert not await one.release()
    assert spec(server)["holderIdentity"] == "two"


async def test_a_lease_deleted_by_a_person_is_written_again(
    server: ApiServer, client: Client
) -> None:
    one = a_lease(client, "one")
    assert await one.try_acquire()
    server.remove(*KEY)
    await server.until(lambda: KEY in server.objects)
    assert one.is_held
    await one.release()


async def test_a_sleeping_machine_does_not_hold_what_has_run_out(client: Client) -> None:
    clock = FixedClock()
    options = LeaseOptions(duration_ms=60_000, renew_deadline_ms=40_000, retry_period_ms=30_000)
    one = a_lease(client, "one", options=options, clock=clock)
    assert await one.try_acquire()
    before = one.is_held
    clock.now += 40_000
    assert (before, one.is_held) == (True, False)
    await one.release()


async def test_of_many_that_want_it_one_gets_it(server: ApiServer, client: Client) -> None:
    wanting = [a_lease(client, f"n{number}") for number in range(10)]
    got = await asyncio.gather(*(lease.try_acquire() for lease in wanting))
    assert sum(got) == 1
    assert spec(server)["holderIdentity"] == wanting[got.index(True)].identity
    for lease in wanting:
        await lease.release()


async def test_a_refusal_that_will_stay_ends_the_wait(server: ApiServer, client: Client) -> None:
    server.next_answers.append(answers(lambda: failure(403, "Forbidden", "leases is forbidden")))
    with pytest.raises(errors.Forbidden):
        await a_lease(client, "one").acquire(5_000)


def test_how_old_a_record_looks_is_told_from_its_own_times() -> None:
    record = leases.read_record(
        {
            "spec": {
                "holderIdentity": "a",
                "leaseDurationSeconds": 15,
                "renewTime": "1970-01-01T00:00:10Z",
            }
        }
    )
    assert record == LeaseRecord("a", 15_000, None, 10_000, 0)
    assert record.age_ms(12_500) == 2_500
    assert not record.looks_expired(25_000)
    assert record.looks_expired(25_001)
    assert leases.read_record({}).looks_expired(0)


@pytest.mark.parametrize(
    ("duration_ms", "renew_deadline_ms", "retry_period_ms"),
    [(1_500, 1_000, 100), (1_000, 1_000, 100), (2_000, 1_000, 1_000), (0, 0, 0)],
)
def test_lengths_that_leave_no_room_are_refused(
    duration_ms: int, renew_deadline_ms: int, retry_period_ms: int
) -> None:
    with pytest.raises(errors.InvalidInput):
        LeaseOptions(duration_ms, renew_deadline_ms, retry_period_ms)
