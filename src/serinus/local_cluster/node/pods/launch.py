"""What a container is started with: command, environment, folder, ports."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from serinus import errors
from serinus.local_cluster.images import reference
from serinus.local_cluster.images.catalogue import Catalogue, Entry
from serinus.local_cluster.node import records
from serinus.local_cluster.node.pods import environment
from serinus.local_cluster.node.pods.environment import Lookup, VariableError
from serinus.local_cluster.node.pods.spec import Container, Pod

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME")


class StartError(errors.DataPlaneError):
    """A container cannot be started as it is; `reason` is the word that its status shows."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """All that it takes to start a container's process."""

    command: tuple[str, ...]
    env: dict[str, str]
    folder: Path | None
    entry: Entry | None
    """What plays the image, or None: the pod's own command runs."""


class Placement(msgspec.Struct, frozen=True):
    """Where a pod is: its address, its node's, and for each port the one to listen on."""

    address: str
    host_address: str
    ports: Mapping[int, int]
    kubeconfig: str = ""

    @property
    def moved(self) -> dict[int, int]:
        """The ports that could not be bound, with those that were allocated instead."""
        return {port: actual for port, actual in self.ports.items() if port != actual}


def entry_for(container: Container, catalogue: Catalogue) -> Entry | None:
    """Return what plays the container's image; None when it has a command of its own.

    Raises:
        StartError: the catalogue does not know the image.
    """
    if container.command:
        return None
    try:
        catalogue.refresh()
    except errors.InvalidInput as e:
        raise StartError("ErrImagePull", f"the image catalogue is broken: {e}") from e
    entry = catalogue.find(container.image)
    if entry is None:
        raise StartError(
            "ErrImagePull",
            f'no entry of the image catalogue takes "{container.image}" '
            f"(known: {', '.join(catalogue.patterns)}). Pods are processes here, so an image needs "
            "a command that plays it: give a catalogue file with --images (images: [{pattern: "
            f'"{reference.parse(container.image).name}:*", command: [...], ports: [...]}}]), or '
            "give the container a `command` of its own.",
        )
    return entry


def ports_of(container: Container, entry: Entry | None) -> tuple[int, ...]:
    """Return the TCP ports that a container is to listen on."""
    return tuple(dict.fromkeys((*(entry.ports if entry else ()), *container.tcp_ports)))


def prepare(
    pod: Pod, container: Container, *, entry: Entry | None, place: Placement, lookup: Lookup
) -> Launch:
    """Put together what the container is started with.

    Raises:
        StartError: something that it needs is missing.
    """
    _refuse_unsupported(container)
    given = _given(pod, container, entry, place)
    own_fields = {
        "status.podIP": place.address,
        "status.podIPs": place.address,
        "status.hostIP": place.host_address,
        "status.hostIPs": place.host_address,
    }
    try:
        env = environment.build(pod, container, given=given, lookup=lookup, own_fields=own_fields)
    except VariableError as e:
        raise StartError("CreateContainerConfigError", str(e)) from e
    words = (*(container.command or (entry.command if entry else ())), *(container.args or ()))
    folder_name = container.working_dir or (entry.working_dir if entry else "")
    folder = Path(folder_name) if folder_name else None
    if folder is not None and not folder.is_dir():
        raise StartError(
            "CreateContainerError",
            f"workingDir {folder_name}: no such folder on this machine (pods are processes here, "
            "and see the machine's own files)",
        )
    command = tuple(environment.expand_all(words, env))
    return Launch(command=command, env=env, folder=folder, entry=entry)


def _given(pod: Pod, container: Container, entry: Entry | None, place: Placement) -> dict[str, str]:
    """Return the variables that every container has; a catalogue entry's own come on top."""
    ports = ports_of(container, entry)
    given = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    given |= {
        "HOSTNAME": pod.metadata.name,
        "SERINUS_HOST_IP": place.host_address,
        "SERINUS_IMAGE": container.image,
        "SERINUS_KUBECONFIG": place.kubeconfig,
        "SERINUS_NAMESPACE": pod.metadata.namespace,
        "SERINUS_POD_IP": place.address,
        "SERINUS_POD_NAME": pod.metadata.name,
        records.POD_UID: pod.uid,
        "SERINUS_PYTHON": sys.executable,
        "SERINUS_VERSION": reference.parse(container.image).tag,
    }
    if ports:
        given["PORT"] = str(place.ports[ports[0]])
        given["SERINUS_LISTEN"] = ",".join(f"{place.address}:{place.ports[p]}" for p in ports)
    own = entry.env if entry else {}
    return given | {name: environment.expand(value, given) for name, value in own.items()}


def _refuse_unsupported(container: Container) -> None:
    for name in ("startup", "readiness", "liveness"):
        probe = getattr(container, f"{name}_probe")
        if probe is not None and probe.grpc is not None:
            raise StartError(
                "CreateContainerConfigError",
                f"{name}Probe: grpc probes are not supported here; use httpGet, tcpSocket or exec",
            )
