"""The CustomResourceDefinition of TrafficPlans: what routers do, and what is in force at each."""

from __future__ import annotations

import msgspec

from serinus.api import traffic_plan, v1alpha1
from serinus.install import schema
from serinus.install.schema import Schema
from serinus.install.settings import Manifest, Settings, metadata
from serinus.traffic.envoy.report import Report

NAME = f"{traffic_plan.PLURAL}.{v1alpha1.GROUP}"


def definition(settings: Settings) -> Manifest:
    """Return the definition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata(settings, NAME),
        "spec": {
            "group": v1alpha1.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": traffic_plan.KIND,
                "listKind": f"{traffic_plan.KIND}List",
                "plural": traffic_plan.PLURAL,
                "singular": traffic_plan.KIND.lower(),
                "shortNames": ["tplan"],
                "categories": ["serinus"],
            },
            "versions": [
                {
                    "name": v1alpha1.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": "Weight", "type": "number", "jsonPath": ".spec.split.weight"},
                        {"name": "Generation", "type": "integer", "jsonPath": _GENERATION},
                        {
                            "name": "Routers",
                            "type": "string",
                            "jsonPath": ".status.routers[*].inForceGeneration",
                        },
                        {"name": "Age", "type": "date", "jsonPath": _CREATED},
                    ],
                    "schema": {"openAPIV3Schema": plan()},
                }
            ],
        },
    }


_GENERATION = ".metadata.generation"
_CREATED = ".metadata.creationTimestamp"


def plan() -> Schema:
    """Return the schema of a TrafficPlan.

    Nothing is filled in: routers know what is meant where a plan says nothing, and what they
    decode is checked by them, with more words.
    """
    spec = _without_defaults(schema.inlined(msgspec.json.schema(traffic_plan.Spec)))
    # Rules and identities are a language of their own.
    spec["properties"]["split"]["x-kubernetes-preserve-unknown-fields"] = True
    entry = _without_defaults(schema.inlined(msgspec.json.schema(Report)))
    entry["properties"]["inForce"] = {"type": "boolean"}
    entry["description"] = "What one router does by now; written by that router alone."
    entry["required"] = ["router"]
    return {
        "description": "What the routers in front of one Service do.",
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": {
                "type": "object",
                "properties": {
                    "routers": {
                        "description": "What is in force, each told by one router's pod.",
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["router"],
                        "items": entry,
                    }
                },
            },
        },
        "required": ["spec"],
    }


def _without_defaults(found: Schema) -> Schema:
    made = {key: value for key, value in found.items() if key != "default"}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = _without_defaults(made[key])
    if "properties" in made:
        made["properties"] = {k: _without_defaults(v) for k, v in made["properties"].items()}
    if made.get("type") == "integer":
        made["format"] = "int64"
    return made
