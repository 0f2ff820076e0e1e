"""`resources.limits` as far as the system lets a process have them."""

from __future__ import annotations

import re
import resource
import sys

import msgspec

from serinus.local_cluster.node.pods.spec import Resources

_QUANTITY = re.compile(r"(\d+)(?:\.(\d+))?(m|[kMGTPE]i?|[eE]\d+)?")
_POWERS = {"k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


class Limited(msgspec.Struct, frozen=True):
    """What is limited of a process, and what is not."""

    limits: dict[int, int]
    left_out: tuple[str, ...]

    @property
    def words(self) -> str:
        """Say what is not limited."""
        return (
            f"limits not enforced: {', '.join(self.left_out)} "
            "(pods are processes here; memory is limited on Linux, for each process)"
        )


def of(resources: Resources) -> Limited:
    """Return how a container's limits are held.

    The memory limit holds the data of each process of the container (RLIMIT_DATA): above it an
    allocation fails, where a container would be killed. The address space is left alone, since
    many run times reserve much more of it than they use.
    """
    limits = resources.limits or {}
    amount = _bytes(str(limits["memory"])) if "memory" in limits else None
    # On macOS the limit does not hold what is mapped (setrlimit(2) there).
    is_held = amount is not None and sys.platform == "linux"
    left_out = tuple(sorted(name for name in limits if name != "memory" or not is_held))
    held = {resource.RLIMIT_DATA: amount} if is_held and amount is not None else {}
    return Limited(held, left_out)


def _bytes(text: str) -> int | None:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    whole, fraction, unit = match[1], match[2] or "", match[3] or ""
    digits, places = int(whole + fraction), len(fraction)
    if unit == "m":
        factor, places = 1, places + 3
    elif unit[:1] in {"e", "E"} and unit[1:].isdigit():
        factor = 10 ** int(unit[1:])
    elif unit:
        base = 1024 if unit.endswith("i") else 1000
        factor = base ** _POWERS[unit[0]]
    else:
        factor = 1
    return int(digits * factor // 10**places)
