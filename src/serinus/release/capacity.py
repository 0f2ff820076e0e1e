"""In which order pods come and go on the way to a weight; how many is the router's to say."""

from __future__ import annotations

import enum

import msgspec

from serinus.traffic.router import Capacity, Mode


class Move(enum.Enum):
    """The one next change of capacity."""

    NONE = "none"
    CANARY = "canary"
    STABLE = "stable"
    WAIT = "wait"


class Fleet(msgspec.Struct, frozen=True):
    """What both revisions want and have."""

    stable_wanted: int
    stable_available: int
    canary_wanted: int
    canary_available: int


class NextMove(msgspec.Struct, frozen=True):
    """Which revision to scale to which count."""

    move: Move
    replica_count: int = 0


def next_move(
    fleet: Fleet, goal: Capacity, *, replica_count: int, mode: Mode, surge: bool
) -> NextMove:
    """Return the one safe scaling that leads towards `goal`.

    Surge never touches stable. Constant keeps the wanted total within N, or N + 1 with `surge`, and
    takes pods from one side only when the other's are available: never fewer than N available, or
    N - 1 where the total may not exceed N.
    """
    if mode is Mode.SURGE:
        if fleet.canary_wanted != goal.canary:
            return NextMove(Move.CANARY, goal.canary)
        return NextMove(Move.NONE)
    return _constant(fleet, goal, replica_count=replica_count, surge=surge)


def _constant(fleet: Fleet, goal: Capacity, *, replica_count: int, surge: bool) -> NextMove:
    room = replica_count + (1 if surge else 0) - fleet.stable_wanted - fleet.canary_wanted
    if fleet.canary_wanted < goal.canary and room > 0:
        step = min(room, goal.canary - fleet.canary_wanted)
        return NextMove(Move.CANARY, fleet.canary_wanted + step)
    if fleet.stable_wanted < goal.stable and room > 0:
        step = min(room, goal.stable - fleet.stable_wanted)
        return NextMove(Move.STABLE, fleet.stable_wanted + step)
    spare = (
        min(fleet.stable_available, fleet.stable_wanted)
        + min(fleet.canary_available, fleet.canary_wanted)
        - (replica_count if surge else replica_count - 1)
    )
    if fleet.stable_wanted > goal.stable:
        step = min(spare, fleet.stable_wanted - goal.stable)
        return (
            NextMove(Move.STABLE, fleet.stable_wanted - step) if step > 0 else NextMove(Move.WAIT)
        )
    if fleet.canary_wanted > goal.canary:
        step = min(spare, fleet.canary_wanted - goal.canary)
        return (
            NextMove(Move.CANARY, fleet.canary_wanted - step) if step > 0 else NextMove(Move.WAIT)
        )
    return NextMove(Move.NONE)
