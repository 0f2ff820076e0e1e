"""A Deployment `shop` behind its Service, in a namespace of its own, and what others do to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml

from tests.end_to_end.stage import Ended, Stage
from tests.end_to_end.terminal import deployment, service

STABLE, CANARY, THIRD, FOURTH = "nginx:1.7.9", "nginx:1.8.0", "nginx:1.9.0", "nginx:1.10.0"
HASH = "pod-template-hash"
QUARTER = ("--steps", "25,pause", "--settle", "1s")
"""The canary has a quarter of the pods, and the release waits for a person."""


class Shop(Stage):
    """One namespace of a cluster."""

    def __init__(self, home: Stage, namespace: str, folder: Path) -> None:
        kubeconfig = yaml.safe_load(home.kubeconfig.read_text())
        for each in kubeconfig["contexts"]:
            each["context"]["namespace"] = namespace
        path = folder / "kubeconfig"
        path.write_text(json.dumps(kubeconfig))
        super().__init__(path, home.address, home.pods_folder, folder / "cache")
        self.namespace = namespace

    async def create(self, *objects: dict[str, Any]) -> None:
        """Create objects as kubectl does."""
        await self.written("create", *objects)

    async def apply(self, *objects: dict[str, Any], options: tuple[str, ...] = ()) -> None:
        """Apply objects as kubectl does."""
        await self.written("apply", *objects, options=options)

    async def written(
        self, verb: str, *objects: dict[str, Any], options: tuple[str, ...] = ()
    ) -> None:
        path = self.kubeconfig.with_name("given.json")
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
        await self.kubectl(verb, *options, "-f", path)

    async def open(self, *, replicas: int = 3, **more: Any) -> None:
        """Run the shop, and know where it answers."""
        sticky = more.pop("sessionAffinity", "None")
        await self.apply(
            deployment("shop", replicas=replicas, **more),
            service("shop", type="NodePort", sessionAffinity=sticky),
        )
        port = (await self.object("service", "shop"))["spec"]["ports"][0]["nodePort"]
        self.url = f"http://{self.address}:{port}/"
        await self.serving("shop", replicas)
        await self.answering()

    async def release(self, image: str = CANARY, *options: str) -> Ended:
        """Begin a release, and drive it to where it waits for a person."""
        return await self.serinus("release", "shop", f"web={image}", *(options or QUARTER))

    async def drive(self, *options: str) -> Ended:
        """Go on with whatever the template is now, as `release` does when it names no image."""
        return await self.serinus("release", "shop", *(options or QUARTER))

    @contextlib.asynccontextmanager
    async def driven(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a verb beside the block, which begins when it drives; end it if it has not ended."""
        log = self.kubeconfig.with_name("driver.log")
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *self.command("serinus", *arguments),
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

        async def drives() -> bool:
            assert process.returncode is None, log.read_text()
            leases = (await self.object("leases"))["items"]
            return any(lease["spec"].get("holderIdentity") for lease in leases)

        try:
            await self.until(drives, f"serinus {arguments} drives")
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def status(self) -> dict[str, Any]:
        """Return the status of the release."""
        found = json.loads((await self.serinus("status", "shop", "-o", "json")).stdout)
        status: dict[str, Any] = found["status"]
        return status

    async def until_phase(self, phase: str) -> dict[str, Any]:
        """Return the status once the release is in a phase."""

        async def reached() -> bool:
            return bool((await self.status())["phase"] == phase)

        await self.until(reached, f"the release is {phase}")
        return await self.status()

    async def pods(self) -> list[dict[str, Any]]:
        """Return the pods that have not been told to stop."""
        items = (await self.object("pods"))["items"]
        return [p for p in items if "deletionTimestamp" not in p["metadata"]]

    async def images(self) -> Counter[str]:
        """Return how many pods of each image have not been told to stop."""
        return Counter(p["spec"]["containers"][0]["image"] for p in await self.pods())

    async def until_runs(self, *images: str, count: int = 3) -> None:
        """Wait until `count` pods of each image run, all ready, and none of another."""
        wanted = Counter(dict.fromkeys(images, count))

        async def runs() -> bool:
            pods = await self.pods()
            return await self.images() == wanted and all(map(is_ready, pods))

        await self.until(runs, f"{count} pods of each of {images} run")

    async def until_rests(self, image: str, *, count: int = 3) -> None:
        """Wait until nothing is left of a release but `count` pods of an image."""
        await self.until_runs(image, count=count)

        async def rests() -> bool:
            return await self.names() == ["shop"] and HASH not in await self.selector()

        await self.until(rests, "nothing is left of the release")

    async def names(self, kind: str = "deployments") -> list[str]:
        """Return the names of all objects of a kind."""
        return sorted(i["metadata"]["name"] for i in (await self.object(kind))["items"])

    async def sizes(self, owner: str = "shop") -> dict[str, int]:
        """Return the wanted pods of each ReplicaSet that a Deployment owns, by image."""
        return {
            rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs["spec"]["replicas"]
            for rs in (await self.object("replicasets"))["items"]
            if owner in {o["name"] for o in rs["metadata"].get("ownerReferences", [])}
        }

    async def selector(self) -> dict[str, str]:
        """Return what the Service selects."""
        found: dict[str, str] = (await self.object("service", "shop"))["spec"]["selector"]
        return found


def is_ready(pod: dict[str, Any]) -> bool:
    """Tell whether a pod is ready."""
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
