"""Write docs/reference/command-line.md from the command line itself.

.venv/bin/python scripts/generate_command_reference.py
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from serinus.cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "command-line.md"

_HEAD = """\
# The command line

<!-- Written by scripts/generate_command_reference.py: change the code, then run it. -->

The same commands are `kubectl serinus ...` where kubectl is installed.
"""


def render() -> str:
    """Return the whole page."""
    root = typer.main.get_command(app)
    parts = [_HEAD]
    for words, command in _commands("serinus", root):
        parts.append(f"## {words}\n\n{_plain(command.help or '')}\n")
        parts += _arguments(command)
        options = [row for parameter in command.params if (row := _option(parameter))]
        if options:
            parts.append("\n".join(["| Option | Meaning |", "|---|---|", *options]) + "\n")
    return "\n".join(parts)


def _commands(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _commands(f"{words} {name}", inner)


def _arguments(command: Any) -> list[str]:
    rows = [
        f"| `{_name(parameter)}` | {_cell(getattr(parameter, 'help', '') or '')} |"
        for parameter in command.params
        if parameter.param_type_name == "argument"
    ]
    return ["\n".join(["| Argument | Meaning |", "|---|---|", *rows]) + "\n"] if rows else []


def _name(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> str:
    """Return a row; completion is the shell's own business."""
    if parameter.param_type_name != "option" or parameter.hidden or "completion" in parameter.name:
        return ""
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    value = "" if parameter.is_bool_flag or parameter.is_flag else f" `{_value(parameter)}`"
    default = ""
    if parameter.show_default and parameter.default not in (None, False, "", (), []):
        shown = getattr(parameter.default, "value", parameter.default)
        default = f" Default: `{shown}`."
    return f"| {names}{value} | {_cell(parameter.help or '')}{default} |"


def _value(parameter: Any) -> str:
    """Return the placeholder of an option's value; the choices where these are few."""
    if parameter.metavar:
        return str(parameter.metavar)
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ",".join(str(member.value) for member in kind)
    return str(getattr(kind, "__name__", "value")).upper()


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|").replace("\n", " ")


def _plain(text: str) -> str:
    """Drop rich's markup and the indentation of docstrings."""
    return re.sub(r"\[/?(bold|dim|italic|green|red|yellow|cyan)\]", "", text).strip("\n\b\f ")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
