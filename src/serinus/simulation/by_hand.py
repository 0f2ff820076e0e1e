"""Drive a coroutine by hand, without an event loop: one await after the other.

`controller.reconcile` awaits nothing but its port, and the simulated port awaits nothing but a
`Point`. So whoever drives it may look at each await, go on, answer with a fault, or leave it there.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class Point:
    """Suspend the coroutine until it is told how to go on; `what` is for who drives."""

    __slots__ = ("name", "what")

    def __init__(self, name: str, what: Any = None) -> None:
        self.name = name
        self.what = what

    def __await__(self) -> Generator[Point, Any, Any]:
        return (yield self)


class ByHand(Generic[_T]):
    """One coroutine on its way."""

    def __init__(self, work: Coroutine[Point, Any, _T]) -> None:
        self._work = work
        self.point: Point | None = None
        """Where it stands; None before its first await and after its end."""
        self.result: _T | None = None
        self.go_on()

    def go_on(self, answer: Any = None) -> None:
        """Let it run to its next await, or to its end; what it raises comes out here."""
        self.point = None
        try:
            self.point = self._work.send(answer)
        except StopIteration as done:
            self.result = done.value

    def crash(self) -> None:
        """End it where it stands, as the death of its process does."""
        self.point = None
        self._work.close()
