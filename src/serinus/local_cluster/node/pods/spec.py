"""What the node agent reads of pods. Fields that it cannot honour are read too, to be refused."""

from __future__ import annotations

from typing import Any

import msgspec

from serinus.kube import objects

IntOrString = int | str
Quantity = int | float | str


class KeySelector(msgspec.Struct, frozen=True):
    """A key of a ConfigMap or Secret."""

    key: str
    name: str = ""
    optional: bool | None = None


class FieldSelector(msgspec.Struct, frozen=True, rename="camel"):
    """A field of the pod itself."""

    field_path: str


class ResourceFieldSelector(msgspec.Struct, frozen=True, rename="camel"):
    """A limit or request of a container."""

    resource: str
    container_name: str = ""
    divisor: Quantity = "1"


class EnvVarSource(msgspec.Struct, frozen=True, rename="camel"):
    """Where a variable's value comes from."""

    field_ref: FieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None


class EnvVar(msgspec.Struct, frozen=True, rename="camel"):
    """One environment variable."""

    name: str
    value: str | None = None
    value_from: EnvVarSource | None = None


class NamedSource(msgspec.Struct, frozen=True):
    """A whole ConfigMap or Secret."""

    name: str = ""
    optional: bool | None = None


class EnvFrom(msgspec.Struct, frozen=True, rename="camel"):
    """Variables for all keys of a ConfigMap or Secret."""

    prefix: str = ""
    config_map_ref: NamedSource | None = None
    secret_ref: NamedSource | None = None


class Header(msgspec.Struct, frozen=True):
    """A header of an HTTP probe."""

    name: str
    value: str = ""


class HttpGet(msgspec.Struct, frozen=True, rename="camel"):
    """Ask a path; 200 to 399 is success."""

    port: IntOrString
    path: str = "/"
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[Header, ...] | None = None


class TcpSocket(msgspec.Struct, frozen=True):
    """Connect; that is success."""

    port: IntOrString
    host: str = ""


class Exec(msgspec.Struct, frozen=True):
    """Run a command; exit code 0 is success."""

    command: tuple[str, ...] | None = None


class Sleep(msgspec.Struct, frozen=True):
    """Wait."""

    seconds: int = 0


class Handler(msgspec.Struct, frozen=True, rename="camel"):
    """What a lifecycle hook does."""

    exec: Exec | None = None
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    sleep: Sleep | None = None


class Probe(Handler, frozen=True, rename="camel"):
    """What is asked of a container, and how often."""

    grpc: Any = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class Lifecycle(msgspec.Struct, frozen=True, rename="camel"):
    """What is done after a container's start and before its end."""

    post_start: Handler | None = None
    pre_stop: Handler | None = None


class Resources(msgspec.Struct, frozen=True):
    """What a container may use and is promised; quantities as written."""

    limits: dict[str, Quantity] | None = None
    requests: dict[str, Quantity] | None = None


class VolumeMount(msgspec.Struct, frozen=True, rename="camel"):
    """Where a container wants to see a volume."""

    name: str
    mount_path: str = ""


class Container(msgspec.Struct, frozen=True, rename="camel"):
    """A container of a pod."""

    name: str
    image: str = ""
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    working_dir: str = ""
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFrom, ...] | None = None
    ports: tuple[objects.ContainerPort, ...] | None = None
    resources: Resources = Resources()
    startup_probe: Probe | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    restart_policy: str | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None

    @property
    def tcp_ports(self) -> tuple[int, ...]:
        """The TCP ports that the container says it listens on."""
        ports = (p.container_port for p in self.ports or () if (p.protocol or "TCP") == "TCP")
        return tuple(dict.fromkeys(ports))

    def port(self, wanted: IntOrString) -> int | None:
        """Return the number of a port that is given by number or by name."""
        if isinstance(wanted, int):
            return wanted
        named = (p.container_port for p in self.ports or () if p.name == wanted)
        return int(wanted) if wanted.isdigit() else next(named, None)


class Named(msgspec.Struct, frozen=True, rename="camel"):
    """A scheduling gate or readiness gate."""

    name: str = ""
    condition_type: str = ""


class PodSpec(msgspec.Struct, frozen=True, rename="camel"):
    """What a pod is to be."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None
    node_name: str | None = None
    node_selector: dict[str, str] | None = None
    restart_policy: str = "Always"
    termination_grace_period_seconds: int = 30
    active_deadline_seconds: int | None = None
    service_account_name: str = ""
    scheduling_gates: tuple[Named, ...] | None = None
    readiness_gates: tuple[Named, ...] | None = None


class PodMeta(objects.ObjectMeta, frozen=True, rename="camel"):
    """What a pod says of itself; the grace period belongs to its deletion."""

    deletion_grace_period_seconds: int | None = None


class Pod(msgspec.Struct, frozen=True):
    """A pod; its status stays plain JSON."""

    metadata: PodMeta
    spec: PodSpec
    status: dict[str, Any] = {}

    @property
    def uid(self) -> str:
        """What tells this pod from an earlier one of the same name."""
        return self.metadata.uid

    @property
    def words(self) -> str:
        """Namespace and name."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def is_terminal(self) -> bool:
        """Whether the pod has ended for good."""
        return self.status.get("phase") in {"Succeeded", "Failed"}

    @property
    def grace_ms(self) -> int:
        """How long its containers get to end."""
        given = self.metadata.deletion_grace_period_seconds
        return 1000 * (self.spec.termination_grace_period_seconds if given is None else given)


def decode(raw: msgspec.Raw) -> Pod:
    """Read a pod from the wire; one that cannot be read has no containers, and must not be run.

    An API server answers for the types, but one pod that is odd all the same must not keep the
    node from all others.
    """
    try:
        return _pods.decode(raw)
    except msgspec.ValidationError:
        plain = _without_nulls(msgspec.json.decode(raw))
    try:
        return msgspec.convert(plain, Pod)
    except msgspec.ValidationError:
        metadata = msgspec.convert(plain["metadata"], PodMeta)
        return Pod(metadata, PodSpec(node_name=plain.get("spec", {}).get("nodeName")))


_pods = msgspec.json.Decoder(Pod)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value
