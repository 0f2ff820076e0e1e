"""OpenAPI: what `kubectl explain` shows and by what `kubectl apply` makes its patches.

Schemas come from the model: the slim copy of Kubernetes' own for the built-in kinds, those of the
definitions for custom resources. Paths are as few as kubectl looks at: per resource one that can
be patched, which tells it that the server checks fields and which patches it takes
(k8s.io/kubectl/pkg/cmd/apply and k8s.io/cli-runtime's query_param_verifier_v3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from serinus import errors
from serinus.kubernetes_model import Object, PatchType, Resource
from serinus.kubernetes_model.kinds import CUSTOM_RESOURCE_DEFINITIONS
from serinus.kubernetes_model.schema import loader
from serinus.local_cluster.server.documents.discovery import VERSION
from serinus.local_cluster.server.live_cluster import LiveCluster

_REFERENCE = "#/components/schemas/"
_INFO = {"title": "Kubernetes", "version": VERSION}
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force")


class OpenAPI:
    """Make the documents of one cluster; each is kept until the resources change."""

    def __init__(self, live: LiveCluster) -> None:
        self._live = live
        self._cluster = live.cluster
        self._kinds_version = -1
        self._documents: dict[str, bytes] = {}

    def index(self) -> dict[str, Any]:
        """Return `/openapi/v3`: where the document of each group and version is."""
        paths = {}
        for path in self._paths():
            digest = hashlib.sha256(self.document(path)).hexdigest()[:32].upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return {"paths": paths}

    def document(self, path: str) -> bytes:
        """Return `/openapi/v3/PATH`.

        Raises:
            NotFound: there is no such group and version.
        """
        self._forget_if_changed()
        known = self._documents.get(path)
        if known is not None:
            return known
        served = [r for r in self._cluster.resources if _path_of(r) == path]
        if not served:
            raise errors.NotFound(
                f"the local cluster has no schemas for {path}", code=404, details={}
            )
        body = msgspec.json.encode(
            {
                "openapi": "3.0.0",
                "info": _INFO,
                "paths": {key: item for r in served for key, item in _paths_of(r)},
                "components": {"schemas": self._schemas(served)},
            }
        )
        self._documents[path] = body
        return body

    def version_2(self) -> dict[str, Any]:
        """Return `/openapi/v2`: all schemas in one document of the older form."""
        schemas = self._schemas(self._cluster.resources)
        text = msgspec.json.encode(schemas).replace(_REFERENCE.encode(), b"#/definitions/")
        return {
            "swagger": "2.0",
            "info": _INFO,
            "paths": {key: item for r in self._cluster.resources for key, item in _paths_of(r)},
            "definitions": msgspec.json.decode(text),
        }

    def _forget_if_changed(self) -> None:
        if self._kinds_version != self._live.kinds_version:
            self._kinds_version = self._live.kinds_version
            self._documents.clear()

    def _paths(self) -> list[str]:
        return sorted({_path_of(resource) for resource in self._cluster.resources})

    def _schemas(self, resources: Iterable[Resource]) -> dict[str, Any]:
        schemas = loader.built_in()
        wanted: list[str] = []
        found: dict[str, Any] = {}
        for resource in resources:
            name = schemas.component_name(resource.group, resource.version, resource.kind)
            if name is not None:
                wanted.append(name)
                continue
            custom = self._custom(resource)
            if custom is not None:
                found[_custom_name(resource)] = custom
                wanted.append(_OBJECT_META)
        while wanted:
            name = wanted.pop()
            if name in found or name not in schemas.components:
                continue
            found[name] = _public(schemas.components[name])
            wanted += _references(found[name])
        return found

    def _custom(self, resource: Resource) -> dict[str, Any] | None:
        """Return the schema that a definition gives a custom resource."""
        name = f"{resource.plural}.{resource.group}"
        try:
            definition: Object = self._cluster.get(CUSTOM_RESOURCE_DEFINITIONS, name)
        except errors.NotFound:
            return None
        for version in definition["spec"].get("versions") or ():
            if version["name"] == resource.version:
                schema = dict((version.get("schema") or {}).get("openAPIV3Schema") or {})
                schema["type"] = "object"
                schema["properties"] = {
                    **(schema.get("properties") or {}),
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"allOf": [{"$ref": f"{_REFERENCE}{_OBJECT_META}"}]},
                }
                schema["x-kubernetes-group-version-kind"] = [_kind(resource)]
                return schema
        return None


def _path_of(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _custom_name(resource: Resource) -> str:
    domain = ".".join(reversed(resource.group.split(".")))
    return f"{domain}.{resource.version}.{resource.kind}"


def _kind(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _public(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without the notes that are for the model alone."""
    return {key: value for key, value in schema.items() if not key.startswith("x-serinus-")}


def _references(schema: Any) -> Iterator[str]:
    """Yield the names of the schemas that one refers to."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_REFERENCE)
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _paths_of(resource: Resource) -> Iterator[tuple[str, dict[str, Any]]]:
    base = f"/{_path_of(resource)}"
    if resource.namespaced:
        base = f"{base}/namespaces/{{namespace}}"
    schemas = loader.built_in()
    component = schemas.component_name(resource.group, resource.version, resource.kind)
    name = component or _custom_name(resource)
    is_custom = component is None
    parameters = [
        {
            "name": parameter,
            "in": "query",
            "schema": {"type": "boolean" if parameter == "force" else "string"},
        }
        for parameter in _PARAMETERS
    ]
    patches = [kind.value for kind in PatchType if not (is_custom and kind is PatchType.STRATEGIC)]
    common = {"x-kubernetes-group-version-kind": _kind(resource)}
    answer = {
        "200": {
            "description": "OK",
            "content": {"application/json": {"schema": {"$ref": f"{_REFERENCE}{name}"}}},
        }
    }
    collection: dict[str, Any] = {
        "get": {**common, "x-kubernetes-action": "list", "responses": answer}
    }
    one: dict[str, Any] = {"get": {**common, "x-kubernetes-action": "get", "responses": answer}}
    if "create" in resource.verbs:
        collection["post"] = {
            **common,
            "x-kubernetes-action": "post",
            "parameters": parameters,
            "responses": answer,
        }
    if "patch" in resource.verbs:
        one["patch"] = {
            **common,
            "x-kubernetes-action": "patch",
            "parameters": parameters,
            "requestBody": {"content": {media: {"schema": {}} for media in patches}},
            "responses": answer,
        }
    yield f"{base}/{resource.plural}", collection
    yield f"{base}/{resource.plural}/{{name}}", one
