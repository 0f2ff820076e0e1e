"""A command line and an operator of two versions."""

from __future__ import annotations

import pytest

from serinus.cli.skew import difference


@pytest.mark.parametrize("theirs", ["0.2.0", None])
def test_the_same_version_or_one_that_may_not_be_read_needs_no_words(theirs: str | None) -> None:
    assert difference(theirs, "0.2.0") == ""


def test_another_version_is_named_beside_our_own() -> None:
    assert difference("0.3.0", "0.2.0") == (
        "this is serinus 0.2.0 and the operator runs 0.3.0: what only one of them knows is not "
        "done; use the same version"
    )


def test_an_operator_that_says_no_version_is_older_than_those_that_do() -> None:
    assert "the operator is older: it does not say its version" in difference("", "0.2.0")
