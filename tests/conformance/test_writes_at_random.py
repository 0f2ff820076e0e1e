"""Random applies and patches by three managers: the model against the cluster, write by write.

The controllers of the cluster are kept out: the Deployment is paused and has no pods, and what
they write (status, their own entries) is not compared.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from serinus.errors import ClusterError
from tests.conformance.cluster import Cluster, Object, PatchKind
from tests.conformance.over_model import ModelCluster

WRITES = 60
MANAGERS = ("one", "two", "three")


class Writes:
    """A random sequence of writes to one Deployment; the seed is all there is to it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def next(self) -> tuple[str, str, bool, Object]:
        """Return (kind of write, manager, force, body)."""
        kind = self._random.choice(["apply", "apply", "apply", "strategic", "merge"])
        manager = self._random.choice(MANAGERS)
        return kind, manager, self._chance(60), self._deployment()

    def _chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def _some(self, names: str, most: int) -> list[str]:
        return self._random.sample(list(names), self._random.randint(0, most))

    def _labels(self) -> dict[str, str]:
        return {key: self._random.choice("12") for key in self._some("klm", 2)}

    def _deployment(self) -> Object:
        metadata: Object = {"name": "shop"}
        if self._chance(50):
            metadata["labels"] = self._labels()
        if self._chance(30):
            metadata["annotations"] = self._labels()
        spec: Object = {}
        if self._chance(30):
            spec["replicas"] = 0
        if self._chance(30):
            spec["minReadySeconds"] = self._random.randint(0, 2)
        if self._chance(20):
            rolling = {"rollingUpdate": {"maxSurge": 1}}
            spec["strategy"] = self._random.choice([{"type": "RollingUpdate"}, rolling, {}])
        if self._chance(70):
            spec["template"] = self._template()
        return {"metadata": metadata, **({"spec": spec} if self._chance(90) else {})}

    def _template(self) -> Object:
        spec: Object = {}
        if self._chance(80):
            found = [self._container() for _ in range(self._random.randint(0, 3))]
            spec["containers"] = list({item["name"]: item for item in found}.values())
        if self._chance(30):
            spec["tolerations"] = self._random.choice([[{"key": "a"}], []])
        if self._chance(30):
            spec["nodeSelector"] = self._labels()
        template: Object = {"spec": spec}
        if self._chance(20):
            template["metadata"] = {"labels": self._labels()}
        return template

    def _container(self) -> Object:
        made: Object = {"name": self._random.choice("abc"), "image": self._random.choice("ij")}
        if self._chance(50):
            made["env"] = [
                {"name": name, "value": self._random.choice("xy")} for name in self._some("PQR", 3)
            ]
        if self._chance(40):
            made["ports"] = [self._port(number) for number in self._some("123", 2)]
        if self._chance(30):
            made["args"] = self._random.choice([["x"], ["y", "z"], []])
        if self._chance(30):
            limits = {"limits": {"cpu": "1"}}
            made["resources"] = self._random.choice([limits, {"requests": {"cpu": "500m"}}, {}])
        return made

    def _port(self, number: str) -> Object:
        port: Object = {"containerPort": int(number)}
        if self._chance(40):
            port["protocol"] = self._random.choice(["TCP", "UDP"])
        return port


def start() -> Object:
    containers = [
        {"name": "a", "image": "i"},
        {"name": "b", "image": "i", "ports": [{"containerPort": 1}]},
    ]
    labels = {"app": "shop"}
    return {
        "metadata": {"name": "shop"},
        "spec": {
            "paused": True,
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


async def outcome(cluster: Cluster, write: tuple[str, str, bool, Object]) -> Any:
    """Carry out one write; return what can be compared of its answer."""
    kind, manager, force, body = write
    try:
        if kind == "apply":
            return comparable(
                await cluster.apply("deployments", body, manager=manager, force=force)
            )
        form: PatchKind = "strategic" if kind == "strategic" else "merge"
        return comparable(
            await cluster.patch("deployments", "shop", body, type=form, field_manager=manager)
        )
    except ClusterError as error:
        causes = (error.details or {}).get("causes", [])
        return error.code, sorted((c.get("field", ""), c["message"]) for c in causes)


def comparable(item: Object) -> Object:
    """Return an object without what differs from cluster to cluster."""
    metadata = item["metadata"]
    entries = {
        (entry["manager"], entry["operation"]): (entry["fieldsV1"], "time" in entry)
        for entry in metadata.get("managedFields", [])
        if entry["manager"] in {*MANAGERS, "founder"}
    }
    annotations = {
        key: value
        for key, value in metadata.get("annotations", {}).items()
        if not key.startswith("deployment.kubernetes.io/")
    }
    return {
        "spec": item["spec"],
        "labels": metadata.get("labels", {}),
        "annotations": annotations,
        "generation": metadata["generation"],
        "owned": entries,
    }


@pytest.mark.parametrize("seed", range(4))
async def test_the_model_answers_random_writes_as_the_cluster_does(
    cluster: Cluster, seed: int
) -> None:
    if isinstance(cluster, ModelCluster):
        pytest.skip("the model against itself shows nothing")
    beside = ModelCluster()
    for each in (cluster, beside):
        await each.create("deployments", start(), field_manager="founder")
    writes = Writes(seed)
    for number in range(WRITES):
        write = writes.next()
        expected = await outcome(cluster, write)
        assert await outcome(beside, write) == expected, f"write {number} of seed {seed}: {write}"
