"""CustomResourceDefinitions: their defaults, checks, status, and the resources that they add."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.custom.behaviour import Custom
from serinus.kubernetes_model.custom.rules import Evaluate
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.validation import names

Manifest = dict[str, Any]

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are gone."""


def default(definition: Manifest) -> None:
    """Fill in what a definition leaves open."""
    spec = definition["spec"]
    spec.setdefault("conversion", {"strategy": "None"})
    if not spec["conversion"].get("strategy"):
        spec["conversion"]["strategy"] = "None"
    given = spec["names"]
    kind = given.get("kind", "")
    if kind and not given.get("singular"):
        given["singular"] = kind.lower()
    if kind and not given.get("listKind"):
        given["listKind"] = f"{kind}List"


def establish(definition: Manifest) -> None:
    """Give a new definition the status of accepted names."""
    time = definition["metadata"].get("creationTimestamp")
    definition["status"] = {
        "acceptedNames": dict(definition["spec"]["names"]),
        "conditions": [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", time),
            _condition(
                "Established",
                "InitialNamesAccepted",
                "the initial names have been accepted",
                time,
            ),
        ],
        "storedVersions": [
            version["name"]
            for version in definition["spec"]["versions"] or ()
            if version["storage"]
        ],
    }


def with_cleanup(definition: Manifest) -> Manifest:
    """Return a definition that cannot go before its objects."""
    metadata = definition["metadata"]
    finalizers = metadata.get("finalizers", [])
    if CLEANUP in finalizers or "deletionTimestamp" in metadata:
        return definition
    return {**definition, "metadata": {**metadata, "finalizers": [*finalizers, CLEANUP]}}


def follow(new: Manifest, old: Manifest) -> None:
    """Keep the status of a changed definition in step with its specification."""
    stored = list(old["status"].get("storedVersions") or ())
    stored += [
        version["name"]
        for version in new["spec"]["versions"] or ()
        if version["storage"] and version["name"] not in stored
    ]
    names_ = dict(new["spec"]["names"])
    new["status"] = {**old["status"], "acceptedNames": names_, "storedVersions": stored}


def _condition(kind: str, reason: str, message: str, time: str | None) -> Manifest:
    return {
        "type": kind,
        "status": "True",
        "lastTransitionTime": time,
        "reason": reason,
        "message": message,
    }


def check(definition: Manifest, old: Manifest | None) -> list[Problem]:
    """Return what is wrong with a definition."""
    spec = definition["spec"]
    given, versions = spec["names"], spec["versions"] or ()
    problems: list[Problem] = []
    if not spec.get("group"):
        problems.append(failures.required("spec.group"))
    wanted = f"{given.get('plural', '')}.{spec.get('group', '')}"
    if definition["metadata"].get("name", "") != wanted:
        words = 'must be spec.names.plural+"."+spec.group'
        shown = definition["metadata"].get("name", "")
        problems.append(failures.invalid("metadata.name", shown, words))
    problems += [
        failures.required(f"spec.names.{k}") for k in ("plural", "kind") if not given.get(k)
    ]
    if given.get("plural"):
        found = names.label_1035(given["plural"])
        problems += [failures.invalid("spec.names.plural", given["plural"], w) for w in found]
    if spec.get("scope") not in {"Cluster", "Namespaced"}:
        choices = ("Cluster", "Namespaced")
        problems.append(failures.not_supported("spec.scope", spec.get("scope", ""), choices))
    if sum(bool(version["storage"]) for version in versions) != 1:
        words = "must have exactly one version marked as storage version"
        problems.append(failures.invalid("spec.versions", versions, words))
    for index, version in enumerate(versions):
        problems += _check_version(version, f"spec.versions[{index}]")
    if old is not None:
        for key in ("group", "scope"):
            if spec.get(key) != old["spec"].get(key):
                problems.append(
                    failures.invalid(f"spec.{key}", spec.get(key), "field is immutable")
                )
    return problems


def _check_version(version: Manifest, field: str) -> list[Problem]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    path = f"{field}.schema.openAPIV3Schema"
    if schema is None:
        return [failures.required(path, "schemas are required")]
    if schema.get("type") != "object":
        words = "must be object at the root"
        return [failures.invalid(f"{path}.type", schema.get("type", ""), words)]
    return _check_structure(schema, path)


def _check_structure(schema: Any, field: str) -> list[Problem]:
    """Refuse schemas that are not structural: below the root everything has a type."""
    problems: list[Problem] = []
    untyped = not schema.get("type") and not schema.get("x-kubernetes-int-or-string")
    if untyped and not schema.get("x-kubernetes-preserve-unknown-fields"):
        problems.append(
            failures.required(f"{field}.type", "must not be empty for specified object fields")
        )
    if schema.get("type") == "array":
        if "items" not in schema:
            problems.append(failures.required(f"{field}.items", "must be specified"))
        else:
            problems += _check_structure(schema["items"], f"{field}.items")
    for key, below in schema.get("properties", {}).items():
        problems += _check_structure(below, f"{field}.properties[{key}]")
    if isinstance(schema.get("additionalProperties"), dict):
        below = schema["additionalProperties"]
        problems += _check_structure(below, f"{field}.additionalProperties")
    return problems


def behaviours(definition: Manifest, evaluate: Evaluate | None) -> list[Custom]:
    """Return one behaviour for each served version of a definition."""
    spec = definition["spec"]
    stored = next((v["name"] for v in spec["versions"] if v["storage"]), "")
    return [
        Custom(_resource(spec, version), version["schema"]["openAPIV3Schema"], stored, evaluate)
        for version in spec["versions"]
        if version["served"]
    ]


def _resource(spec: Manifest, version: Manifest) -> Resource:
    given = spec["names"]
    extra = version.get("subresources") or {}
    return Resource(
        spec["group"],
        version["name"],
        given["kind"],
        given["plural"],
        given["singular"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(given.get("shortNames") or ()),
        categories=tuple(given.get("categories") or ()),
        subresources=("status",) if "status" in extra else (),
    )
