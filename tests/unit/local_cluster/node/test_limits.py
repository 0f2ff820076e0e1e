from __future__ import annotations

import resource
import sys
from typing import Any

import pytest

from serinus.local_cluster.node import limits
from serinus.local_cluster.node.pods.spec import Resources

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux")


@linux_only
@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("128974848", 128_974_848),
        ("129M", 129_000_000),
        ("123Mi", 123 << 20),
        ("1.5Gi", 3 << 29),
        ("1e3", 1_000),
        ("128974848000m", 128_974_848),
        ("0.5k", 500),
        (64, 64),
    ],
)
def test_memory_is_held_as_a_limit_on_data(quantity: Any, expected: int) -> None:
    limited = limits.of(Resources(limits={"memory": quantity}))
    assert limited.limits == {resource.RLIMIT_DATA: expected}
    assert limited.left_out == ()


@linux_only
def test_the_rest_is_named_as_left_out() -> None:
    limited = limits.of(Resources(limits={"memory": "1Gi", "cpu": "1", "example.com/gpu": "1"}))
    assert limited.left_out == ("cpu", "example.com/gpu")
    assert limited.words.startswith("limits not enforced: cpu, example.com/gpu")


def test_no_limits_are_no_limits() -> None:
    assert limits.of(Resources()) == limits.Limited({}, ())
