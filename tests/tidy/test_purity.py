"""The core has no clock, no chance and no world; and the layers hold."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy import sources

IMPURE = {
    *("asyncio", "time", "random", "secrets", "uuid", "os", "pathlib", "subprocess", "tempfile"),
    *("socket", "threading", "logging", "aiohttp", "structlog"),
}
IMPURE_CALLS = {"open", "print", "input", "eval", "exec", "__import__"}
IMPURE_METHODS = {"now", "utcnow", "today"}


def impurities(tree: ast.Module) -> list[str]:
    """Return what a pure module must not do, with line numbers."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names}
            found += [f"{node.lineno}: import {name}" for name in names & IMPURE]
        elif isinstance(node, ast.ImportFrom):
            name = (node.module or "").partition(".")[0]
            found += [f"{node.lineno}: from {name}"] * (name in IMPURE)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found += [f"{node.lineno}: {node.func.id}()"] * (node.func.id in IMPURE_CALLS)
        elif isinstance(node, ast.Attribute) and node.attr in IMPURE_METHODS:
            base = ast.unparse(node.value).rpartition(".")[2]
            if base in {"datetime", "date"}:
                found.append(f"{node.lineno}: {base}.{node.attr}")
    return found


@pytest.mark.parametrize("package", sources.PURE)
def test_a_pure_package_reaches_no_clock_no_chance_and_no_world(package: str) -> None:
    modules = sources.modules(f"src/serinus/{package}")
    assert modules
    found = {sources.shown(path): impurities(sources.tree_of(path)) for path in modules}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from os import path",
        "import asyncio.events",
        "def f():\n    import random",
        "open('x')",
        "print(1)",
        "import datetime\ndatetime.datetime.now()",
        "import datetime as dt\ndt.date.today()",
    ],
)
def test_impurity_is_seen(code: str) -> None:
    assert impurities(ast.parse(code))


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_import_contracts_hold() -> None:
    result = lint_imports(sources.ROOT)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


def test_a_broken_contract_would_be_seen(tmp_path: Path) -> None:
    """The same contracts over a copy in which the core asks for the time."""
    shutil.copy(sources.ROOT / ".importlinter", tmp_path)
    shutil.copytree(
        sources.PACKAGE, tmp_path / "serinus", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "serinus" / "traffic" / "clockwork.py").write_text("import time\n")
    (tmp_path / "serinus" / "errors.py").write_text("import serinus.kube\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    assert "serinus.traffic.clockwork -> time" in result.stdout
    assert "serinus.errors -> serinus.kube" in result.stdout
