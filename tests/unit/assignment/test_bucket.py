"""The public rule, against the hash as its specification has it."""

from __future__ import annotations

import pytest

from serinus.assignment.bucket import bucket
from tests.unit.assignment.xxh64 import xxh64


def test_the_other_hash_is_xxh64() -> None:
    assert xxh64(b"") == 0xEF46DB3751D8E999
    assert xxh64(b"abc") == 0x44BC2CF5AD770999


@pytest.mark.parametrize(
    "user", ["", "a", "alice", "wang.wei@example.com", "u" * 100, "用户", "\udcff"]
)
def test_a_bucket_is_the_hash_of_user_slash_salt_modulo_10000(user: str) -> None:
    text = user.encode("utf-8", "surrogateescape") + b"/shop/web/7d9f"
    assert bucket(user, "shop/web/7d9f") == xxh64(text) % 10_000


def test_nothing_is_trimmed_or_folded() -> None:
    assert len({bucket(user, "s") for user in ("alice", "Alice", " alice", "alice ")}) == 4
