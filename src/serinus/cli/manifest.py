"""Read a user's YAML file so that every error can name its line."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from serinus.errors import InvalidInput

_NULL = "tag:yaml.org,2002:null"
_PATH_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_DROPPED_TAGS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_INTEGER = re.compile(r"^(?:[-+]?0o?[0-7_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?(?:0|[1-9][0-9_]*))$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
    r"|[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


# PyYAML may come without its C half.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Dates and 12:30:45 stay text, as the API server sees them."""


def _trim() -> None:
    kept: dict[str, list[tuple[str, Any]]] = {}
    for first, resolvers in _Loader.yaml_implicit_resolvers.items():
        kept[first] = [
            (
                tag,
                _INTEGER if tag.endswith(":int") else _FLOAT if tag.endswith(":float") else regexp,
            )
            for tag, regexp in resolvers
            if tag not in _DROPPED_TAGS
        ]
    _Loader.yaml_implicit_resolvers = kept


_trim()


class Document:
    """One YAML document of a file: its value, and where each field stands."""

    def __init__(self, source: str, value: Any, node: yaml.Node | None) -> None:
        self.source = source
        self.value = value
        self._node = node

    def part(self, path: str, value: Any) -> Document:
        """Return what stands at a field path as a document of its own."""
        node = self._node
        for name, index in _PATH_PART.findall(path):
            found = _child(node, name, index)
            node = None if found is None else found[1]
        return Document(self.source, value, node)

    def line_of(self, path: str) -> int:
        """Return the line of a field path such as `spec.steps[0].setWeight`, or of the nearest."""
        node = self._node
        line = 1 if node is None else node.start_mark.line + 1
        for name, index in _PATH_PART.findall(path):
            found = _child(node, name, index)
            if found is None:
                break
            line, node = found
        return line

    def placed(self, error: InvalidInput) -> InvalidInput:
        """Return the error with file and line before each problem."""
        found = sorted((self.line_of(p.partition(":")[0]), p) for p in error.problems)
        return InvalidInput("manifest", [f"{self.source}:{line}: {p}" for line, p in found])


def _child(node: yaml.Node | None, name: str, index: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode) and name:
        for key, value in node.value:
            if key.value == name:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and index and int(index) < len(node.value):
        item = node.value[int(index)]
        return item.start_mark.line + 1, item
    return None


def read(path: Path) -> list[Document]:
    """Return the documents of a file; `-` is standard input.

    Raises:
        InvalidInput: the file cannot be read or is no YAML, with file, line and column.
    """
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(str(path), [error.strerror or str(error)]) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(str(path), [f"is no UTF-8 text ({error.reason})"]) from error
    source = "stdin" if str(path) == "-" else str(path)
    try:
        nodes = [n for n in yaml.compose_all(text, Loader=_Loader) if n.tag != _NULL]
        values = [value for value in yaml.load_all(text, Loader=_Loader) if value is not None]
    except yaml.YAMLError as error:
        raise InvalidInput("manifest", [_place(source, error)]) from error
    return [Document(source, value, node) for value, node in zip(values, nodes, strict=True)]


def _place(source: str, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    words = str(getattr(error, "problem", None) or error)
    if mark is None:
        return f"{source}: {words}"
    return f"{source}:{mark.line + 1}:{mark.column + 1}: {words}"
