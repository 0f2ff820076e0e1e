"""Nothing grows beyond what one reads at a sitting. An exception is a line here, with a reason."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from tests.tidy import sources

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
LINE_MAX = 100
FOLDER_MODULES_MAX = 12
DOCSTRING_LINES_MAX = 12
POSITIONAL_MAX = 4

LONG_DOCSTRINGS = {"src/serinus/errors.py": "draws the tree of exceptions"}

# Where typer reads the options of a verb from a function's parameters.
MANY_PARAMETERS = sources.PACKAGE / "cli"


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count from the first statement to the end, without signature and docstring."""
    first = function.body[0]
    has_docstring = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    statements = function.body[1:] if has_docstring else function.body
    if not statements:
        return 0
    return (function.end_lineno or 0) - statements[0].lineno + 1


def positional_count(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
    return len([name for name in names if name not in {"self", "cls"}])


def test_no_module_is_longer_than_500_lines() -> None:
    lengths = {
        sources.shown(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources.modules()
    }
    assert len(lengths) > 20
    assert {name: n for name, n in lengths.items() if n > MODULE_LINES_MAX} == {}


def test_no_function_is_longer_than_70_lines() -> None:
    long = {
        f"{sources.shown(path)}:{function.lineno} {function.name}": body_lines(function)
        for path in sources.modules("src", "tests", "benchmarks")
        for function in sources.functions(path)
        if body_lines(function) > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_no_line_of_code_is_longer_than_100_characters() -> None:
    long = [
        f"{sources.shown(path)}:{number}"
        for path in sources.modules()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        # An address cannot be broken.
        if len(line) > LINE_MAX and "://" not in line
    ]
    assert long == []


def test_no_folder_of_the_package_holds_more_than_12_modules() -> None:
    count: Counter[Path] = Counter(
        path.parent for path in sources.modules("src") if path.name != "__init__.py"
    )
    full = {sources.shown(f): n for f, n in count.items() if n > FOLDER_MODULES_MAX}
    assert full == {}


def test_every_module_of_the_package_begins_with_a_short_docstring() -> None:
    wrong = {}
    for path in sources.modules("src"):
        docstring = ast.get_docstring(sources.tree_of(path), clean=False) or ""
        lines = len(docstring.strip().splitlines())
        is_exempt = path.name == "__main__.py" or sources.shown(path) in LONG_DOCSTRINGS
        if not 1 <= lines <= DOCSTRING_LINES_MAX and not is_exempt:
            wrong[sources.shown(path)] = lines
    assert wrong == {}


def test_no_function_takes_more_than_4_positional_parameters() -> None:
    many = {
        f"{sources.shown(path)}:{function.lineno} {function.name}": positional_count(function)
        for path in sources.modules("src")
        if not path.is_relative_to(MANY_PARAMETERS)
        for function in sources.functions(path)
        if positional_count(function) > POSITIONAL_MAX
    }
    assert many == {}
