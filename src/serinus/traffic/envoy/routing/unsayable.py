"""What Envoy has no matcher for."""

from __future__ import annotations

from serinus.errors import UsageError
from serinus.rules.tree import Test


class Unsayable(UsageError):  # noqa: N818 - as the tree in errors says what happened
    """A test of a rule, or the whole of it (None), that this router cannot ask."""

    def __init__(self, test: Test | None, reason: str) -> None:
        self.test = test
        super().__init__(reason)
