"""The files of the repository, as the tidy tests read them."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "serinus"
PURE = ("api", "assignment", "kubernetes_model", "release", "rules", "traffic")


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """Return what git holds; in an unpacked archive, all files but hidden folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if listed.returncode == 0:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [
            path
            for path in ROOT.rglob("*")
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts[:-1])
        ]
    return tuple(path for path in found if path.is_file())


def modules(*folders: str) -> list[Path]:
    """Return the Python files below `folders`, all of them when none is named."""
    roots = [ROOT / folder for folder in folders] or [ROOT]
    return [
        path
        for path in tracked_files()
        if path.suffix == ".py" and any(path.is_relative_to(root) for root in roots)
    ]


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Parse a module once."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def shown(path: Path) -> str:
    """Return the path as a message should say it."""
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a module, methods and inner ones included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def documents() -> list[Path]:
    """Return the Markdown pages."""
    return [path for path in tracked_files() if path.suffix == ".md"]


def documentation() -> str:
    """Return the text of all pages that speak to users."""
    pages = [p for p in documents() if p.parent == ROOT or p.is_relative_to(ROOT / "docs")]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)
