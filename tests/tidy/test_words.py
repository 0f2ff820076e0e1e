"""The repository speaks of the project, not of how or where it was made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy import sources

FORBIDDEN = {
    "a work item by number": r"\bissue #?\d+\b",
    "a section of a plan that is not here": r"\bdesign (section )?\d",
    "words of a task": r"\bmust[- ]show \d|\bmust-show\b|\bclosing note\b|\bagent session\b",
    "a mark for what was tried": r"(?<![\w\])])\(v\)",
    "a place that only its authors have": r"\bseed manifests?\b|\blab\b",
    "a path of one machine": r"(?<![\w.~])/(work|root)/|/tmp/brief",
    "where packages come from": (
        r"pypi\.org|pythonhosted\.org|npmjs\.org|(proxy|sum)\.golang\.org|crates\.io"
        r"|--(extra-)?index-url|--find-links"
    ),
}

# This file has to say the words in order to forbid them.
EXEMPT = sources.ROOT / "tests" / "tidy"


def texts() -> list[tuple[Path, str]]:
    found = []
    for path in sources.tracked_files():
        if path.is_relative_to(EXEMPT):
            continue
        try:
            found.append((path, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # a picture
    return found


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.IGNORECASE)
    found = [
        f"{sources.shown(path)}:{number}: {match[0]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "see issue 3",
        "design 4.4",
        "Must show 2",
        "run (v) and",
        "our lab",
        "x/toor/"[::-1],
        "gro.ipyp"[::-1],
    ],
)
def test_the_words_are_found_where_they_are(text: str) -> None:
    assert any(re.search(p, text, re.IGNORECASE) for p in FORBIDDEN.values())


@pytest.mark.parametrize("text", ["f(v)", "label", "elaborate", "issue a token", "./work/x"])
def test_other_words_are_left_alone(text: str) -> None:
    assert not any(re.search(p, text, re.IGNORECASE) for p in FORBIDDEN.values())


def test_no_lock_file_that_records_sources_is_kept() -> None:
    names = {path.name for path in sources.tracked_files()}
    assert names.isdisjoint({"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"})


@pytest.mark.parametrize("name", ["controller.txt", "dev.txt", "local.txt"])
def test_requirements_are_pinned_by_hash_and_name_no_place(name: str) -> None:
    text = (sources.ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)
    pinned = [entry for entry in entries if re.match(r"[A-Za-z0-9_.\-\[\]]+==", entry)]
    assert len(pinned) > 5
    assert [entry.splitlines()[0] for entry in pinned if "--hash=sha256:" not in entry] == []
