"""What the server accepts with a warning (Kubernetes 1.36, pkg/api/pod/warnings.go)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TEMPLATES = {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}
_CONTAINER_LISTS = ("initContainers", "containers")


def warn(kind: str, new: dict[str, Any], old: dict[str, Any] | None) -> tuple[str, ...]:
    """Return warnings about an object that is new, or has a new generation."""
    if kind == "Pod" and old is None:
        return tuple(_of_pod(new["spec"], "spec"))
    if kind in _TEMPLATES:
        same = old and old["metadata"].get("generation") == new["metadata"].get("generation")
        if not same:
            return tuple(_of_pod(new["spec"]["template"]["spec"], "spec.template.spec"))
    return ()


def _of_pod(spec: dict[str, Any], field: str) -> Iterator[str]:
    containers = [
        (f"{field}.{key}[{index}]", container)
        for key in _CONTAINER_LISTS
        for index, container in enumerate(spec.get(key) or ())
    ]
    for path, container in containers:
        yield from _hidden_variables(container.get("env", ()), f"{path}.env")
    ports = [
        (f"{path}.ports[{index}]", port)
        for path, container in containers
        for index, port in enumerate(container.get("ports", ()))
    ]
    yield from _double_ports(ports)
    yield from _double_names(ports)
    if spec["terminationGracePeriodSeconds"] < 0:
        words = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{field}.terminationGracePeriodSeconds: {words}"


def _hidden_variables(variables: Any, field: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, variable in enumerate(variables):
        name = variable["name"]
        reference, value = f"$({name})", variable.get("value", "")
        extends = reference in value and value != reference and "valueFrom" not in variable
        if name in seen and not extends:
            words = f'hides previous definition of "{name}", which may be dropped when using apply'
            yield f"{field}[{index}]: {words}"
        seen.add(name)


_Ports = list[tuple[str, dict[str, Any]]]


def _double_ports(ports: _Ports) -> Iterator[str]:
    for place, (path, port) in enumerate(ports):
        for other_path, other in ports[:place]:
            if _key(port) == _key(other):
                if _host(port) == _host(other):
                    yield f"{path}: duplicate port definition with {other_path}"
                elif not port.get("hostPort") or not other.get("hostPort"):
                    yield f"{path}: overlapping port definition with {other_path}"


def _double_names(ports: _Ports) -> Iterator[str]:
    first: dict[str, str] = {}
    for path, port in ports:
        name = port.get("name", "")
        other = first.setdefault(name, path)
        if name and other != path:
            words = f"services and probes that select ports by name will use {other}"
            yield f'{path}: duplicate port name "{name}" with {other}, {words}'


def _key(port: dict[str, Any]) -> tuple[int, str]:
    return port["containerPort"], port["protocol"]


def _host(port: dict[str, Any]) -> tuple[str, int]:
    return port.get("hostIP", ""), port.get("hostPort", 0)
