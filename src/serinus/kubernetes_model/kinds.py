"""The table of built-in kinds that the model stores; everything else is refused by name.

Names, short names, categories and verbs are those of the discovery documents of Kubernetes 1.36.3.
Custom resources join the table at run time (see `custom_resources`).
"""

from __future__ import annotations

import msgspec

_ALL_VERBS = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


class Resource(msgspec.Struct, frozen=True):
    """One served resource, as discovery names it."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _ALL_VERBS
    storage_group: str | None = None
    """The group under which its objects are kept, where that is another one (events)."""

    @property
    def api_version(self) -> str:
        """Return the `apiVersion` that its manifests carry."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        """Return the kind of a list of it."""
        return f"{self.kind}List"

    @property
    def qualified_name(self) -> str:
        """Return plural and group as messages word it: `deployments.apps`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def storage_key(self) -> tuple[str, str]:
        """Return what names the shelf its objects are kept on."""
        return (self.group if self.storage_group is None else self.storage_group, self.plural)


_WORKLOAD = ("scale", "status")

NAMESPACES = Resource(
    "",
    "v1",
    "Namespace",
    "namespaces",
    "namespace",
    namespaced=False,
    short_names=("ns",),
    subresources=("finalize", "status"),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
)
NODES = Resource(
    "",
    "v1",
    "Node",
    "nodes",
    "node",
    namespaced=False,
    short_names=("no",),
    subresources=("status",),
)
PODS = Resource(
    "",
    "v1",
    "Pod",
    "pods",
    "pod",
    short_names=("po",),
    categories=("all",),
    subresources=("binding", "eviction", "log", "status"),
)
SERVICES = Resource(
    "",
    "v1",
    "Service",
    "services",
    "service",
    short_names=("svc",),
    categories=("all",),
    subresources=("status",),
)
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", "configmap", short_names=("cm",))
SECRETS = Resource("", "v1", "Secret", "secrets", "secret")
SERVICE_ACCOUNTS = Resource(
    "", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount", short_names=("sa",)
)
EVENTS = Resource("", "v1", "Event", "events", "event", short_names=("ev",))
EVENTS_V1 = Resource(
    "events.k8s.io",
    "v1",
    "Event",
    "events",
    "event",
    short_names=("ev",),
    storage_group="",
)
DEPLOYMENTS = Resource(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    "deployment",
    short_names=("deploy",),
    categories=("all",),
    subresources=_WORKLOAD,
)
REPLICA_SETS = Resource(
    "apps",
    "v1",
    "ReplicaSet",
    "replicasets",
    "replicaset",
    short_names=("rs",),
    categories=("all",),
    subresources=_WORKLOAD,
)
STATEFUL_SETS = Resource(
    "apps",
    "v1",
    "StatefulSet",
    "statefulsets",
    "statefulset",
    short_names=("sts",),
    categories=("all",),
    subresources=_WORKLOAD,
)
DAEMON_SETS = Resource(
    "apps",
    "v1",
    "DaemonSet",
    "daemonsets",
    "daemonset",
    short_names=("ds",),
    categories=("all",),
    subresources=("status",),
)
ENDPOINT_SLICES = Resource(
    "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "endpointslice"
)
LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases", "lease")
HORIZONTAL_POD_AUTOSCALERS = Resource(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    "horizontalpodautoscaler",
    short_names=("hpa",),
    categories=("all",),
    subresources=("status",),
)
POD_DISRUPTION_BUDGETS = Resource(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    "poddisruptionbudget",
    short_names=("pdb",),
    subresources=("status",),
)
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    "customresourcedefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=("status",),
)
ROLES = Resource("rbac.authorization.k8s.io", "v1", "Role", "roles", "role")
ROLE_BINDINGS = Resource(
    "rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", "rolebinding"
)
CLUSTER_ROLES = Resource(
    "rbac.authorization.k8s.io",
    "v1",
    "ClusterRole",
    "clusterroles",
    "clusterrole",
    namespaced=False,
)
CLUSTER_ROLE_BINDINGS = Resource(
    "rbac.authorization.k8s.io",
    "v1",
    "ClusterRoleBinding",
    "clusterrolebindings",
    "clusterrolebinding",
    namespaced=False,
)

KINDS: tuple[Resource, ...] = (
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    CONFIG_MAPS,
    SECRETS,
    SERVICE_ACCOUNTS,
    EVENTS,
    EVENTS_V1,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    DAEMON_SETS,
    ENDPOINT_SLICES,
    LEASES,
    HORIZONTAL_POD_AUTOSCALERS,
    POD_DISRUPTION_BUDGETS,
    CUSTOM_RESOURCE_DEFINITIONS,
    ROLES,
    ROLE_BINDINGS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
)
"""Every built-in resource, in the order in which discovery shows it."""
