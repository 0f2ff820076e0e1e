"""The ports of routers: they listen where the Service expects its pods to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serinus.traffic.envoy.plan import Port
from serinus.traffic.plan import Manifest

_HTTP = ("http", "http2", "h2c", "grpc", "grpc-web", "ws", "kubernetes.io/h2c", "kubernetes.io/ws")


class Listener(msgspec.Struct, frozen=True):
    """One port of a router: its plan's port, and what the Service calls it on the pods."""

    name: str
    listen: int
    target_port: int | str

    @property
    def port(self) -> Port:
        """Return it as the plan has it."""
        return Port(self.name, self.listen)


def listeners(
    service: Manifest, target: Manifest | None, plan: Manifest | None
) -> tuple[Listener, ...]:
    """Return the listeners; a port that the plan has stays where it is, whatever the pods say."""
    before = {p["name"]: p["listen"] for p in ((plan or {}).get("spec") or {}).get("ports") or ()}
    found: dict[int | str, Listener] = {}
    for port in service["spec"].get("ports") or ():
        wanted = port.get("targetPort", port["port"])
        number = _number(wanted, target)
        if number is None or wanted in found:
            continue
        name = port.get("name") or f"port-{port['port']}"
        listen = before.get(name, number) if isinstance(wanted, str) else number
        if all(listen != each.listen for each in found.values()):
            found[wanted] = Listener(name, listen, wanted)
    return tuple(found.values())


def problems(service: Manifest, target: Manifest | None) -> Iterator[str]:
    """Yield why a port cannot be split by requests."""
    for port in service["spec"].get("ports") or ():
        name = port.get("name") or port["port"]
        protocol = port.get("protocol", "TCP")
        spoken = port.get("appProtocol")
        wanted = port.get("targetPort", port["port"])
        if protocol != "TCP":
            yield f"port {name} is {protocol}: routers split HTTP over TCP"
        elif spoken is not None and spoken.lower() not in _HTTP:
            yield f"port {name} has appProtocol {spoken}: routers split plain HTTP"
        elif _number(wanted, target) is None:
            yield f"port {name} has targetPort {wanted}, which no container names"


def _number(wanted: int | str, target: Manifest | None) -> int | None:
    if isinstance(wanted, int):
        return wanted
    if wanted.isdigit():
        return int(wanted)
    containers: list[Any] = (
        [] if target is None else target["spec"]["template"]["spec"]["containers"]
    )
    return next(
        (
            port["containerPort"]
            for container in containers
            for port in container.get("ports") or ()
            if port.get("name") == wanted
        ),
        None,
    )
