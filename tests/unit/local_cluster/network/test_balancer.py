from __future__ import annotations

import random
from collections import Counter

from serinus.clock import Instant
from serinus.local_cluster.network.balancer import Balancer

A, B, C, D = (("127.1.0.2", 80), ("127.1.0.3", 80), ("127.1.0.4", 80), ("127.1.0.5", 80))


class SetClock:
    def __init__(self) -> None:
        self.now: Instant = 1_000_000

    def now_ms(self) -> Instant:
        return self.now


def a_balancer() -> tuple[Balancer, SetClock]:
    clock = SetClock()
    return Balancer(source=random.Random(20_261_125), clock=clock), clock


def test_no_endpoint_is_no_choice() -> None:
    balancer, _ = a_balancer()
    assert balancer.choose("10.0.0.1") is None


def test_endpoints_are_drawn_uniformly() -> None:
    balancer, _ = a_balancer()
    balancer.update((A, B, C, D), None)
    count = 40_000
    drawn = Counter(balancer.choose("10.0.0.1") for _ in range(count))
    for endpoint in (A, B, C, D):
        z = (drawn[endpoint] - count / 4) / (count * 0.25 * 0.75) ** 0.5
        assert abs(z) < 4.5, (endpoint, z)


def test_the_same_seed_draws_the_same_endpoints() -> None:
    draws = []
    for _ in range(2):
        balancer, _ = a_balancer()
        balancer.update((A, B, C), None)
        draws.append([balancer.choose("10.0.0.1") for _ in range(100)])
    assert draws[0] == draws[1]


def test_with_client_affinity_a_client_stays_while_others_are_drawn() -> None:
    balancer, _ = a_balancer()
    balancer.update((A, B, C, D), 10_000)
    mine = balancer.choose("10.0.0.1")
    assert {balancer.choose("10.0.0.1") for _ in range(100)} == {mine}
    assert {balancer.choose(f"10.0.1.{n}") for n in range(100)} == {A, B, C, D}


def test_affinity_ends_with_its_time_and_each_connection_prolongs_it() -> None:
    balancer, clock = a_balancer()
    balancer.update((A, B, C, D), 10_000)
    mine = balancer.choose("10.0.0.1")
    for _ in range(10):
        clock.now += 9_000
        assert balancer.choose("10.0.0.1") == mine
    others = set()
    for _ in range(50):
        clock.now += 10_001
        others.add(balancer.choose("10.0.0.1"))
    assert others == {A, B, C, D}


def test_affinity_ends_with_its_endpoint() -> None:
    balancer, _ = a_balancer()
    balancer.update((A, B), 10_000)
    mine = balancer.choose("10.0.0.1")
    left = tuple(e for e in (A, B) if e != mine)
    balancer.update(left, 10_000)
    assert balancer.choose("10.0.0.1") == left[0]
    balancer.update((A, B), 10_000)
    assert balancer.choose("10.0.0.1") == left[0]
