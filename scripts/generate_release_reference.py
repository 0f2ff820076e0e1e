"""Write docs/reference/canaryrelease.md from the definition of CanaryReleases.

.venv/bin/python scripts/generate_release_reference.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serinus.install import crd, schema
from serinus.install.settings import Settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "canaryrelease.md"

_HEAD = """\
# CanaryRelease

<!-- Written by scripts/generate_release_reference.py: change the code, then run it. -->

The object that says how a Deployment is released: one for each Deployment, in its namespace. With
the controller installed it is all there is to write; `kubectl explain canaryrelease.spec` says the
same as this page. Without a controller the same object is the [record](record.md) of a release.
`serinus lint FILE...` checks it without a cluster.

```yaml
apiVersion: serinus.dev/v1alpha1
kind: CanaryRelease
metadata: {name: shop}
spec:
  targetRef: {name: shop}
  service: {name: shop}
  steps:
  - setWeight: 5
  - pause: {duration: 10m}
  - setWeight: 25
  - pause: {}
```
"""
_UNSAID = """\
Unknown fields are refused by `kubectl` (`--validate=strict`, its default), and dropped for clients
that do not ask. A pause or window longer than a year, and whatever depends on other objects,
becomes a condition with the field's path.
"""
_NAMES = """\
Short name `crel`; categories `all` and `serinus`: whoever looks at `kubectl get all` sees why a
Deployment does not roll out, and `kubectl delete all --all` lets the release go with its Deployment
and Service.
"""
_LIMITS = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("maxItems", "at most {} items"),
    ("minLength", "not empty"),
    ("maxLength", "at most {} characters"),
)


def render() -> str:
    """Return the whole page."""
    fields = schema.release()["properties"]
    parts = [
        _HEAD,
        "## Spec\n\nWhat is left out is filled in by the API server.\n",
        _table(("Field", "Type", "Default", "Meaning"), map(_row, _fields("spec", fields["spec"]))),
        "## What the API server refuses\n\nWithout a webhook, by the schema and by rules in CEL:\n",
        _table(("Field", "Refused unless"), _refusals(fields["spec"])),
        _UNSAID,
        "## Status\n\nWritten by whoever drives the release. Times are RFC 3339.\n",
        _table(("Field", "Type", "Meaning"), map(_status_row, _fields("status", fields["status"]))),
        "## In `kubectl get`\n",
        _table(("Column", "Field", "Shown"), map(_column, _columns())),
        _NAMES,
    ]
    return "\n".join(parts)


def _fields(path: str, found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in found.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, field
        below = field.get("items", field)
        if name != "conditions":
            yield from _fields(here + "[]" * ("items" in field), below)


def _row(item: tuple[str, dict[str, Any]]) -> tuple[str, ...]:
    path, field = item
    default = "" if "default" not in field else f"`{json.dumps(field['default'])}`"
    return (f"`{path}`", _type(field), default, field["description"])


def _status_row(item: tuple[str, dict[str, Any]]) -> tuple[str, ...]:
    path, field = item
    return (f"`{path}`", _type(field), field["description"])


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if "items" in field:
        return f"list of {_type(field['items'])}"
    return "time" if field.get("format") == "date-time" else str(field["type"])


def _refusals(spec: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    yield from _of_field("spec", spec)
    for path, field in _fields("spec", spec):
        yield from _of_field(path, field)
        if "items" in field:
            yield from _of_field(f"{path}[]", field["items"])


def _of_field(path: str, field: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    said = [words.format(field[key]) for key, words in _LIMITS if key in field]
    if "pattern" in field:
        said.append(f"matches `{field['pattern'].replace('|', chr(92) + '|')}`")
    if "enum" in field:
        said.append(f"one of {_type(field)}")
    if "required" in field:
        said.append("has " + ", ".join(f"`{name}`" for name in field["required"]))
    if said:
        yield f"`{path}`", "; ".join(said)
    for rule in field.get("x-kubernetes-validations", ()):
        text = rule["rule"].replace("|", "\\|")
        yield f"`{path}`", f"`{text}`: {rule['message']}"


def _columns() -> list[dict[str, Any]]:
    (version,) = crd.definition(Settings())["spec"]["versions"]
    columns: list[dict[str, Any]] = version["additionalPrinterColumns"]
    return columns


def _column(column: dict[str, Any]) -> tuple[str, ...]:
    shown = "with `-o wide`" if column.get("priority") else "always"
    return (column["name"], f"`{column['jsonPath'].lstrip('.')}`", shown)


def _table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]] | map[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
