"""The public rule: which of 10,000 buckets a user is in."""

from __future__ import annotations

import xxhash

from serinus.assignment.intervals import TOTAL_BP


def bucket(user: str, salt: str) -> int:
    """Return `xxh64(user + "/" + salt) mod 10,000`: UTF-8, seed 0, nothing trimmed or folded.

    Every router computes the same. Bytes that are no UTF-8 are hashed as the client sent them.
    """
    text = f"{user}/{salt}".encode("utf-8", "surrogateescape")
    return xxhash.xxh64_intdigest(text) % TOTAL_BP
