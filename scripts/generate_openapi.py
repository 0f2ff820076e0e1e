"""Write the slim OpenAPI file of the Kubernetes model from what Kubernetes publishes.

    python scripts/generate_openapi.py --openapi DIR --modules DIR [--version v1.36.3]

`--openapi` holds the documents of `/openapi/v3` (one JSON file a group and version), as a real
kube-apiserver answers them (`python -m tests.control_plane.openapi DIR` asks one).
`--modules` is the module cache's folder `k8s.io`, for what OpenAPI does not say: which fields Go
leaves out when they are zero (`omitempty` on a field that is no pointer).
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from serinus.kubernetes_model.kinds import KINDS

OUTPUT = Path("src/serinus/kubernetes_model/schema/openapi.json")
OMIT_ZERO = "x-serinus-omit-zero"
WHEN_ABSENT = "x-serinus-when-absent"
ZEROS = {"string": "", "integer": 0, "number": 0, "boolean": False}
OMITTED, KEPT = object(), object()
STRUCT_ZEROS = {"Quantity": "0", "IntOrString": 0, "Time": None, "MicroTime": None}
SUBRESOURCE_KINDS = {
    ("autoscaling", "v1", "Scale"),
    ("policy", "v1", "Eviction"),
    ("", "v1", "Binding"),
    ("", "v1", "Status"),
}
SOURCES = {
    "io.k8s.api.": "api@v{module}/",
    "io.k8s.apimachinery.": "apimachinery@v{module}/",
    "io.k8s.apiextensions-apiserver.": "apiextensions-apiserver@v{module}/",
}
FIELD = re.compile(r"^\s+(\w+)\s+(\S+)\s+`([^`]*)`")
EMBEDDED = re.compile(r"^\s+([\w.]+)\s+`([^`]*)`")
STRUCT = re.compile(r"^type (\w+) struct \{(.*?)^\}", re.MULTILINE | re.DOTALL)
TAG = re.compile(r'json:"([^"]*)"')


def main() -> None:
    """Read both sources, keep what the kinds need, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--openapi", type=Path, required=True)
    parser.add_argument("--modules", type=Path, required=True)
    parser.add_argument("--version", default="v1.36.3")
    arguments = parser.parse_args()
    schemas: dict[str, Any] = {}
    for file in sorted(arguments.openapi.glob("*.json")):
        document = json.loads(file.read_text())
        schemas.update(document.get("components", {}).get("schemas", {}))
    kept = closure(schemas, roots(schemas))
    structs = GoStructs(arguments.modules, arguments.version.replace("v1.", "0."))
    slim = {name: slimmed(schemas[name], structs, name) for name in sorted(kept)}
    content = {
        "madeBy": "scripts/generate_openapi.py from /openapi/v3 and the Go types of Kubernetes",
        "kubernetesVersion": arguments.version,
        "schemas": slim,
    }
    OUTPUT.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"{OUTPUT}: {len(slim)} schemas, {OUTPUT.stat().st_size:,} bytes")


def roots(schemas: dict[str, Any]) -> Iterator[str]:
    """Yield the schemas of the kinds in the table, and of the bodies of their subresources."""
    wanted = {(r.group, r.version, r.kind) for r in KINDS} | SUBRESOURCE_KINDS
    for name, schema in schemas.items():
        for gvk in schema.get("x-kubernetes-group-version-kind", ()):
            if (gvk["group"], gvk["version"], gvk["kind"]) in wanted:
                yield name


def closure(schemas: dict[str, Any], names: Iterable[str]) -> set[str]:
    """Return the names and all that they refer to."""
    todo, kept = list(names), set[str]()
    while todo:
        name = todo.pop()
        if name not in kept:
            kept.add(name)
            todo.extend(references(schemas[name]))
    return kept


def references(node: Any) -> Iterator[str]:
    """Yield the names of all schemas that one schema names."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def slimmed(schema: dict[str, Any], structs: GoStructs, name: str) -> dict[str, Any]:
    """Mark what Go does with what is absent or zero; shorten lists of every group and version."""
    result = dict(schema)
    kinds = result.get("x-kubernetes-group-version-kind", ())
    if len(kinds) > 2:
        result["x-kubernetes-group-version-kind"] = [k for k in kinds if k["group"] == ""]
    omitted: list[str] = []
    absent: dict[str, Any] = {}
    for field in sorted(structs.fields(name)):
        if field.name not in result.get("properties", {}):
            raise SystemExit(f"the Go type {name} has {field.name}, which the schema lacks")
        zero = field.zero(result["properties"][field.name])
        if zero is OMITTED:
            omitted.append(field.name)
        elif zero is not KEPT:
            absent[field.name] = zero
    if omitted:
        result[OMIT_ZERO] = omitted
    if absent:
        result[WHEN_ABSENT] = absent
    return result


class Field(NamedTuple):
    """One field of a Go struct."""

    name: str
    go_type: str
    options: tuple[str, ...]

    def zero(self, schema: dict[str, Any]) -> Any:
        """Return what Go writes for a zero: a value, OMITTED, or KEPT (a zero is a value too)."""
        omits = "omitempty" in self.options
        if self.go_type.startswith("*"):
            return KEPT if omits else None
        if "omitzero" in self.options:
            return OMITTED
        type_ = schema.get("type")
        if self.go_type.startswith(("[]", "map[")) or type_ == "array":
            return OMITTED if omits else None
        struct = self.go_type.rpartition(".")[2]
        if struct in STRUCT_ZEROS:
            return STRUCT_ZEROS[struct]
        if type_ == "object" and "additionalProperties" in schema:
            return OMITTED if omits else None
        if type_ not in ZEROS:
            return KEPT
        return OMITTED if omits else ZEROS[type_]


class GoStructs:
    """What the Go source says about a schema's fields."""

    def __init__(self, modules: Path, module_version: str) -> None:
        self._modules = modules
        self._version = module_version
        self._packages: dict[Path, dict[str, str]] = {}

    def fields(self, schema_name: str) -> Iterator[Field]:
        """Yield the fields of the Go type that a schema describes."""
        for prefix, folder in SOURCES.items():
            if schema_name.startswith(prefix):
                *package, struct = schema_name.removeprefix(prefix).split(".")
                root = self._modules / folder.format(module=self._version)
                return self._of_struct(root / Path(*package), struct)
        raise SystemExit(f"no Go source is known for {schema_name}")

    def _of_struct(self, folder: Path, struct: str) -> Iterator[Field]:
        for line in self._package(folder).get(struct, "").splitlines():
            if match := FIELD.match(line):
                _, go_type, tags = match.groups()
                name, *options = self._json(tags).split(",")
                if name and name != "-":
                    yield Field(name, go_type, tuple(options))
                continue
            match = EMBEDDED.match(line)
            if match and "inline" in self._json(match.group(2)) and "." not in match.group(1):
                yield from self._of_struct(folder, match.group(1))

    @staticmethod
    def _json(tags: str) -> str:
        match = TAG.search(tags)
        return match.group(1) if match else ""

    def _package(self, folder: Path) -> dict[str, str]:
        if folder not in self._packages:
            found: dict[str, str] = {}
            for file in sorted(folder.glob("*.go")):
                if not file.name.endswith("_test.go"):
                    found.update(STRUCT.findall(file.read_text()))
            self._packages[folder] = found
        return self._packages[folder]


if __name__ == "__main__":
    main()
