"""The text forms of weights, durations and steps, as people type them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from serinus.api.v1alpha1 import STEPS_MAX
from serinus.errors import InvalidInput
from serinus.release.model import Pause, SetWeight, Step

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"(\d+)(ms|s|m|h|d)", re.ASCII)
DURATION_MS_MAX = 365 * 86_400_000


def parse_duration(text: str) -> int:
    """Return milliseconds for `500ms`, `30s`, `10m`, `1h30m`, `2d`.

    Raises:
        ValueError: the text is no duration, or over a year.
    """
    position, total_ms = 0, 0
    for part in _PART.finditer(text):
        if part.start() != position:
            break
        total_ms += int(part[1]) * _UNITS_MS[part[2]]
        position = part.end()
    if position == 0 or position != len(text):
        raise ValueError(f"{text!r} is no duration; write 500ms, 30s, 10m or 1h30m")
    if total_ms > DURATION_MS_MAX:
        raise ValueError(f"{text!r} is longer than a year")
    return total_ms


def format_duration(duration_ms: int) -> str:
    """Return the shortest text that `parse_duration` reads as the same."""
    if duration_ms == 0:
        return "0s"
    parts, rest = [], duration_ms
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_weight(text: str) -> int:
    """Return basis points for a share in percent, such as `25`, `0.5` or `12.34%`.

    Raises:
        ValueError: the text is no number, has over two decimals, or is outside 0..100.
    """
    try:
        percent = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation:
        raise ValueError(f"{text!r} is no weight; write a percentage such as 25 or 0.5") from None
    if not percent.is_finite() or not 0 <= percent <= 100:
        raise ValueError(f"{text!r} is outside 0..100")
    weight_bp = percent * 100
    if weight_bp != weight_bp.to_integral_value():
        raise ValueError(f"{text!r} has more than two decimals")
    return int(weight_bp)


def format_weight(weight_bp: int) -> str:
    """Return the share in percent without needless zeros: `25`, `0.5`."""
    whole, part = divmod(weight_bp, 100)
    return f"{whole}.{part:02d}".rstrip("0") if part else str(whole)


def percent_of(weight_bp: int) -> int | float:
    """Return the share in percent as a JSON number."""
    return weight_bp // 100 if weight_bp % 100 == 0 else weight_bp / 100


def parse_steps(text: str) -> tuple[Step, ...]:
    """Return the steps of `25,pause:30s,50,pause`: weights in percent, and pauses.

    Raises:
        InvalidInput: with the position and the text of each item that is wrong.
    """
    steps: list[Step | None] = []
    problems: list[str] = []
    columns: list[int] = []
    position = 1
    for index, raw in enumerate(text.split(",")):
        item = raw.strip()
        columns.append(position + len(raw) - len(raw.lstrip()))
        position += len(raw) + 1
        try:
            steps.append(_step(item))
        except ValueError as error:
            steps.append(None)
            problems.append(f"step {index + 1} (column {columns[-1]}): {error}")
    problems.extend(
        f"step {index + 1} (column {columns[index]}): {problem}"
        for index, problem in order_problems(steps)
    )
    if len(steps) > STEPS_MAX:
        problems.append(f"{len(steps)} steps are more than {STEPS_MAX}")
    if problems:
        raise InvalidInput("--steps", problems)
    return tuple(step for step in steps if step is not None)


def order_problems(steps: Sequence[Step | None]) -> list[tuple[int, str]]:
    """Return what is wrong with the order of weights, each with the index of its step.

    Weights may only grow. A step that could not be read is None.
    """
    problems, before = [], -1
    for index, step in enumerate(steps):
        if not isinstance(step, SetWeight):
            continue
        if step.weight_bp < before:
            words = f"{format_weight(step.weight_bp)} after {format_weight(before)}"
            problems.append((index, f"{words}; weights may only grow"))
        before = step.weight_bp
    return problems


def format_steps(steps: tuple[Step, ...]) -> str:
    """Return the text that `parse_steps` reads as the same."""
    return ",".join(format_step(step) for step in steps)


def format_step(step: Step) -> str:
    """Return one step as people type it."""
    if isinstance(step, SetWeight):
        return format_weight(step.weight_bp)
    return "pause" if step.duration_ms is None else f"pause:{format_duration(step.duration_ms)}"


def _step(item: str) -> Step:
    if not item:
        raise ValueError("empty; write a weight, pause or pause:30s")
    word, colon, rest = item.partition(":")
    if word == "pause":
        return Pause(parse_duration(rest) if colon else None)
    if colon:
        raise ValueError(f"{word!r} is no step; write a weight, pause or pause:30s")
    return SetWeight(parse_weight(item))
