"""`serinus load`: make load, count what comes back, report."""

from __future__ import annotations

from serinus.cli.load.verb import register

__all__ = ["register"]
