"""No death of the operator, no leader that stood still and no outage of the API costs a request.

Nor do they strand a release, or apply a command twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.control_plane.bench import ControlPlane
from tests.end_to_end.operator.conftest import OpenOperator, Operator
from tests.end_to_end.operator.play import REPLICAS, Fault, Play, client_of

pytestmark = [
    pytest.mark.xdist_group("local-cluster"),
    pytest.mark.timeout(600),
    # The programs of the control plane belong to the loop that started them.
    pytest.mark.asyncio(loop_scope="session"),
]

SEED = 20_261_129
LEASE_S = 6.0


async def killed(play: Play) -> None:
    """The only replica dies and is started again, as the kubelet does."""
    operator, pod = play.operator, "serinus-0"
    before = operator.lead_count(pod)
    await operator.kill(pod)
    await operator.start(pod)
    # Now and then the next kill finds it starting; else nothing would ever be done.
    if play.random.random() < 0.8:
        await play.until(leads_again(operator, pod, before), f"{pod} leads again")


def leads_again(operator: Operator, pod: str, before: int) -> Callable[[], Awaitable[bool]]:
    async def leads() -> bool:
        return operator.lead_count(pod) > before

    return leads


async def leader_lost(play: Play) -> None:
    """The leader dies, or stands still for longer than its lease lasts and then goes on."""
    await play.until_led(*REPLICAS)
    leader = await play.leader()
    standby = next(pod for pod in REPLICAS if pod != leader)
    if play.random.random() < 0.5:
        await play.operator.kill(leader)
        await play.until_led(standby)
        await play.operator.start(leader)
        return
    stopped_s = time.time()
    with play.operator.suspended(leader):
        await play.until_led(standby)
        # The standby is somewhere in its own work when the other wakes up.
        await asyncio.sleep(play.random.uniform(0, 3))
    await asyncio.sleep(play.random.uniform(1, 2))
    play.stopped.append((leader, stopped_s, time.time()))


async def api_server_restarted(play: Play) -> None:
    """The API server dies and comes back."""
    await play.plane.restart_api_server()


async def etcd_stood_still(play: Play) -> None:
    """The store hangs, for longer than a leader may go on without it."""
    with play.plane.suspended(play.plane.binaries.etcd.name):
        await asyncio.sleep(play.random.uniform(LEASE_S, LEASE_S + 3))


async def survives(
    make_operator: OpenOperator,
    plane: ControlPlane | None,
    *faults: tuple[Fault, int],
    replica_count: int,
    seed: int = SEED,
) -> None:
    if plane is None:
        pytest.skip("what was written and by whom is in the audit log of a real API server")
    async with make_operator() as operator, client_of(plane) as client:
        for pod in REPLICAS[1:replica_count]:
            await operator.start(pod)
        play = Play(operator, plane, client, seed)
        for fault, count in faults:
            await play.under(fault, count=count)


async def test_kills_of_the_operator_cost_no_request(
    make_operator: OpenOperator, plane: ControlPlane | None
) -> None:
    await survives(make_operator, plane, (killed, 20), replica_count=1)


async def test_lost_leaders_and_outages_cost_no_request(
    make_operator: OpenOperator, plane: ControlPlane | None
) -> None:
    await survives(
        make_operator,
        plane,
        (leader_lost, 2),
        (api_server_restarted, 1),
        (etcd_stood_still, 1),
        replica_count=2,
    )


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
async def test_two_hundred_kills_of_the_operator_cost_no_request(
    make_operator: OpenOperator, plane: ControlPlane | None, part: int
) -> None:
    await survives(make_operator, plane, (killed, 25), replica_count=1, seed=SEED + 1 + part)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
async def test_twenty_lost_leaders_cost_no_request(
    make_operator: OpenOperator, plane: ControlPlane | None, part: int
) -> None:
    await survives(make_operator, plane, (leader_lost, 10), replica_count=2, seed=SEED + 1 + part)


@pytest.mark.slow
async def test_outages_of_the_api_server_and_of_etcd_cost_no_request(
    make_operator: OpenOperator, plane: ControlPlane | None
) -> None:
    await survives(
        make_operator,
        plane,
        (api_server_restarted, 5),
        (etcd_stood_still, 2),
        replica_count=2,
        seed=SEED + 1,
    )
