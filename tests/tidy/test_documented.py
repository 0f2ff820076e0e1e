"""What a user can set is written down where users look."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterator

import pytest

from benchmarks.operator import page
from tests.conformance import limits
from tests.conformance.features import LACKS
from tests.tidy import sources

GENERATED = {
    "command-line.md": "generate_command_reference.py",
    "canaryrelease.md": "generate_release_reference.py",
}
REFERENCE = sources.ROOT / "docs" / "reference"

# Set by the local cluster for its own child processes, to know them again; not for users.
INTERNAL = {"SERINUS_POD_UID"}


@pytest.mark.parametrize("page", GENERATED)
def test_a_reference_that_is_made_from_the_code_is_up_to_date(page: str) -> None:
    script = f"scripts/{GENERATED[page]}"
    expected = runpy.run_path(str(sources.ROOT / script))["render"]()
    found = (REFERENCE / page).read_text(encoding="utf-8")
    assert found == expected, f"run .venv/bin/python {script}"


def test_the_page_of_what_the_local_cluster_leaves_out_is_up_to_date() -> None:
    found = (REFERENCE / "local-cluster-limits.md").read_text(encoding="utf-8")
    assert found == limits.render(), "run .venv/bin/python -m tests.conformance.limits"


def test_the_page_of_the_operators_figures_shows_what_was_recorded() -> None:
    found = page.PAGE.read_text(encoding="utf-8")
    assert found == page.render(), "run .venv/bin/python -m benchmarks.operator.page"


def test_each_feature_that_the_local_cluster_lacks_is_shown_by_a_case() -> None:
    rows = [line for line in limits.render().splitlines() if line.startswith("| ")][1:]
    assert [row for row in rows if row.split(" | ")[1].strip(" |") == ""] == []
    assert len(rows) == len(LACKS["local"])


def test_every_option_says_what_it_means() -> None:
    text = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    assert [row for row in rows if row.split(" | ")[1].strip(" |") == ""] == []


def environment_variables(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module asks an environment for."""
    for node in ast.walk(tree):
        key: ast.expr | None = None
        if isinstance(node, ast.Subscript) and is_environment(node.value):
            key = node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asks = node.func.attr in {"get", "pop", "setdefault"} and is_environment(
                node.func.value
            )
            if node.args and (asks or node.func.attr == "getenv"):
                key = node.args[0]
        elif isinstance(node, ast.Compare) and is_environment(node.comparators[0]):
            key = node.left
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value


def is_environment(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in {"environ", "environment"}


def test_every_environment_variable_is_documented() -> None:
    page = (REFERENCE / "environment.md").read_text(encoding="utf-8")
    asked = {
        name: sources.shown(path)
        for path in sources.modules("src")
        for name in environment_variables(sources.tree_of(path))
    }
    assert "KUBECONFIG" in asked
    missing = {
        name: where
        for name, where in asked.items()
        if name not in INTERNAL and f"`{name.upper()}`" not in page
    }
    assert missing == {}


def test_questions_to_the_environment_are_seen() -> None:
    code = (
        "os.environ['A']; os.environ.get('B'); os.getenv('C'); 'D' in os.environ\n"
        "environment.get('E', ''); other.get('F')"
    )
    assert set(environment_variables(ast.parse(code))) == {"A", "B", "C", "D", "E"}
