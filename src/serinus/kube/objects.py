"""The parts of Kubernetes objects that we read of things that come in numbers.

Only fields that are read: a Pod costs 2.5 KiB so, and 15 KiB as plain JSON. Lists may be null on
the wire (an EndpointSlice without endpoints has `endpoints: null`), so they are optional here.
Use as a decoder: `Cache(client, kinds.PODS, decode=objects.decoder(objects.Pod))`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""On an EndpointSlice: the Service that it belongs to."""

ObjectT = TypeVar("ObjectT")


class OwnerReference(msgspec.Struct, frozen=True, rename="camel"):
    """Whose object this is."""

    kind: str
    name: str
    uid: str
    api_version: str = ""
    controller: bool | None = None


class ObjectMeta(msgspec.Struct, frozen=True, rename="camel"):
    """What every object says of itself; timestamps are RFC 3339 text."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[OwnerReference, ...] | None = None
    finalizers: tuple[str, ...] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that controls it, of which there is one at most."""
        return next((o for o in self.owner_references or () if o.controller), None)


class Condition(msgspec.Struct, frozen=True, rename="camel"):
    """One of an object's conditions."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None


class ContainerPort(msgspec.Struct, frozen=True, rename="camel"):
    """A port that a container says it listens on."""

    container_port: int
    name: str | None = None
    protocol: str | None = None
    host_port: int | None = None


class Container(msgspec.Struct, frozen=True):
    """A container of a pod."""

    name: str
    image: str = ""
    ports: tuple[ContainerPort, ...] | None = None


class PodSpec(msgspec.Struct, frozen=True, rename="camel"):
    """What a pod is to be."""

    node_name: str | None = None
    containers: tuple[Container, ...] = ()
    termination_grace_period_seconds: int | None = None


class ContainerStateTerminated(msgspec.Struct, frozen=True, rename="camel"):
    """How a container ended."""

    exit_code: int = 0
    reason: str | None = None
    message: str | None = None


class ContainerStateWaiting(msgspec.Struct, frozen=True):
    """Why a container does not run yet."""

    reason: str | None = None
    message: str | None = None


class ContainerState(msgspec.Struct, frozen=True):
    """What a container does; the member that is set says which."""

    running: Any = None
    waiting: ContainerStateWaiting | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(msgspec.Struct, frozen=True, rename="camel"):
    """How a container of a pod fares."""

    name: str
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class PodStatus(msgspec.Struct, frozen=True, rename="camel"):
    """How a pod fares."""

    phase: str | None = None
    reason: str | None = None
    message: str | None = None
    conditions: tuple[Condition, ...] | None = None
    pod_ip: str | None = msgspec.field(default=None, name="podIP")
    start_time: str | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(msgspec.Struct, frozen=True):
    """A pod."""

    metadata: ObjectMeta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class LabelSelectorRequirement(msgspec.Struct, frozen=True):
    """One expression of a selector."""

    key: str
    operator: str
    values: tuple[str, ...] | None = None


class LabelSelector(msgspec.Struct, frozen=True, rename="camel"):
    """Which labels are meant; all parts must hold."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[LabelSelectorRequirement, ...] | None = None


class ReplicaSetSpec(msgspec.Struct, frozen=True, rename="camel"):
    """What a ReplicaSet is to be; the template stays plain JSON, to be compared as a whole."""

    replicas: int = 1
    min_ready_seconds: int = 0
    selector: LabelSelector = LabelSelector()
    template: dict[str, Any] = {}


class ReplicaSetStatus(msgspec.Struct, frozen=True, rename="camel"):
    """How a ReplicaSet fares."""

    replicas: int = 0
    fully_labeled_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    terminating_replicas: int | None = None
    observed_generation: int = 0
    conditions: tuple[Condition, ...] | None = None


class ReplicaSet(msgspec.Struct, frozen=True):
    """A ReplicaSet."""

    metadata: ObjectMeta
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


class EndpointConditions(msgspec.Struct, frozen=True):
    """Whether an endpoint may get traffic; null means unknown, which counts as true for `ready`."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ObjectReference(msgspec.Struct, frozen=True):
    """An object that is pointed to."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""


class Endpoint(msgspec.Struct, frozen=True, rename="camel"):
    """One place that serves."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    target_ref: ObjectReference | None = None
    node_name: str | None = None


class EndpointPort(msgspec.Struct, frozen=True):
    """A port of all endpoints of a slice."""

    name: str | None = None
    port: int | None = None
    protocol: str | None = None


class EndpointSlice(msgspec.Struct, frozen=True, rename="camel"):
    """Some of the endpoints of a Service, which the label kubernetes.io/service-name names."""

    metadata: ObjectMeta
    address_type: str = ""
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class ServicePort(msgspec.Struct, frozen=True, rename="camel"):
    """A port of a Service."""

    port: int
    name: str | None = None
    protocol: str | None = None
    target_port: int | str | None = None
    node_port: int | None = None


class ServiceSpec(msgspec.Struct, frozen=True, rename="camel"):
    """What a Service is to be."""

    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    selector: dict[str, str] | None = None
    ports: tuple[ServicePort, ...] | None = None
    session_affinity: str = "None"
    publish_not_ready_addresses: bool = False


class Service(msgspec.Struct, frozen=True):
    """A Service."""

    metadata: ObjectMeta
    spec: ServiceSpec = ServiceSpec()


def decoder(of: type[ObjectT]) -> Callable[[msgspec.Raw], ObjectT]:
    """Return what decodes one object of this type from the wire."""
    return msgspec.json.Decoder(of).decode
