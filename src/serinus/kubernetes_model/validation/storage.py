"""ConfigMaps, Secrets and Leases: objects that hold data for others."""

from __future__ import annotations

import binascii
from typing import Any

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.failures import Problem
from serinus.kubernetes_model.validation import names

_SIZE_MAX = 1 << 20
_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def check_config_map(config_map: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a ConfigMap."""
    problems: list[Problem] = []
    data, binary = config_map.get("data", {}), config_map.get("binaryData", {})
    for name, values in (("data", data), ("binaryData", binary)):
        for key in values:
            words = names.config_key(key)
            problems += [failures.invalid(f"{name}[{key}]", key, w) for w in words]
    for key in data.keys() & binary.keys():
        words_ = "duplicate of key present in binaryData"
        problems.append(failures.invalid(f"data[{key}]", key, words_))
    size = sum(len(v.encode()) for v in data.values()) + sum(map(_decoded_size, binary.values()))
    if size > _SIZE_MAX:
        problems.append(failures.too_long("", _SIZE_MAX))
    return problems


def check_config_map_update(new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Refuse changes of an immutable ConfigMap."""
    return _check_immutable(new, old, ("data", "binaryData"))


def check_secret(secret: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a Secret."""
    problems: list[Problem] = []
    data = secret.get("data", {})
    for key in data:
        words = names.config_key(key)
        problems += [failures.invalid(f"data[{key}]", key, w) for w in words]
    if sum(map(_decoded_size, data.values())) > _SIZE_MAX:
        problems.append(failures.too_long("data", _SIZE_MAX))
    for key in _REQUIRED_KEYS.get(secret["type"], ()):
        if key not in data:
            problems.append(failures.required(f"data[{key}]"))
    return problems


def check_secret_update(new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Refuse another type, and changes of an immutable Secret."""
    problems: list[Problem] = []
    if new["type"] != old["type"]:
        problems.append(failures.invalid("type", new["type"], "field is immutable"))
    return problems + _check_immutable(new, old, ("data",))


def check_lease(lease: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a Lease."""
    spec = lease["spec"]
    problems: list[Problem] = []
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        words = "must be greater than 0"
        problems.append(failures.invalid("spec.leaseDurationSeconds", duration, words))
    if transitions is not None and transitions < 0:
        words = "must be greater than or equal to 0"
        problems.append(failures.invalid("spec.leaseTransitions", transitions, words))
    return problems


def _check_immutable(
    new: dict[str, Any], old: dict[str, Any], keys: tuple[str, ...]
) -> list[Problem]:
    if not old.get("immutable"):
        return []
    words = "field is immutable when `immutable` is set"
    problems = [
        failures.forbidden_field(key, words) for key in keys if new.get(key) != old.get(key)
    ]
    if not new.get("immutable"):
        problems.insert(0, failures.forbidden_field("immutable", words))
    return problems


def _decoded_size(encoded: str) -> int:
    return len(binascii.a2b_base64(encoded))
