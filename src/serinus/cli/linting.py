"""How `serinus lint` goes: files, documents, problems with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from serinus.cli import manifest
from serinus.cli.manifest import Document
from serinus.errors import InvalidInput
from serinus.install import linting


def check(files: Sequence[Path]) -> tuple[list[str], int]:
    """Return every problem as `FILE:LINE: FIELD: WORDS`, and how many CanaryReleases there are."""
    problems: list[str] = []
    releases: list[Document] = []
    for path in files:
        try:
            documents = manifest.read(path)
        except InvalidInput as error:
            problems += _unreadable(path, error)
            continue
        releases += [d for each in documents for d in _parts(each) if linting.is_release(d.value)]
    for document in releases:
        problems += _placed(document, linting.problems(document.value))
    return problems + list(_twice(releases)), len(releases)


def _unreadable(path: Path, error: InvalidInput) -> list[str]:
    """Return why a file is no YAML; those problems name it, all others do not."""
    is_placed = error.subject == "manifest"
    return [p if is_placed else f"{path}: {p}" for p in error.problems]


def _parts(document: Document) -> list[Document]:
    """Return what a List holds, as documents of their own, or the document itself."""
    value = document.value
    if not isinstance(value, dict) or value.get("kind") != "List":
        return [document]
    items = value.get("items")
    if not isinstance(items, list):
        return []
    return [document.part(f"items[{index}]", item) for index, item in enumerate(items)]


def _placed(document: Document, problems: Sequence[str]) -> list[str]:
    if not problems:
        return []
    return list(document.placed(InvalidInput("manifest", problems)).problems)


def _twice(releases: Sequence[Document]) -> Iterator[str]:
    """Yield releases of a Deployment that an earlier one releases already."""
    first: dict[tuple[str, str], Document] = {}
    for document in releases:
        target = _target(document.value)
        if target is None:
            continue
        before = first.setdefault(target, document)
        if before is not document:
            words = f"{before.source}:{before.line_of('spec.targetRef.name')} releases it already"
            yield from _placed(document, [f"spec.targetRef.name: {target[1]!r}: {words}"])


def _target(value: dict[str, Any]) -> tuple[str, str] | None:
    try:
        return (value["metadata"].get("namespace", ""), value["spec"]["targetRef"]["name"])
    except (AttributeError, KeyError, TypeError):
        return None
