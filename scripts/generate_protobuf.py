"""Write the field table by which the local cluster reads Kubernetes' protobuf.

The numbers come from the struct tags of the published Go modules k8s.io/api and
k8s.io/apimachinery; run it as `python scripts/generate_protobuf.py GO_MODULE_CACHE VERSION`,
for instance with `$(go env GOMODCACHE) v0.36.3`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "src/serinus/local_cluster/server/protobuf/fields.json"
PACKAGES = {
    "core/v1": "api/core/v1",
    "apps/v1": "api/apps/v1",
    "events.k8s.io/v1": "api/events/v1",
    "discovery.k8s.io/v1": "api/discovery/v1",
    "coordination.k8s.io/v1": "api/coordination/v1",
    "autoscaling/v2": "api/autoscaling/v2",
    "autoscaling/v1": "api/autoscaling/v1",
    "policy/v1": "api/policy/v1",
    "rbac.authorization.k8s.io/v1": "api/rbac/v1",
    "authentication.k8s.io/v1": "api/authentication/v1",
    "authorization.k8s.io/v1": "api/authorization/v1",
    "meta/v1": "apimachinery/pkg/apis/meta/v1",
}
ALIASES = {"v1": "core/v1", "corev1": "core/v1", "metav1": "meta/v1"}
FOREIGN = {
    "types.UID": "string",
    "intstr.IntOrString": "int-or-string",
    "resource.Quantity": "quantity",
    "runtime.RawExtension": "raw",
    "Time": "time",
    "MicroTime": "time-micro",
    "FieldsV1": "raw-fields",
    "Duration": "duration",
}
SCALARS = {"string", "bool", "int32", "int64", "uint32", "float64"}
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^type (\w+) (map\[.*|\[\].*|[\w.]+)$", re.MULTILINE)
FIELD = re.compile(
    r"^\s+(?:(?P<name>\w+)\s+)?(?P<type>[\w.*\[\]]+)\s+`(?P<tags>[^`]*)`", re.MULTILINE
)


def main() -> None:
    """Read the Go sources and write the table."""
    cache, version = Path(sys.argv[1]), sys.argv[2]
    structs: dict[str, str] = {}
    named: dict[str, str] = {}
    for package, folder in PACKAGES.items():
        module, _, inner = folder.partition("/")
        source = "\n".join(
            path.read_text()
            for path in sorted((cache / f"k8s.io/{module}@{version}" / inner).glob("*.go"))
            if not path.name.startswith(("zz_", "generated"))
        )
        structs.update({f"{package}.{name}": body for name, body in STRUCT.findall(source)})
        named.update({f"{package}.{name}": type_ for name, type_ in NAMED.findall(source)})
    messages: dict[str, list[list[object]]] = {}
    kinds = {
        full: body
        for full, body in structs.items()
        if "metav1.TypeMeta" in body or (full.startswith("meta/v1") and "TypeMeta `" in body)
    }
    waiting = [name for name in kinds if not name.endswith("List")]
    while waiting:
        full = waiting.pop()
        if full in messages:
            continue
        messages[full] = []
        package = full.rpartition(".")[0]
        for field in FIELD.finditer(structs[full]):
            entry = read_field(field, package, structs, named)
            if entry is not None:
                messages[full].append(entry)
                waiting += [
                    part.removeprefix("message:")
                    for part in str(entry[2]).split("|")
                    if part.startswith("message:")
                ]
    OUTPUT.write_text(
        json.dumps(
            {"made_by": f"scripts/generate_protobuf.py from k8s.io/api {version}"}
            | {"messages": dict(sorted(messages.items()))},
            separators=(",", ":"),
        )
        + "\n"
    )
    sys.stdout.write(f"{len(messages)} messages in {OUTPUT}\n")


def read_field(
    field: re.Match[str], package: str, structs: dict[str, str], named: dict[str, str]
) -> list[object] | None:
    """Return [number, JSON name, type, how to treat it] of one struct field."""
    tags = dict(re.findall(r'(\w+):"([^"]*)"', field["tags"]))
    if "protobuf" not in tags or "json" not in tags:
        return None
    number = int(tags["protobuf"].split(",")[1])
    json_name, *options = tags["json"].split(",")
    go_type = field["type"]
    how = "inline" if "inline" in options else "pointer" if go_type.startswith("*") else "value"
    resolved = resolve(go_type.removeprefix("*"), package, structs, named)
    return [number, json_name, resolved, how]


def resolve(type_: str, package: str, structs: dict[str, str], named: dict[str, str]) -> str:
    """Return what a Go type is on the wire; `|` separates a container from its items."""
    if type_ == "[]byte":
        return "bytes"
    if type_.startswith("[]"):
        return "list|" + resolve(type_[2:].removeprefix("*"), package, structs, named)
    if type_.startswith("map["):
        key, _, value = type_.removeprefix("map[").partition("]")
        del key  # every key of the published kinds is a string
        return "map|" + resolve(value, package, structs, named)
    if type_ in SCALARS:
        return type_
    short = type_.rpartition(".")[2]
    for word in (type_, short):
        if word in FOREIGN:
            return FOREIGN[word]
    if "." in type_:
        alias, _, name = type_.partition(".")
        full = f"{ALIASES[alias]}.{name}"
    else:
        full = f"{package}.{type_}"
    if full in structs:
        return f"message:{full}"
    return resolve(named[full], full.rpartition(".")[0], structs, named)


if __name__ == "__main__":
    main()
