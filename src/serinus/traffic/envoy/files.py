"""The files that an Envoy follows, in the order in which a change may be written."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

import msgspec
import xxhash

from serinus.assignment.intervals import Version
from serinus.traffic.envoy import names
from serinus.traffic.envoy.clusters import clusters
from serinus.traffic.envoy.endpoints import assignment
from serinus.traffic.envoy.messages import Json
from serinus.traffic.envoy.plan import Endpoints, RouterPlan, weight_in_force_bp
from serinus.traffic.envoy.routing.routes import routes
from serinus.traffic.envoy.weights import layer


class Stage(enum.IntEnum):
    """What a file is about: what is pointed to comes before what points to it."""

    ENDPOINTS = 0
    CLUSTERS = 1
    ROUTES = 2
    WEIGHTS = 3


class ConfigFile(msgspec.Struct, frozen=True):
    """One file of resources; its version is made of its content, so that a restart changes none.

    Attributes:
        subscription: what Envoy's statistics about it begin with.
    """

    name: str
    stage: Stage
    subscription: str
    resources: tuple[Json, ...]
    version: str = ""

    @classmethod
    def of(
        cls, name: str, stage: Stage, subscription: str, resources: Sequence[Json]
    ) -> ConfigFile:
        """Return the file with its version."""
        version = xxhash.xxh64_hexdigest(msgspec.json.encode(resources))
        return cls(name, stage, subscription, tuple(resources), version)

    @property
    def text(self) -> bytes:
        """Return what stands in the file."""
        return msgspec.json.encode(
            {"version_info": self.version, "resources": list(self.resources)}
        )


def files(plan: RouterPlan, endpoints: Endpoints, *, folder: str) -> tuple[ConfigFile, ...]:
    """Return all files of a router, make before break: each only points to earlier ones.

    Raises:
        InvalidInput: a rule asks what Envoy cannot answer.
    """
    return tuple(_files(plan, endpoints, folder))


def _files(plan: RouterPlan, endpoints: Endpoints, folder: str) -> Iterator[ConfigFile]:
    for port in plan.ports:
        for version in Version:
            yield ConfigFile.of(
                names.endpoints_file(port.name, version),
                Stage.ENDPOINTS,
                f"cluster.{names.cluster(port.name, version)}",
                [assignment(endpoints, port.name, version)],
            )
    yield ConfigFile.of(
        names.CLUSTERS_FILE, Stage.CLUSTERS, "cluster_manager.cds", clusters(plan, folder=folder)
    )
    for port in plan.ports:
        yield ConfigFile.of(
            names.routes_file(port.name),
            Stage.ROUTES,
            f"http.{port.name}.rds.{port.name}",
            [routes(plan, port.name)],
        )
    weight_bp = weight_in_force_bp(plan, endpoints)
    yield ConfigFile.of(names.WEIGHTS_FILE, Stage.WEIGHTS, "runtime", [layer(plan, weight_bp)])


def changes(
    wanted: Sequence[ConfigFile], written: dict[str, ConfigFile], *, lowers: bool
) -> list[ConfigFile]:
    """Return the files that differ, in the order in which they may be written.

    A canary that loses weight loses it first, before anything else about it changes; one that
    gains weight gains it last.
    """
    differing = [
        each
        for each in wanted
        if each.name not in written or written[each.name].version != each.version
    ]
    if lowers:
        return sorted(differing, key=lambda each: each.stage is not Stage.WEIGHTS)
    return differing
