"""Write deploy/ from the code: the kustomize base, the Helm chart, the krew manifest.

.venv/bin/python -m scripts.generate_install
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from scripts import helm_chart
from serinus.install import manifests
from serinus.install.settings import Manifest, Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
HEAD = "# Written by scripts/generate_install.py: change the code, then run it.\n"
WIDTH = 110

_FILES = {
    "namespace.yaml": ("Namespace",),
    "crd.yaml": ("CustomResourceDefinition",),
    "policy.yaml": ("AdmissionPolicy", "AdmissionPolicyBinding"),
    "roles.yaml": ("Role", "RoleBinding"),
    "controller.yaml": ("",),
}
"""Each file and how the kinds in it end; the first file that fits takes an object."""


def files() -> dict[str, str]:
    """Return every file below deploy/ that is made from the code."""
    made = {f"kustomize/{name}": text for name, text in _kustomize().items()}
    made |= {f"helm/serinus/{name}": text for name, text in helm_chart.files().items()}
    return made


def dump(objects: Iterable[Manifest]) -> str:
    """Return YAML in the order in which the fields stand."""
    return "---\n".join(
        yaml.safe_dump(plain(each), sort_keys=False, width=WIDTH, allow_unicode=True)
        for each in objects
    )


def plain(value: Any) -> Any:
    """Return a copy that shares no part with itself, so that YAML needs no anchors."""
    return msgspec.json.decode(msgspec.json.encode(value))


def grouped(objects: Iterable[Manifest]) -> dict[str, list[Manifest]]:
    """Return the objects by the file that they belong into."""
    found: dict[str, list[Manifest]] = {name: [] for name in _FILES}
    for manifest in objects:
        name = next(n for n, ends in _FILES.items() if manifest["kind"].endswith(ends))
        found[name].append(manifest)
    return {name: members for name, members in found.items() if members}


def _kustomize() -> dict[str, str]:
    parts = grouped(manifests.objects(Settings(managed_by="kustomize")))
    listing = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(parts),
    }
    made = {name: HEAD + dump(objects) for name, objects in parts.items()}
    return made | {"kustomization.yaml": HEAD + dump([listing])}


def main() -> None:
    """Write all files, and remove what is made no more."""
    for folder in ("kustomize", "helm"):
        shutil.rmtree(DEPLOY / folder, ignore_errors=True)
    for name, text in files().items():
        path = DEPLOY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
