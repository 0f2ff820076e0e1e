"""Patches that change an object without owning its fields: JSON, merge and strategic merge.

All of them return new trees that share what did not change; the original is never touched.
"""

from __future__ import annotations


class PatchError(ValueError):
    """A patch is malformed, or does not fit the object."""
