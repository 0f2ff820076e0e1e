"""Laws of a rolling update, whatever order the controllers and Pods happen to act in.

Availability is a law for new templates only. Going back to a ReplicaSet that was scaled to nothing
a moment ago, Kubernetes counts the Pods that its status still shows, and can lose all that serve.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.kubernetes_model.kinds import DEPLOYMENTS
from serinus.kubernetes_model.workloads import pods
from tests.unit.kubernetes_model.workloads.world import (
    World,
    a_deployment,
    a_template,
    image_of,
)

_percent_or_count = st.one_of(
    st.integers(0, 4), st.integers(0, 100).map(lambda number: f"{number}%")
)


def rounded(value: int | str, total: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    part = int(value[:-1]) * total / 100
    return int(-(-part // 1)) if up else int(part // 1)


def limits_of(replicas: int, surge: int | str, unavailable: int | str) -> tuple[int, int]:
    most = rounded(surge, replicas, up=True)
    fewest = rounded(unavailable, replicas, up=False)
    if most == fewest == 0:
        fewest = 1
    return replicas + most, replicas - min(fewest, replicas)


def act(world: World, data: st.DataObject) -> bool:
    """Let one controller key or one Pod take one step, as drawn; say whether there was any."""
    moves: list[tuple[str, object]] = [("key", key) for key in world.controllers.pending]
    for pod in world.pods():
        if pod["metadata"].get("deletionTimestamp"):
            moves.append(("stop", pod))
        elif not pod["spec"].get("nodeName"):
            moves.append(("start", pod))
    if not moves:
        return False
    what, on = data.draw(st.sampled_from(moves))
    if what == "key":
        world.controllers.step(world.now, on)  # type: ignore[arg-type]  # a key, as drawn
    elif what == "stop":
        world.stop(on)  # type: ignore[arg-type]  # a Pod, as drawn
    else:
        world.start(on)  # type: ignore[arg-type]  # a Pod, as drawn
    return True


@settings(max_examples=60, deadline=None)
@given(
    replicas=st.integers(1, 6),
    surge=_percent_or_count,
    unavailable=_percent_or_count,
    images=st.lists(st.sampled_from(["shop:1", "shop:2", "shop:3"]), min_size=1, max_size=4),
    data=st.data(),
)
def test_no_order_of_events_breaks_the_limits_of_a_rolling_update(
    replicas: int, surge: int | str, unavailable: int | str, images: list[str], data: st.DataObject
) -> None:
    only_new = len(set(images)) == len(images) and "shop:1" not in images
    if surge in {0, "0%"} and unavailable in {0, "0%"}:
        surge = 1
    strategy = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }
    world = World()
    world.apply(a_deployment(replicas=replicas, strategy=strategy))
    world.settle()
    most, fewest = limits_of(replicas, surge, unavailable)
    for image in images:
        world.change(DEPLOYMENTS, "shop", template=a_template(image))
        for _ in range(data.draw(st.integers(0, 30))):
            act(world, data)
            available = [pod for pod in world.pods() if pods.is_active(pod) and pods.is_ready(pod)]
            assert sum(world.sizes().values()) <= most
            assert len(available) >= fewest or not only_new
    world.settle()
    assert {image_of(pod) for pod in world.pods()} == {images[-1]}
    assert len(world.pods()) == replicas
    assert world.deployment()["status"]["availableReplicas"] == replicas
    assert world.wake_at is None
