"""Write the slim OpenAPI file of the Kubernetes model from what Kubernetes publishes.

    python scripts/generate_openapi.py --openapi DIR --modules DIR [--version v1.36.3]

`--openapi` holds the documents of `/openapi/v3` (one JSON file a group and version), as a real
kube-apiserver answers them or as `api/openapi-spec/v3` of the Go module k8s.io/kubernetes has
them. `--modules` is the module cache's folder `k8s.io`, for what OpenAPI does not say: which
fields Go leaves out when they are zero (`omitempty` on a field that is no pointer).
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from serinus.kubernetes_model.kinds import KINDS

OUTPUT = Path("src/serinus/kubernetes_model/schema/openapi.json")
OMIT_ZERO = "x-serinus-omit-zero"
NULL_WHEN_ABSENT = "x-serinus-null-when-absent"
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
    """Mark what Go does with zeros; shorten lists of every group and version."""
    result = dict(schema)
    kinds = result.get("x-kubernetes-group-version-kind", ())
    if len(kinds) > 2:
        result["x-kubernetes-group-version-kind"] = [k for k in kinds if k["group"] == ""]
    omitted, null = structs.omitted_when_zero(name), structs.null_when_absent(name)
    unknown = (omitted | null) - result.get("properties", {}).keys()
    if unknown:
        raise SystemExit(f"the Go type has fields that the schema lacks: {sorted(unknown)}")
    if omitted:
        result[OMIT_ZERO] = sorted(omitted)
    if null:
        result[NULL_WHEN_ABSENT] = sorted(null)
    return result


class GoStructs:
    """What the Go source says about a schema's fields."""

    def __init__(self, modules: Path, module_version: str) -> None:
        self._modules = modules
        self._version = module_version
        self._packages: dict[Path, dict[str, str]] = {}

    def omitted_when_zero(self, schema_name: str) -> set[str]:
        """Return the JSON names of the fields that are no pointers and say omitempty."""
        return {
            name
            for name, go_type, omits in self._fields(schema_name)
            if omits and not self._is_kept(go_type)
        }

    def null_when_absent(self, schema_name: str) -> set[str]:
        """Return the JSON names of lists and maps that do not say omitempty."""
        return {
            name
            for name, go_type, omits in self._fields(schema_name)
            if not omits and go_type.startswith(("[]", "map["))
        }

    def _fields(self, schema_name: str) -> list[tuple[str, str, bool]]:
        for prefix, folder in SOURCES.items():
            if schema_name.startswith(prefix):
                *package, struct = schema_name.removeprefix(prefix).split(".")
                root = self._modules / folder.format(module=self._version)
                return list(self._of_struct(root / Path(*package), struct))
        raise SystemExit(f"no Go source is known for {schema_name}")

    def _of_struct(self, folder: Path, struct: str) -> Iterator[tuple[str, str, bool]]:
        body = self._package(folder).get(struct, "")
        for line in body.splitlines():
            if match := FIELD.match(line):
                _, go_type, tags = match.groups()
                name, _, options = self._json(tags).partition(",")
                if name and name != "-":
                    yield name, go_type, "omitempty" in options
            elif match := EMBEDDED.match(line):
                if "inline" in self._json(match.group(2)) and "." not in match.group(1):
                    yield from self._of_struct(folder, match.group(1))

    @staticmethod
    def _json(tags: str) -> str:
        match = TAG.search(tags)
        return match.group(1) if match else ""

    @staticmethod
    def _is_kept(go_type: str) -> bool:
        """Tell whether Go's omitempty keeps a zero: pointers, and structs of other packages."""
        structs = {"metav1.ObjectMeta", "metav1.ListMeta", "metav1.Time", "metav1.MicroTime"}
        return go_type.startswith("*") or go_type in structs

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
