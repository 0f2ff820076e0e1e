r"""Patterns that Python's `re` and RE2 read alike, and that neither takes long for.

A pattern is found anywhere in a text. Known: characters, `.`, classes, `\d \w \s` and their
opposites, `\b`, `^`, `$`, groups, `|`, `* + ? {n} {n,} {n,m}` and their lazy forms, and `(?i)` in
front, for ASCII letters. All else is refused: what RE2 has not (look-around, back-references), what
the two read otherwise (`\Z`, `\B`, flags, names), and repetitions for which `re` may take
exponential time (docs/adr/0022).
"""

from __future__ import annotations

import functools
import re

from serinus.rules.pattern.reader import PatternError, Reader

__all__ = ["PatternError", "compiled", "for_re2"]


@functools.lru_cache(maxsize=1_024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the pattern for Python; use its `search`.

    Raises:
        PatternError: the pattern is not one of those that both engines read alike.
    """
    return re.compile(Reader(pattern).whole().python, re.ASCII)


def for_re2(pattern: str) -> str:
    """Return the same pattern for RE2 with its default options, for a search in the text."""
    return Reader(pattern).whole().re2
