"""Who may do what: the controller, people who look, people who release. Nobody gets more.

A command is an annotation on the CanaryRelease, so whoever may patch one may promote it, and a
viewer may not. The roles for people join the built-in `view`, `edit` and `admin` by aggregation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from serinus.api import traffic_plan, v1alpha1
from serinus.install import crd, policy
from serinus.install.settings import CONTROLLER, Manifest, Settings, metadata
from serinus.release.holding import HOLD_POLICY

RBAC = "rbac.authorization.k8s.io"
VIEWER = "serinus-viewer"
RELEASE_MANAGER = "serinus-release-manager"
FINDER = "serinus-finder"
LEADER = "serinus-leader"

Rule: TypeAlias = tuple[str, str, str]
"""API group, resources and verbs, the last two with blanks between them."""

_LOOK: Final = "get list watch"
_RELEASES: Final = v1alpha1.PLURAL
_PLANS: Final = traffic_plan.PLURAL

# What a release needs wherever it is.
RELEASE_RULES: Final[tuple[Rule, ...]] = (
    # Patch for the finalizer, create for the record of a release that began without a controller.
    (v1alpha1.GROUP, _RELEASES, f"{_LOOK} create patch"),
    (v1alpha1.GROUP, f"{_RELEASES}/status", "update"),
    ("apps", "deployments", f"{_LOOK} create patch delete"),
    ("apps", "replicasets", f"{_LOOK} patch delete"),
    # Create and delete for the Services of both versions, behind routers.
    ("", "services", f"{_LOOK} create patch delete"),
    ("", "pods", _LOOK),
    ("discovery.k8s.io", "endpointslices", _LOOK),
    ("autoscaling", "horizontalpodautoscalers", _LOOK),
    # Delete for records that became a CanaryRelease.
    ("", "configmaps", f"{_LOOK} delete"),
    ("", "events", "create patch"),
    ("coordination.k8s.io", "leases", f"{_LOOK} delete"),
    # What routers are made of, beside their Deployment and Services.
    (v1alpha1.GROUP, _PLANS, f"{_LOOK} create patch delete"),
    ("", "serviceaccounts", f"{_LOOK} create patch delete"),
    (RBAC, "roles rolebindings", f"{_LOOK} create patch delete"),
    ("policy", "poddisruptionbudgets", f"{_LOOK} create patch delete"),
    # Who gives a right must have it: this is what a router may do.
    (v1alpha1.GROUP, f"{_PLANS}/status", "patch"),
)
# The Lease by which the replicas of the controller choose one, in their own namespace.
LEADER_RULES: Final[tuple[Rule, ...]] = (("coordination.k8s.io", "leases", "get create update"),)
VIEWER_RULES: Final[tuple[Rule, ...]] = (
    (v1alpha1.GROUP, f"{_RELEASES} {_RELEASES}/status {_PLANS} {_PLANS}/status", _LOOK),
    ("coordination.k8s.io", "leases", _LOOK),
)
MANAGER_RULES: Final[tuple[Rule, ...]] = (
    *VIEWER_RULES,
    (v1alpha1.GROUP, _RELEASES, "create update patch delete deletecollection"),
)
# Without a controller whoever releases also drives, and writes what a controller would write.
DRIVER_RULES: Final[tuple[Rule, ...]] = (
    *MANAGER_RULES,
    (v1alpha1.GROUP, f"{_RELEASES}/status", "update patch"),
    (v1alpha1.GROUP, _PLANS, "create patch delete"),
    (v1alpha1.GROUP, f"{_PLANS}/status", "patch"),
    ("coordination.k8s.io", "leases", "create update delete"),
)


def objects(settings: Settings) -> list[Manifest]:
    """Return all roles and bindings of an installation."""
    made = [
        _role(settings, VIEWER, VIEWER_RULES, aggregate=("view",)),
        _role(
            settings,
            RELEASE_MANAGER,
            MANAGER_RULES if settings.controller else DRIVER_RULES,
            aggregate=("edit", "admin"),
        ),
        *_finder(settings),
    ]
    return [*made, *_controller(settings)] if settings.controller else made


def _controller(settings: Settings) -> list[Manifest]:
    account = (_account(settings),)
    made = [
        _role(settings, LEADER, LEADER_RULES, settings.namespace),
        _binding(settings, LEADER, account, settings.namespace),
    ]
    # In the whole cluster, or in each of the chosen namespaces.
    for namespace in settings.watch_namespaces or (None,):
        made += [
            _role(settings, CONTROLLER, RELEASE_RULES, namespace),
            _binding(settings, CONTROLLER, account, namespace),
        ]
    return made


def _finder(settings: Settings) -> list[Manifest]:
    """Let whoever is known find out how Deployments are held, and whether a controller leads."""
    everyone = ({"apiGroup": RBAC, "kind": "Group", "name": "system:authenticated"},)
    made = [
        {**_role(settings, FINDER, ()), "rules": list(FOUND_BY_ALL)},
        _binding(settings, FINDER, everyone),
    ]
    if settings.controller:
        lease = _named("coordination.k8s.io", "leases", CONTROLLER, "get")
        made += [
            {**_role(settings, FINDER, (), settings.namespace), "rules": [lease]},
            _binding(settings, FINDER, everyone, settings.namespace),
        ]
    return made


def _named(group: str, resource: str, name: str, verbs: str) -> Manifest:
    """Return a rule for one object alone; a list or watch must ask for it by its name."""
    return {
        "apiGroups": [group],
        "resources": [resource],
        "resourceNames": [name],
        "verbs": verbs.split(),
    }


FOUND_BY_ALL: Final = (
    _named("apiextensions.k8s.io", "customresourcedefinitions", crd.NAME, "get"),
    _named(policy.GROUP, "mutatingadmissionpolicybindings", HOLD_POLICY, _LOOK),
)


def _account(settings: Settings) -> Manifest:
    return {"kind": "ServiceAccount", "name": CONTROLLER, "namespace": settings.namespace}


def _role(
    settings: Settings,
    name: str,
    rules: Sequence[Rule],
    namespace: str | None = None,
    *,
    aggregate: Sequence[str] = (),
) -> Manifest:
    meta = metadata(settings, name, namespace)
    meta["labels"] |= {f"{RBAC}/aggregate-to-{role}": "true" for role in aggregate}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": meta,
        "rules": [
            {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
            for group, resources, verbs in rules
        ],
    }


def _binding(
    settings: Settings, name: str, subjects: Sequence[Manifest], namespace: str | None = None
) -> Manifest:
    kind = "Role" if namespace else "ClusterRole"
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata(settings, name, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": list(subjects),
    }
