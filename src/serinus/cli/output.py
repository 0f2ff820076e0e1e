"""Data on stdout: json, yaml, names or text, and nothing else there."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from serinus.cli.options import Output


class Answer(msgspec.Struct, frozen=True):
    """One answer in each of its forms."""

    body: dict[str, Any]
    text: str
    name: str

    def write(self, output: Output) -> None:
        """Write it in the form that was asked for."""
        write(output, self.body, self.text, self.name)


def write(output: Output, body: Mapping[str, Any], text: str, name: str) -> None:
    """Write one answer in the form that was asked for."""
    match output:
        case Output.JSON:
            sys.stdout.write(to_json(body))
        case Output.YAML:
            sys.stdout.write(to_yaml(body))
        case Output.NAME:
            sys.stdout.write(f"{name}\n")
        case Output.TEXT:
            sys.stdout.write(text if text.endswith("\n") or not text else f"{text}\n")


def to_json(body: Any) -> str:
    """Return indented JSON with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode() + "\n"


def to_yaml(body: Any) -> str:
    """Return block YAML in the order in which the fields stand."""
    import yaml

    plain = msgspec.json.decode(msgspec.json.encode(body))
    text: str = yaml.dump(plain, sort_keys=False, default_flow_style=False, allow_unicode=True)
    return text


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return columns as kubectl prints them: capitals above, three spaces between."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
    return "\n".join(lines) + "\n"
