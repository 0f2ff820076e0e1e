"""In which order pods come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serinus.release.capacity import Fleet, Move, NextMove, next_move
from serinus.traffic.replica_ratio import capacity
from serinus.traffic.router import Capacity, Mode


def moved(
    fleet: Fleet, goal: Capacity, n: int, *, mode: Mode = Mode.CONSTANT, surge: bool = True
) -> NextMove:
    return next_move(fleet, goal, replica_count=n, mode=mode, surge=surge)


def test_surge_scales_the_canary_alone() -> None:
    goal = Capacity(stable=3, canary=2)
    fleet = Fleet(stable_wanted=3, stable_available=1, canary_wanted=1, canary_available=0)
    assert moved(fleet, goal, 3, mode=Mode.SURGE) == NextMove(Move.CANARY, 2)
    there = Fleet(stable_wanted=3, stable_available=1, canary_wanted=2, canary_available=0)
    assert moved(there, goal, 3, mode=Mode.SURGE) == NextMove(Move.NONE)


def test_constant_starts_a_canary_pod_in_the_room_of_the_surge() -> None:
    fleet = Fleet(stable_wanted=4, stable_available=4, canary_wanted=0, canary_available=0)
    assert moved(fleet, Capacity(stable=2, canary=2), 4) == NextMove(Move.CANARY, 1)


def test_constant_takes_a_stable_pod_once_a_canary_pod_is_available() -> None:
    goal = Capacity(stable=2, canary=2)
    starting = Fleet(stable_wanted=4, stable_available=4, canary_wanted=1, canary_available=0)
    assert moved(starting, goal, 4) == NextMove(Move.WAIT)
    ready = Fleet(stable_wanted=4, stable_available=4, canary_wanted=1, canary_available=1)
    assert moved(ready, goal, 4) == NextMove(Move.STABLE, 3)


def test_constant_without_surge_makes_room_first() -> None:
    fleet = Fleet(stable_wanted=2, stable_available=2, canary_wanted=0, canary_available=0)
    goal = Capacity(stable=1, canary=1)
    assert moved(fleet, goal, 2, surge=False) == NextMove(Move.STABLE, 1)


def test_pods_that_are_about_to_go_do_not_count_as_available() -> None:
    fleet = Fleet(stable_wanted=3, stable_available=4, canary_wanted=1, canary_available=1)
    goal = Capacity(stable=2, canary=1)
    assert moved(fleet, goal, 4) == NextMove(Move.WAIT)


@st.composite
def walks(draw: st.DrawFn) -> tuple[int, bool, list[int]]:
    n = draw(st.integers(1, 12))
    surge = True if n == 1 else draw(st.booleans())
    return n, surge, draw(st.lists(st.integers(0, 10_000), min_size=1, max_size=5))


@given(walks(), st.randoms(use_true_random=False))
def test_constant_reaches_every_weight_within_its_room_and_above_its_floor(
    walk: tuple[int, bool, list[int]], random: object
) -> None:
    n, surge, weights = walk
    most, fewest = (n + 1, n) if surge else (n, n - 1)
    wanted = {"stable": n, "canary": 0}
    available = dict(wanted)
    for weight_bp in weights:
        wish = capacity(n, weight_bp, mode=Mode.CONSTANT, surge=surge)
        canary = max(1, wish.canary)
        goal = Capacity(stable=min(wish.stable, most - canary), canary=canary)
        for turn in range(20 * (n + 1)):
            move = next_move(
                Fleet(
                    stable_wanted=wanted["stable"],
                    stable_available=available["stable"],
                    canary_wanted=wanted["canary"],
                    canary_available=available["canary"],
                ),
                goal,
                replica_count=n,
                mode=Mode.CONSTANT,
                surge=surge,
            )
            if move.move is Move.NONE:
                break
            if move.move in (Move.STABLE, Move.CANARY):
                wanted[move.move.value] = move.replica_count
            # Pods come and go in any order, but none stays away for ever.
            both = ["stable", "canary"]
            drawn = random.sample(both, 1)  # type: ignore[attr-defined]
            for side in both if turn % 4 == 3 else drawn:
                step = (wanted[side] > available[side]) - (wanted[side] < available[side])
                available[side] += step
            assert sum(wanted.values()) <= most
            assert sum(min(wanted[s], available[s]) for s in wanted) >= fewest
        else:
            raise AssertionError(f"{weight_bp} bp is never reached")
        assert wanted == {"stable": goal.stable, "canary": goal.canary}
