"""Write docs/reference/local-cluster-limits.md from the cases that the local cluster skips.

.venv/bin/python -m tests.conformance.limits
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.features import FEATURES, LACKS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "local-cluster-limits.md"

_HEAD = """\
# What the local cluster leaves out

<!-- Written by tests/conformance/limits.py: change the cases, then run it. -->

`tests/conformance` holds the local cluster to what Kubernetes does: the same cases run on both.
These are the ones that the local cluster skips, since it lacks what they need.

| The local cluster has no | so this is not so there |
|---|---|
"""


def render() -> str:
    """Return the whole page."""
    skipped: dict[str, list[str]] = {feature: [] for feature in sorted(LACKS["local"])}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for name, needed in _cases(ast.parse(path.read_text(encoding="utf-8"))):
            for feature in sorted(needed & LACKS["local"]):
                skipped[feature].append(_sentence(name))
    rows = [
        f"| {FEATURES[feature]} | {'; '.join(sentences)} |"
        for feature, sentences in skipped.items()
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _cases(tree: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """Yield the name of each case of a module with the features that it needs."""
    for_all: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            for_all = _needs(node.value)
        elif isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, for_all.union(*map(_needs, node.decorator_list))


def _needs(expression: ast.expr) -> set[str]:
    """Return what the calls of `needs` in an expression name."""
    return {
        argument.value
        for call in ast.walk(expression)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "needs"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
