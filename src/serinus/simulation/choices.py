"""Where everything that is not determined comes from: integers, each below a count.

A schedule is replayed by its seed, or by the list of what was drawn. 0 is always the quiet choice:
no fault, the first in order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol


class Choices(Protocol):
    """Draw for one schedule."""

    @property
    def is_quiet(self) -> bool:
        """Tell whether no fault happens any more; whoever asks need not count them then."""
        ...

    def fault(self, count: int) -> int:
        """Return 0 for no fault, or which of `count` faults happens, from 1 on."""
        ...

    def below(self, count: int) -> int:
        """Return an integer from 0 to `count` - 1."""
        ...


class Seeded:
    """Draw from one generator; after `faults_max` faults no more happen."""

    def __init__(self, seed: int, *, faults_max: int, rate: int) -> None:
        """Let a fault happen at one of `rate` occasions."""
        self._random = random.Random(seed)  # noqa: S311 - a schedule, no secret
        self._faults_left = faults_max
        self._rate = rate
        self.drawn: list[int] = []

    @property
    def is_quiet(self) -> bool:
        """Tell whether all faults have happened."""
        return self._faults_left == 0

    def fault(self, count: int) -> int:
        """Draw a fault, seldom."""
        happens = count and self._faults_left and self._random.randrange(self._rate) == 0
        drawn = 1 + self._random.randrange(count) if happens else 0
        self._faults_left -= bool(drawn)
        self.drawn.append(drawn)
        return drawn

    def below(self, count: int) -> int:
        """Draw an order."""
        drawn = self._random.randrange(count)
        self.drawn.append(drawn)
        return drawn


class Replay:
    """Give what was drawn before, then nothing but 0."""

    def __init__(self, drawn: Sequence[int] = ()) -> None:
        self.drawn = list(drawn)
        self._index = 0

    @property
    def is_quiet(self) -> bool:
        """Tell whether all was given."""
        return self._index >= len(self.drawn)

    def fault(self, count: int) -> int:
        """Return the next one; a fault that does not exist here is none."""
        drawn = self._next()
        return drawn if drawn <= count else 0

    def below(self, count: int) -> int:
        """Return the next one, within the count."""
        return self._next() % count

    def _next(self) -> int:
        self._index += 1
        return self.drawn[self._index - 1] if self._index <= len(self.drawn) else 0


class Exhaustive:
    """Give, one after the other, every list with at most `faults_max` faults in it.

    `while choices.begin(): play(choices)` goes through all of them, in the order of an odometer
    whose last wheel turns first. The order of things is not varied.
    """

    def __init__(self, faults_max: int) -> None:
        self._faults_max = faults_max
        self._counts: list[int] = []
        self.drawn: list[int] = []
        self._index = 0
        self._has_begun = False

    def begin(self) -> bool:
        """Turn to the next list; False when all were given."""
        if not self._has_begun:
            self._has_begun = True
            return True
        self._index = 0
        while self.drawn:
            rest = self.faults - bool(self.drawn[-1])
            if rest < self._faults_max and self.drawn[-1] < self._counts[-1]:
                self.drawn[-1] += 1
                return True
            self.drawn.pop()
            self._counts.pop()
        return False

    @property
    def is_quiet(self) -> bool:
        """Tell whether the present list may hold no more faults."""
        return self._index == len(self.drawn) and self.faults == self._faults_max

    @property
    def faults(self) -> int:
        """Return how many faults the present list holds."""
        return sum(1 for drawn in self.drawn if drawn)

    def fault(self, count: int) -> int:
        """Return what the present list says, and 0 behind its end."""
        if self._index == len(self.drawn):
            self.drawn.append(0)
            self._counts.append(count)
        self._index += 1
        return self.drawn[self._index - 1]

    def below(self, count: int) -> int:
        """Keep the first order."""
        del count
        return 0
