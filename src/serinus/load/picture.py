"""Share by version over time: as an SVG file and as text for a terminal.

A picture is drawn from the buckets of a report (or of several, one after the other) and from
markers for what happened meanwhile.
"""

from __future__ import annotations

import html
import math
import string
import threading
from collections.abc import Sequence

import msgspec

from serinus.load.report import Bucket

# Okabe and Ito's palette, told apart by colour-blind people too; each version also has a sign.
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
_TERMINAL_COLORS = ("blue", "orange", "green", "magenta", "cyan", "red", "yellow", "gray")
_SIGNS = "*o+x#@%&"
_FAILED_COLOR = "#b00020"

_WIDTH, _HEIGHT = 860, 360
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 56, 64, 780, 220

# plotext draws on one figure for the whole process.
_plotext_lock = threading.Lock()

_SVG = string.Template("""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" role="img" \
aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="12">
<title id="title">$title</title>
<desc id="desc">$description</desc>
<style>
.paper { fill: #ffffff } .ink { fill: #1b1f24 } .line { stroke: #8c959f; stroke-width: 1 }
.mark { stroke: #1b1f24; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117 } .ink { fill: #e6edf3 } .mark { stroke: #e6edf3 }
}
</style>
<rect class="paper" width="$width" height="$height"/>
<text class="ink" x="$left" y="22" font-size="16">$title</text>
$legend
$areas
$failures
$axes
$markers
</svg>
""")


class Marker(msgspec.Struct, frozen=True):
    """Something that happened `at_ms` after the first bucket began."""

    at_ms: int
    label: str


class Share(msgspec.Struct, frozen=True):
    """The share of each version in one stretch of time; 0 to 1, in the order of the versions."""

    start_s: int
    end_s: int
    shares: tuple[float, ...]
    failed_count: int


def versions_of(buckets: Sequence[Bucket]) -> tuple[str, ...]:
    """Return the versions in order of their first answer."""
    seen: dict[str, None] = {}
    for bucket in buckets:
        seen.update(dict.fromkeys(bucket.answered))
    return tuple(seen)


def join(parts: Sequence[tuple[int, Sequence[Bucket]]]) -> tuple[Bucket, ...]:
    """Put the buckets of several runs on one axis; each part comes with its start in seconds."""
    merged: dict[int, Bucket] = {}
    for offset, buckets in parts:
        for bucket in buckets:
            second = bucket.second + offset
            before = merged.get(second, Bucket(second, {}, 0))
            names = [*before.answered, *(v for v in bucket.answered if v not in before.answered)]
            answered = {v: before.answered.get(v, 0) + bucket.answered.get(v, 0) for v in names}
            failed_count = before.failed_count + bucket.failed_count
            merged[second] = Bucket(second, answered, failed_count)
    return tuple(merged[second] for second in sorted(merged))


def shares_of(buckets: Sequence[Bucket], *, width_max: int = 260) -> tuple[Share, ...]:
    """Return the shares over time, at most `width_max` of them; silent stretches have none."""
    if not buckets:
        return ()
    versions = versions_of(buckets)
    first, last = buckets[0].second, buckets[-1].second
    step = math.ceil((last - first + 1) / width_max)
    groups: dict[int, list[Bucket]] = {}
    for bucket in buckets:
        groups.setdefault((bucket.second - first) // step, []).append(bucket)
    found = []
    for index, group in sorted(groups.items()):
        totals = [sum(b.answered.get(version, 0) for b in group) for version in versions]
        total = sum(totals)
        shares = tuple(count / total for count in totals) if total else ()
        failed_count = sum(b.failed_count for b in group)
        start = index * step
        found.append(Share(start, start + step, shares, failed_count))
    return tuple(found)


def svg(
    buckets: Sequence[Bucket], *, title: str = "Answers by version", markers: Sequence[Marker] = ()
) -> str:
    """Return an SVG document: each version's share stacked over time, failures above."""
    versions, shares = versions_of(buckets), shares_of(buckets)
    end_s = max([share.end_s for share in shares], default=1)
    return _SVG.substitute(
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        title=html.escape(title),
        description=html.escape(_description(buckets, versions)),
        legend=_legend(versions),
        areas="\n".join(_areas(shares, end_s)),
        failures="\n".join(_failures(shares, end_s)),
        axes="\n".join(_axes(end_s)),
        markers="\n".join(_marks(markers, end_s)),
    )


def terminal(
    buckets: Sequence[Bucket],
    *,
    title: str = "Answers by version, percent",
    markers: Sequence[Marker] = (),
    width: int = 80,
    height: int = 16,
    color: bool = True,
) -> str:
    """Return the same as text: one curve for each version, told apart by sign and colour."""
    import plotext

    versions, shares = versions_of(buckets), shares_of(buckets, width_max=max(10, width - 12))
    with _plotext_lock:
        figure = plotext.figure
        figure.clear()
        # The other themes paint the background.
        figure.theme("colorless")
        figure.plot_size(width, height)
        figure.title(title)
        for index in range(len(versions)):
            points = [(s.start_s, 100 * s.shares[index]) for s in shares if s.shares]
            mark = plotext.marker(
                _SIGNS[index % len(_SIGNS)], _TERMINAL_COLORS[index % len(_TERMINAL_COLORS)]
            )
            signal = figure.signal([x for x, _ in points], [y for _, y in points], marker=mark)
            figure.draw(signal.lines())
        for marker in markers:
            # Not figure.line(): that paints a background.
            at_s = marker.at_ms / 1000
            mark = plotext.marker("|", "gray")
            figure.draw(figure.signal([at_s, at_s], [0, 100], marker=mark).lines())
        figure.ruler("y").lim(0, 100)
        end_s = max([share.end_s for share in shares], default=1)
        figure.ruler("x").lim(0, end_s)
        ticks = list(range(0, end_s + 1, _tick_step(end_s, tick_max=max(1, width // 16))))
        figure.ruler("x").ticks(ticks, [f"{tick} s" for tick in ticks])
        text: str = figure.build().string(not color)
        figure.clear()
    failed_count = sum(share.failed_count for share in shares)
    signs = [f"{_SIGNS[n % len(_SIGNS)]} {version}" for n, version in enumerate(versions)]
    notes = [f"  {marker.at_ms / 1000:6.1f} s  {marker.label}" for marker in markers]
    key = f"  {'   '.join([*signs, f'failed: {failed_count}'])}"
    return "\n".join([text.rstrip("\n"), key, *notes])


def _description(buckets: Sequence[Bucket], versions: Sequence[str]) -> str:
    total = sum(sum(bucket.answered.values()) for bucket in buckets)
    failed_count = sum(bucket.failed_count for bucket in buckets)
    parts = [
        f"{version} {sum(bucket.answered.get(version, 0) for bucket in buckets)}"
        for version in versions
    ]
    return f"{total} answers: {', '.join(parts) or 'none'}; {failed_count} failed."


def _x(second: float, end_s: int) -> float:
    return round(_LEFT + _PLOT_WIDTH * min(second, end_s) / end_s, 1)


def _y(share: float) -> float:
    return round(_TOP + _PLOT_HEIGHT * (1 - share), 1)


def _legend(versions: Sequence[str]) -> str:
    parts = []
    for index, version in enumerate(versions):
        x = _LEFT + 150 * (index % 5)
        y = 36 + 14 * (index // 5)
        color = _COLORS[index % len(_COLORS)]
        shown = version if len(version) <= 18 else version[:17] + "…"
        parts.append(
            f'<rect x="{x}" y="{y}" width="10" height="10" fill="{color}"/>'
            f'<text class="ink" x="{x + 15}" y="{y + 9}">{html.escape(shown)}</text>'
        )
    return "\n".join(parts)


def _areas(shares: Sequence[Share], end_s: int) -> list[str]:
    """Return one column for each stretch and version; silent stretches stay paper."""
    parts = []
    for share in shares:
        base = 0.0
        left = _x(share.start_s, end_s)
        width = round(_x(share.end_s, end_s) - left, 1)
        for index, part in enumerate(share.shares):
            height = round(_PLOT_HEIGHT * part, 1)
            if part:
                color = _COLORS[index % len(_COLORS)]
                y = _y(base + part)
                parts.append(
                    f'<rect x="{left}" y="{y}" width="{width}" height="{height}" fill="{color}"/>'
                )
            base += part
    return parts


def _failures(shares: Sequence[Share], end_s: int) -> list[str]:
    return [
        f'<circle cx="{_x((s.start_s + s.end_s) / 2, end_s)}" cy="{_TOP - 6}" r="3" '
        f'fill="{_FAILED_COLOR}"><title>{s.failed_count} failed</title></circle>'
        for s in shares
        if s.failed_count
    ]


def _axes(end_s: int) -> list[str]:
    parts = []
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        parts.append(
            f'<line class="line" x1="{_LEFT}" x2="{_LEFT + _PLOT_WIDTH}" y1="{y}" y2="{y}"/>'
            f'<text class="ink" x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{percent} %</text>'
        )
    step = _tick_step(end_s, tick_max=10)
    for second in range(0, end_s + 1, step):
        x, y = _x(second, end_s), _TOP + _PLOT_HEIGHT
        parts.append(
            f'<line class="line" x1="{x}" x2="{x}" y1="{y}" y2="{y + 5}"/>'
            f'<text class="ink" x="{x}" y="{y + 18}" text-anchor="middle">{second} s</text>'
        )
    return parts


def _tick_step(end_s: int, *, tick_max: int) -> int:
    """Return the round number of seconds that cuts the time into at most `tick_max` parts."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if end_s <= tick_max * factor * power:
                return factor * power
        power *= 10


def _marks(markers: Sequence[Marker], end_s: int) -> list[str]:
    parts = []
    bottom = _TOP + _PLOT_HEIGHT
    for index, marker in enumerate(markers):
        x = _x(marker.at_ms / 1000, end_s)
        y = bottom + 36 + 14 * (index % 3)
        anchor = "end" if x > _LEFT + _PLOT_WIDTH / 2 else "start"
        parts.append(
            f'<line class="mark" x1="{x}" x2="{x}" y1="{_TOP}" y2="{y - 10}"/>'
            f'<text class="ink" x="{x}" y="{y}" text-anchor="{anchor}">'
            f"{html.escape(marker.label)}</text>"
        )
    return parts
