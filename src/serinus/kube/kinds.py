"""The kinds of object we speak of, as the API server names them."""

from __future__ import annotations

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """One kind of object at one version of its API group; the core group is the empty string."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What a manifest of this kind says under `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """The plural with its group, as the API server writes it in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


PODS = Kind("", "v1", "Pod", "pods")
NODES = Kind("", "v1", "Node", "nodes", namespaced=False)
NAMESPACES = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
SERVICES = Kind("", "v1", "Service", "services")
EVENTS = Kind("", "v1", "Event", "events")
CONFIG_MAPS = Kind("", "v1", "ConfigMap", "configmaps")
SECRETS = Kind("", "v1", "Secret", "secrets")
SERVICE_ACCOUNTS = Kind("", "v1", "ServiceAccount", "serviceaccounts")
DEPLOYMENTS = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SETS = Kind("apps", "v1", "ReplicaSet", "replicasets")
STATEFUL_SETS = Kind("apps", "v1", "StatefulSet", "statefulsets")
DAEMON_SETS = Kind("apps", "v1", "DaemonSet", "daemonsets")
ENDPOINT_SLICES = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
LEASES = Kind("coordination.k8s.io", "v1", "Lease", "leases")
HORIZONTAL_POD_AUTOSCALERS = Kind(
    "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"
)
POD_DISRUPTION_BUDGETS = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
CUSTOM_RESOURCE_DEFINITIONS = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
CANARY_RELEASES = Kind("serinus.dev", "v1alpha1", "CanaryRelease", "canaryreleases")
TRAFFIC_PLANS = Kind("serinus.dev", "v1alpha1", "TrafficPlan", "trafficplans")
_RBAC = "rbac.authorization.k8s.io"
ROLES = Kind(_RBAC, "v1", "Role", "roles")
ROLE_BINDINGS = Kind(_RBAC, "v1", "RoleBinding", "rolebindings")
MUTATING_ADMISSION_POLICY_BINDING_VERSIONS = tuple(
    Kind(
        "admissionregistration.k8s.io",
        version,
        "MutatingAdmissionPolicyBinding",
        "mutatingadmissionpolicybindings",
        namespaced=False,
    )
    # In 1.36 as it comes; in 1.34 and 1.35 as a beta that must be switched on.
    for version in ("v1", "v1beta1")
)
