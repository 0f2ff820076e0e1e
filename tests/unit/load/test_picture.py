from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from serinus.load import picture
from serinus.load.picture import Marker
from serinus.load.report import Bucket

SVG = "{http://www.w3.org/2000/svg}"


def a_release() -> list[Bucket]:
    """Five seconds of stable alone, ten with a quarter of canary, five of canary alone."""
    return [
        *(Bucket(n, {"v1": 100}, 0) for n in range(5)),
        *(Bucket(n, {"v1": 75, "v2": 25}, 0) for n in range(5, 15)),
        *(Bucket(n, {"v2": 100}, 0) for n in range(15, 20)),
    ]


def columns(document: str) -> list[tuple[float, float, float, str]]:
    """Return left, top, height and colour of every column of the picture."""
    root = ET.fromstring(document)
    return [
        (float(r.attrib["x"]), float(r.attrib["y"]), float(r.attrib["height"]), r.attrib["fill"])
        for r in root.iter(f"{SVG}rect")
        if float(r.attrib["height"]) > 10 and "class" not in r.attrib
    ]


def test_columns_are_as_high_as_the_shares_and_stand_on_each_other() -> None:
    found = columns(picture.svg(a_release()))
    full = found[0][2]
    heights = [(height / full, color) for _, _, height, color in found]
    stable, canary = found[0][3], found[-1][3]
    assert heights == [(1, stable)] * 5 + [(0.75, stable), (0.25, canary)] * 10 + [(1, canary)] * 5
    below, above = found[5], found[6]
    assert above[1] + above[2] == pytest.approx(below[1])


def test_a_second_without_answers_stays_empty() -> None:
    buckets = [Bucket(0, {"v1": 1}, 0), Bucket(1, {}, 0), Bucket(2, {"v1": 1}, 0)]
    lefts = [left for left, *_ in columns(picture.svg(buckets))]
    assert len(lefts) == 2


def test_failures_and_markers_are_shown() -> None:
    buckets = [Bucket(0, {"v1": 9}, 3), Bucket(1, {"v1": 9}, 0)]
    root = ET.fromstring(picture.svg(buckets, markers=[Marker(500, "promote")]))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "promote" in texts
    assert [c[0].text for c in root.iter(f"{SVG}circle")] == ["3 failed"]
    assert "3 failed" in (root.findtext(f"{SVG}desc") or "")


def test_names_are_escaped() -> None:
    document = picture.svg(
        [Bucket(0, {"<script>&": 1}, 0)], title='a "b" <c>', markers=[Marker(0, "<d>")]
    )
    ET.fromstring(document)
    assert "<script>" not in document
    assert "<c>" not in document
    assert "<d>" not in document


def test_an_empty_run_has_a_picture_too() -> None:
    assert ET.fromstring(picture.svg([])).tag == f"{SVG}svg"
    assert "failed: 0" in picture.terminal([], color=False)


def test_a_long_run_is_drawn_with_few_columns() -> None:
    buckets = [Bucket(n, {"v1": 3, "v2": 1}, 1) for n in range(10_000)]
    shares = picture.shares_of(buckets)
    assert len(shares) <= 260
    assert {share.shares for share in shares} == {(0.75, 0.25)}
    assert sum(share.failed_count for share in shares) == 10_000


def test_runs_are_joined_on_one_axis() -> None:
    first, second = [Bucket(0, {"v1": 1}, 1)], [Bucket(0, {"v2": 2}, 0), Bucket(1, {"v2": 3}, 0)]
    assert picture.join([(0, first), (0, second), (7, second)]) == (
        Bucket(0, {"v1": 1, "v2": 2}, 1),
        Bucket(1, {"v2": 3}, 0),
        Bucket(7, {"v2": 2}, 0),
        Bucket(8, {"v2": 3}, 0),
    )


def test_the_terminal_picture_shows_each_version_by_its_own_sign() -> None:
    text = picture.terminal(
        a_release(), markers=[Marker(5_000, "canary added")], color=False, width=70, height=14
    )
    lines = text.splitlines()
    assert "\x1b" not in text
    assert "* v1   o v2   failed: 0" in text
    assert "5.0 s  canary added" in text
    assert all(len(line) <= 70 for line in lines)
    # The axis' own numbers: stable starts at 100, canary ends there.
    top = next(line for line in lines if line.lstrip().startswith("100"))
    assert top.index("*") < top.rindex("o")
    assert "10 s" in text


def test_the_terminal_picture_has_colour_when_asked() -> None:
    assert "\x1b[" in picture.terminal(a_release(), color=True)
