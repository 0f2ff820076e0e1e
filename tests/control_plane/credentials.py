"""Who may talk to the control plane of the tests, and the files that say so."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ADMIN = "admin"
CLUSTER_ROLES = {"editor": "edit", "viewer": "view"}
"""Users with the rights of one of the ClusterRoles that every API server has."""
STRANGER = "stranger"
"""A user who is known and may do nothing."""
REPLICAS = ("serinus-0", "serinus-1")
"""Replicas of an operator, each with a name of its own in the audit log."""


def write_tokens(path: Path) -> dict[str, str]:
    """Write the static token file of the API server; return the token of each user."""
    tokens = {user: secrets.token_hex(16) for user in (ADMIN, *CLUSTER_ROLES, STRANGER, *REPLICAS)}
    groups = dict.fromkeys((ADMIN, *REPLICAS), ',"system:masters"')
    _write_private(
        path,
        "".join(
            f"{t},{user},{user}{groups.get(user, '')}\n" for user, t in tokens.items()
        ).encode(),
    )
    return tokens


def write_service_account_key(folder: Path) -> tuple[Path, Path]:
    """Make the key pair that signs service account tokens; return (private, public)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "sa.key", folder / "sa.pub"
    _write_private(
        private,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def write_kubeconfig(path: Path, url: str, ca_file: Path, tokens: Mapping[str, str]) -> None:
    """Write a kubeconfig with one context for each user; the current one is the admin's."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": ADMIN,
        "clusters": [
            {
                "name": "kubernetes",
                "cluster": {"server": url, "certificate-authority": str(ca_file)},
            }
        ],
        "users": [{"name": user, "user": {"token": token}} for user, token in tokens.items()],
        "contexts": [
            {"name": user, "context": {"cluster": "kubernetes", "user": user}} for user in tokens
        ],
    }
    _write_private(path, yaml.safe_dump(config).encode())


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
