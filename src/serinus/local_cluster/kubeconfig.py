"""The kubeconfig of a local cluster: a file of its own, merged into another one on request only."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from serinus import errors
from serinus.local_cluster.state_folder import StateFolder, write_private


def context_name(cluster_name: str) -> str:
    """Return the name of context, cluster and user in the kubeconfig."""
    return f"serinus-{cluster_name}"


def document(name: str, port: int, *, token: str, ca_pem: bytes) -> dict[str, Any]:
    """Return a kubeconfig with one cluster, one user and one context."""
    context = context_name(name)
    cluster = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority-data": base64.b64encode(ca_pem).decode(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": {"token": token}}],
        "contexts": [
            {
                "name": context,
                "context": {"cluster": context, "user": context, "namespace": "default"},
            }
        ],
        "current-context": context,
    }


def write(folder: StateFolder, name: str, port: int) -> None:
    """Write the cluster's own kubeconfig."""
    content = document(
        name, port, token=folder.read_or_make_token(), ca_pem=folder.ca_certificate.read_bytes()
    )
    write_private(folder.kubeconfig, _dump(content))


def merge(own: Path, target: Path) -> str:
    """Add the own context to another kubeconfig, replacing what it held under that name.

    The current context of the other file stays; it is set only where there was none.

    Returns:
        The name of the context.

    Raises:
        InvalidInput: the other file is not a kubeconfig.
    """
    source = _read(own)
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    if target.exists():
        merged = _read(target)
    for section in ("clusters", "users", "contexts"):
        entries = merged.get(section) or []
        added = source[section]
        names = {entry["name"] for entry in added}
        kept = [entry for entry in entries if entry.get("name") not in names]
        merged[section] = [*kept, *added]
    context = str(source["current-context"])
    if not merged.get("current-context"):
        merged["current-context"] = context
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Through a link (dotfiles under version control), the file itself is replaced.
    write_private(target.resolve(), _dump(merged))
    return context


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as e:
        raise errors.InvalidInput(str(path), [f"cannot be read as a kubeconfig: {e}"]) from e
    if not isinstance(content, dict):
        raise errors.InvalidInput(str(path), ["is not a kubeconfig: a mapping is expected"])
    return content


def _dump(content: dict[str, Any]) -> bytes:
    return yaml.dump(content, sort_keys=False, Dumper=yaml.CSafeDumper).encode()
