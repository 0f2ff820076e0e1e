"""How long things took: counts of durations, and the quantiles that they have."""

from __future__ import annotations

import math
from collections.abc import Sequence

# A duration is kept to its first 11 binary digits, which is to within a thousandth of itself. That
# bounds how many different ones there are, however long the run.
_KEPT_BITS = 11


class Histogram:
    """Count whole durations of at least one unit; each counts as the longest that looks alike."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, duration: int) -> None:
        """Count one duration."""
        dropped_bits = duration.bit_length() - _KEPT_BITS
        if dropped_bits > 0:
            duration |= (1 << dropped_bits) - 1
        counts = self._counts
        counts[duration] = counts.get(duration, 0) + 1

    def quantiles(self, shares: Sequence[float]) -> list[int]:
        """Return for each share the shortest duration that so large a share does not exceed.

        Args:
            shares: above 0 and at most 1, in rising order.

        Returns:
            One duration a share; nothing when nothing was counted.
        """
        durations = sorted(self._counts)
        if not durations:
            return []
        total_count = sum(self._counts.values())
        found: list[int] = []
        index, seen_count = 0, self._counts[durations[0]]
        for share in shares:
            while seen_count < math.ceil(share * total_count):
                index += 1
                seen_count += self._counts[durations[index]]
            found.append(durations[index])
        return found
