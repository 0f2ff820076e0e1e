"""Names say what a thing is; some names say nothing."""

from __future__ import annotations

import ast

from tests.tidy import sources

EMPTY_NAMES = {
    *("utils", "util", "helpers", "helper", "manager", "common", "misc", "stuff"),
}


def test_no_module_or_folder_has_a_name_that_says_nothing() -> None:
    found = [
        sources.shown(path)
        for path in sources.modules()
        if EMPTY_NAMES & set(path.relative_to(sources.ROOT).with_suffix("").parts)
    ]
    assert found == []


def test_every_module_reads_annotations_late() -> None:
    """Annotations that are never evaluated cost nothing at the start."""
    missing = []
    for path in sources.modules("src", "tests", "benchmarks"):
        tree = sources.tree_of(path)
        imports = {
            alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module == "__future__"
            for alias in node.names
        }
        has_code = any(not isinstance(node, ast.Expr) for node in tree.body)
        if has_code and path.name != "__main__.py" and "annotations" not in imports:
            missing.append(sources.shown(path))
    assert missing == []


def test_no_test_replaces_what_it_tests() -> None:
    mocks = [
        sources.shown(path)
        for path in sources.modules("tests")
        for node in ast.walk(sources.tree_of(path))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest.mock"))
        or (isinstance(node, ast.Import) and any("mock" in a.name for a in node.names))
    ]
    assert mocks == []
