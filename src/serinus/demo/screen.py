"""What a demo shows: what it does, and live how the answers split between versions."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from typing import Any

from serinus.load.report import Progress

_COLORS = ("cyan", "yellow", "green", "magenta", "blue")
_BAR_WIDTH = 40
_WINDOW = 8
"""Progress reports (a quarter of a second each) that the shown share covers."""
_LINE_EVERY_MS = 2_000


class Screen:
    """Print the course of a demo; on a terminal with a live bar below it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
        self.console = Console(no_color=plain, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        if not plain:
            self._live = Live(console=self.console, refresh_per_second=4, transient=True)
        self._seen: deque[Progress] = deque(maxlen=_WINDOW)
        self._colors: dict[str, str] = {}
        self._next_line_ms = 0

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str = "", style: str = "") -> None:
        """Print one line."""
        self.console.print(text, style=style or None, markup=False)

    def chapter(self, number: int, title: str) -> None:
        """Begin the next part."""
        self.say()
        self.say(f"{number}. {title}", "bold")

    def command(self, text: str) -> None:
        """Show a command as the user would type it."""
        self.say(f"   $ {text}", "bold cyan")

    def output(self, text: str) -> None:
        """Show what a command wrote."""
        for line in text.rstrip().splitlines():
            self.say(f"     {line}", "dim")

    def progress(self, now: Progress) -> None:
        """Show how the last seconds' answers split."""
        self._seen.append(now)
        if self._live is not None:
            self._live.update(self._bar())
            return
        if now.elapsed_ms >= self._next_line_ms:
            self._next_line_ms = now.elapsed_ms + _LINE_EVERY_MS
            self.say(f"     {self.summary()}")

    def recent(self) -> dict[str, int]:
        """Return the answers of the last seconds by version."""
        if not self._seen:
            return {}
        first, last = self._seen[0], self._seen[-1]
        return {v: n - first.versions.get(v, 0) for v, n in last.versions.items()}

    def summary(self) -> str:
        """Return the last seconds in one line."""
        recent = self.recent()
        total = sum(recent.values())
        shares = "  ".join(f"{v} {n / total:4.0%}" for v, n in recent.items() if n) if total else ""
        last = self._seen[-1]
        clock = time.strftime("%H:%M:%S")
        return f"{clock}  {shares}  {last.ended_count} requests, {last.failed_count} failed"

    def _bar(self) -> Any:
        from rich.text import Text

        recent = self.recent()
        total = sum(recent.values())
        line = Text("   ")
        for version, count in recent.items():
            color = self._colors.setdefault(version, _COLORS[len(self._colors) % len(_COLORS)])
            width = round(_BAR_WIDTH * count / total) if total else 0
            line.append("█" * width, color)
        for version, count in recent.items():
            if count:
                line.append(f"  {version} {count / total:.0%}", self._colors[version])
        last = self._seen[-1]
        line.append(f"  {last.ended_count} requests, ")
        style = "bold red" if last.failed_count else "green"
        line.append(f"{last.failed_count} failed", style)
        return line
