"""Build nodes from OpenAPI, kind by kind and only when one is asked for."""

from __future__ import annotations

import functools
import importlib.resources
from typing import Any

import msgspec

from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.schema.nodes import (
    ANY,
    ListNode,
    ListType,
    MapNode,
    Node,
    ObjectNode,
    ScalarNode,
)

_OMIT_ZERO = "x-serinus-omit-zero"
_WHEN_ABSENT = "x-serinus-when-absent"
_LEAVES = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": ScalarNode("quantity"),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": ScalarNode("int-or-string"),
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": ScalarNode("string", "date-time"),
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": ScalarNode("string", "micro-time"),
}


class Schemas:
    """The OpenAPI components of one Kubernetes version, and the nodes built from them."""

    def __init__(self, content: bytes) -> None:
        document = msgspec.json.decode(content)
        self.kubernetes_version: str = document["kubernetesVersion"]
        self.components: dict[str, dict[str, Any]] = document["schemas"]
        """As `/openapi/v3` has them, with descriptions."""
        self._by_kind: dict[tuple[str, str, str], str] = {}
        self._nodes: dict[str, Node] = dict(_LEAVES)
        for name, schema in self.components.items():
            for gvk in schema.get("x-kubernetes-group-version-kind", ()):
                self._by_kind[gvk["group"], gvk["version"], gvk["kind"]] = name

    def component_name(self, group: str, version: str, kind: str) -> str | None:
        """Return the name of the component that describes a kind."""
        return self._by_kind.get((group, version, kind))

    def node(self, group: str, version: str, kind: str) -> ObjectNode:
        """Return the type of a kind.

        Raises:
            KeyError: the file has no such kind.
        """
        node = self.component(self._by_kind[group, version, kind])
        if not isinstance(node, ObjectNode):
            raise KeyError(kind)
        return node

    def of(self, resource: Resource) -> ObjectNode:
        """Return the type of a built-in resource's objects."""
        return self.node(resource.group, resource.version, resource.kind)

    def component(self, name: str) -> Node:
        """Return the node of a named component, building it at the first call."""
        found = self._nodes.get(name)
        if found is not None:
            return found
        schema = self.components[name]
        if schema.get("type") != "object" or "properties" not in schema:
            self._nodes[name] = leaf = self._inline(schema)
            return leaf
        node = ObjectNode(name.rpartition(".")[2])
        self._nodes[name] = node
        self._fill(node, schema)
        return node

    def _fill(self, node: ObjectNode, schema: dict[str, Any]) -> None:
        always = []
        for key, field in schema["properties"].items():
            child = self._inline(field)
            node.properties[key] = child
            if isinstance(child, ObjectNode) and field.get("default") == {}:
                always.append(key)
            if not isinstance(child, ListNode) and (strategies := _strategies(field)):
                node.patch_strategies[key] = strategies
        node.always_present = tuple(always)
        node.omitted_when_zero = frozenset(
            key
            for key in schema.get(_OMIT_ZERO, ())
            if not isinstance(node.properties[key], ObjectNode)
        )
        node.atomic = schema.get("x-kubernetes-map-type") == "atomic"
        node.when_absent = schema.get(_WHEN_ABSENT, {})

    def _inline(self, field: dict[str, Any]) -> Node:
        reference = field.get("$ref") or field.get("allOf", [{}])[0].get("$ref")
        if reference:
            return self.component(reference.rpartition("/")[2])
        type_ = field.get("type")
        if type_ == "array":
            return self._list(field)
        if type_ == "object":
            if "additionalProperties" not in field:
                return ANY
            atomic = field.get("x-kubernetes-map-type") == "atomic"
            return MapNode(self._inline(field["additionalProperties"]), atomic=atomic)
        if type_ is None:
            return ANY
        return ScalarNode(type_, field.get("format", ""))

    def _list(self, field: dict[str, Any]) -> ListNode:
        items = self._inline(field["items"])
        keys = tuple(field.get("x-kubernetes-list-map-keys", ()))
        list_type = ListType(field.get("x-kubernetes-list-type", "atomic"))
        node = ListNode(items, list_type, keys)
        node.merge_key = field.get("x-kubernetes-patch-merge-key")
        node.patch_strategies = _strategies(field)
        if keys:
            reference = field["items"].get("$ref") or field["items"]["allOf"][0]["$ref"]
            properties = self.components[reference.rpartition("/")[2]]["properties"]
            node.key_defaults = {
                key: properties[key]["default"] for key in keys if "default" in properties[key]
            }
        return node


@functools.cache
def built_in() -> Schemas:
    """Return the schemas of the built-in kinds; read once."""
    folder = importlib.resources.files(__package__)
    return Schemas(folder.joinpath("openapi.json").read_bytes())


def _strategies(field: dict[str, Any]) -> tuple[str, ...]:
    text: str = field.get("x-kubernetes-patch-strategy", "")
    return tuple(text.split(",")) if text else ()
