"""Beginnings and ends that many releases in the tests share."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.release.model import Phase
from serinus.traffic.pods import HASH_LABEL
from tests.unit.release.world import ReleaseWorld, a_spec

OLD, NEW, NEWER = "shop:1", "shop:2", "shop:3"
NO_SURGE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def at_rest(*, replicas: int = 4, strategy: Any = None, **spec: Any) -> ReleaseWorld:
    deployment = {} if strategy is None else {"strategy": strategy}
    world = ReleaseWorld(replicas=replicas, spec=a_spec(**spec), **deployment)
    world.play()
    return world


def released(steps: str, image: str = NEW, **arguments: Any) -> ReleaseWorld:
    """Return a world whose release waits for a person at its first pause."""
    world = at_rest(steps=steps, **arguments)
    world.set_image(image)
    world.play_until(Phase.PAUSED)
    return world


def healthy_on(world: ReleaseWorld, image: str, replicas: int) -> None:
    assert world.play().decision.status.phase is Phase.HEALTHY
    assert world.ready() == {image: replicas}
    assert world.canary is None
    assert HASH_LABEL not in world.selector()


def status_with(world: ReleaseWorld, **changes: Any) -> Any:
    return msgspec.structs.replace(world.status, **changes)


def answer_of(world: ReleaseWorld) -> str:
    last = world.status.last_command
    assert last is not None
    return last.message
