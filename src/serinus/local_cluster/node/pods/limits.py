"""`resources.limits` as far as the system lets a process have them."""

from __future__ import annotations

import re
import resource
import sys

from serinus.local_cluster.node.pods.spec import Resources

_QUANTITY = re.compile(r"(\d+)(?:\.(\d+))?(m|[kMGTPE]i?|[eE]\d+)?")
_POWERS = {"k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def apply(pid: int, resources: Resources) -> str:
    """Limit a process; return what could not be limited, in words, or nothing.

    The memory limit holds the data of each process of the container (RLIMIT_DATA): above it an
    allocation fails, where a container would be killed. The address space is left alone, since
    many run times reserve much more of it than they use.
    """
    limits = resources.limits or {}
    left = [name for name in limits if name not in {"memory"}]
    if "memory" in limits:
        amount = _bytes(str(limits["memory"]))
        if amount is None or not _limit_data(pid, amount):
            left.append("memory")
    if not left:
        return ""
    return (
        f"limits not enforced: {', '.join(sorted(left))} "
        "(pods are processes here; memory is limited on Linux, per process)"
    )


def _limit_data(pid: int, amount: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        resource.prlimit(pid, resource.RLIMIT_DATA, (amount, amount))
    except (OSError, ValueError):
        return False
    return True


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
