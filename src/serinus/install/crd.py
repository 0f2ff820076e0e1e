"""The CustomResourceDefinition of CanaryReleases."""

from __future__ import annotations

from serinus.api import v1alpha1
from serinus.install import schema
from serinus.install.settings import (
    CONTROLLER_NAMESPACE_ANNOTATION,
    Manifest,
    Settings,
    metadata,
)

NAME = f"{v1alpha1.PLURAL}.{v1alpha1.GROUP}"


def definition(settings: Settings) -> Manifest:
    """Return the definition; where no controller runs, it names no namespace of one."""
    meta = metadata(settings, NAME)
    if settings.controller:
        meta["annotations"] = {CONTROLLER_NAMESPACE_ANNOTATION: settings.namespace}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": meta,
        "spec": {
            "group": v1alpha1.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": v1alpha1.KIND,
                "listKind": f"{v1alpha1.KIND}List",
                "plural": v1alpha1.PLURAL,
                "singular": v1alpha1.KIND.lower(),
                "shortNames": ["crel"],
                # Who looks at `kubectl get all` sees why a Deployment does not roll out, and
                # `kubectl delete all --all` takes the release with its Deployment and Service.
                "categories": ["all", "serinus"],
            },
            "versions": [_version()],
        },
    }


def _version() -> Manifest:
    return {
        "name": v1alpha1.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": schema.release()},
    }


def _columns() -> list[Manifest]:
    shown = [
        ("Phase", "string", ".status.phase"),
        ("Step", "integer", ".status.stepIndex"),
        ("Weight", "number", ".status.weight"),
        ("Message", "string", ".status.message"),
        ("Age", "date", ".metadata.creationTimestamp"),
    ]
    wide = [
        ("In-Force", "number", ".status.inForceWeight"),
        ("Deployment", "string", ".spec.targetRef.name"),
        ("Service", "string", ".spec.service.name"),
        ("Stable", "string", ".status.stableHash"),
        ("Canary", "string", ".status.canaryHash"),
        ("Until", "string", ".status.pauseUntilTime"),
        ("Waiting", "string", ".status.waiting.reason"),
    ]
    return [
        {"name": name, "type": kind, "jsonPath": path, **more}
        for columns, more in ((shown, {}), (wide, {"priority": 1}))
        for name, kind, path in columns
    ]
