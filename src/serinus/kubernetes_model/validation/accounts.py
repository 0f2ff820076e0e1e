"""Roles and their bindings (Kubernetes 1.36, pkg/apis/rbac/validation)."""

from __future__ import annotations

from typing import Any

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.failures import Problem

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("ServiceAccount", "User", "Group")


def check_role(role: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a Role or ClusterRole."""
    problems: list[Problem] = []
    for index, rule in enumerate(role.get("rules") or ()):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            words = "verbs must contain at least one value"
            problems.append(failures.required(f"{path}.verbs", words))
        if rule.get("nonResourceURLs"):
            if role["kind"] == "Role":
                words = "namespaced rules cannot apply to non-resource URLs"
                urls = rule["nonResourceURLs"]
                problems.append(failures.invalid(f"{path}.nonResourceURLs", urls, words))
            continue
        if not rule.get("apiGroups"):
            words = "resource rules must supply at least one api group"
            problems.append(failures.required(f"{path}.apiGroups", words))
        if not rule.get("resources"):
            words = "resource rules must supply at least one resource"
            problems.append(failures.required(f"{path}.resources", words))
    return problems


def check_binding(binding: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a RoleBinding or ClusterRoleBinding."""
    problems: list[Problem] = []
    reference = binding["roleRef"]
    kinds = ("Role", "ClusterRole") if binding["kind"] == "RoleBinding" else ("ClusterRole",)
    if reference.get("apiGroup") != _GROUP:
        given = reference.get("apiGroup", "")
        problems.append(failures.not_supported("roleRef.apiGroup", given, (_GROUP,)))
    if reference.get("kind") not in kinds:
        given = reference.get("kind", "")
        problems.append(failures.not_supported("roleRef.kind", given, kinds))
    if not reference.get("name"):
        problems.append(failures.required("roleRef.name"))
    for index, subject in enumerate(binding.get("subjects", ())):
        path = f"subjects[{index}]"
        if not subject.get("name"):
            problems.append(failures.required(f"{path}.name"))
        if subject.get("kind") not in _SUBJECTS:
            given = subject.get("kind", "")
            problems.append(failures.not_supported(f"{path}.kind", given, _SUBJECTS))
        elif subject["kind"] == "ServiceAccount" and not subject.get("namespace"):
            problems.append(failures.required(f"{path}.namespace"))
    return problems


def check_binding_update(new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Refuse another role."""
    if new["roleRef"] == old["roleRef"]:
        return []
    return [failures.invalid("roleRef", new["roleRef"], "cannot change roleRef")]
