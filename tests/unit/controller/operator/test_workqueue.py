"""The queue of the operator: a key waits once, is worked on once at a time, and is never lost."""

from __future__ import annotations

import asyncio
import random

from serinus.controller.operator.workqueue import WorkQueue
from serinus.kube.cache import Backoff


def a_queue(first_ms: int = 1) -> WorkQueue[str]:
    return WorkQueue(Backoff(first_ms=first_ms, ceiling_ms=first_ms * 8), random.Random(1))


async def test_a_key_that_is_added_twice_comes_once() -> None:
    queue = a_queue()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 2
    queue.done("a")
    queue.done("b")
    assert len(queue) == 0


async def test_a_key_that_is_added_while_in_work_comes_again_afterwards() -> None:
    queue = a_queue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "b"
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done("a")
    assert await waiting == "a"


async def test_a_waiting_worker_hears_of_a_new_key() -> None:
    queue = a_queue()
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await waiting == "a"


async def test_of_two_times_the_earlier_counts() -> None:
    queue = a_queue()
    queue.add_after("late", 60_000)
    queue.add_after("late", 1)
    queue.add_after("late", 60_000)
    async with asyncio.timeout(10):
        assert await queue.get() == "late"
    queue.close()


async def test_a_key_that_is_due_now_forgets_its_time() -> None:
    queue = a_queue()
    queue.add_after("a", 20)
    queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    queue.add_after("b", 60)
    async with asyncio.timeout(10):
        assert await queue.get() == "b"
    queue.close()


async def test_failures_come_back_later_and_later_until_a_success() -> None:
    queue = a_queue()
    assert [queue.failed("a") for _ in range(3)] == [1, 2, 3]
    async with asyncio.timeout(10):
        assert await queue.get() == "a"
    queue.succeeded("a")
    queue.done("a")
    assert queue.failed("a") == 1
    queue.close()
