"""The pins of the image: of local.txt, what the base dependencies need, and Envoy for routers.

.venv/bin/python -m scripts.controller_requirements
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "requirements" / "controller.txt"
_REASON = re.compile(r"^    #   (\S+)$|^    # via (\S+)$")


def render() -> str:
    """Return controller.txt."""
    text = (ROOT / "requirements" / "local.txt").read_text(encoding="utf-8")
    pins = {name_of(entry): entry for entry in re.split(r"\n(?=[a-z0-9])", text.rstrip("\n"))}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    # Routers run from the same image.
    kept = _closure([*project["dependencies"], *project["optional-dependencies"]["envoy"]], pins)
    return "\n".join(_entry(pins[name], kept) for name in pins if name in kept) + "\n"


def name_of(requirement: str) -> str:
    """Return the normal form of the name that a requirement begins with."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def _closure(dependencies: Iterable[str], pins: Iterable[str]) -> set[str]:
    """Return the names that are needed, as the installed packages say themselves."""
    found, todo = set[str](), [name_of(each) for each in dependencies]
    while todo:
        name = todo.pop()
        # What another platform or an extra needs may be pinned nowhere.
        if name in found or name not in pins:
            continue
        found.add(name)
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            more = importlib.metadata.requires(name) or []
            todo += [name_of(each) for each in more if "extra ==" not in each]
    return found


def _entry(text: str, kept: set[str]) -> str:
    """Return a pin without the packages that need it and are not there."""
    lines = []
    for line in text.split("\n"):
        found = _REASON.match(line)
        needed_by = (found[1] or found[2]) if found else ""
        if not needed_by or needed_by == "serinus" or needed_by in kept:
            lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
