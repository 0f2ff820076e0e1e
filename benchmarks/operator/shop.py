"""The one release that most rows play: three pods that are ready a second after their start."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from benchmarks.operator.bench import Bench
from benchmarks.operator.journal import Entry, Journal, following
from serinus.api.codec import COMMAND_ANNOTATION, encode_command
from serinus.kube import kinds
from serinus.kube.objects import SERVICE_NAME_LABEL
from serinus.kube.requests import PatchType
from serinus.load.outcome import ConnectionKind
from serinus.load.report import Report
from serinus.release.holding import MANAGED, RELEASE_LABEL
from serinus.release.model import Command, CommandVerb
from serinus.release.revision import fingerprint
from tests.end_to_end.stage import measure, under_load

NAME, NAMESPACE, NODE_PORT, POD_COUNT = "shop", "default", 32611, 3
LABELS = {"app": NAME}
RATE_PER_S = 100
QUARTER: tuple[dict[str, Any], ...] = ({"setWeight": 25}, {"pause": {}})
FOLLOWED = (
    kinds.CANARY_RELEASES,
    kinds.DEPLOYMENTS,
    kinds.REPLICA_SETS,
    kinds.PODS,
    kinds.SERVICES,
    kinds.ENDPOINT_SLICES,
)


class Shop:
    """Deployment, Service and CanaryRelease `shop`, changed as their owner changes them."""

    def __init__(self, bench: Bench, journal: Journal) -> None:
        self.bench, self.journal, self.client = bench, journal, bench.client
        self.number = 0
        self.url = f"http://{bench.stage.address}:{NODE_PORT}/"

    @property
    def mark(self) -> int:
        """The number of the journal's next entry."""
        return len(self.journal.entries)

    @property
    def version(self) -> str:
        """What the pods of the template answer as their version."""
        return f"1.{self.number}.0"

    @property
    def status(self) -> dict[str, Any]:
        """The release's status as it is now."""
        found = self.journal.get(kinds.CANARY_RELEASES, NAME)
        return dict((found or {}).get("status") or {})

    async def release(self, *steps: dict[str, Any], **spec: Any) -> float:
        """Write the release's spec; return when that began."""
        body = {
            "apiVersion": kinds.CANARY_RELEASES.api_version,
            "kind": kinds.CANARY_RELEASES.kind,
            "metadata": {"name": NAME},
            "spec": {
                "targetRef": {"name": NAME},
                "service": {"name": NAME},
                "steps": list(steps),
                **spec,
            },
        }
        began_s = time.time()
        await self.client.apply(
            kinds.CANARY_RELEASES, body, NAMESPACE, field_manager="bench", force=True
        )
        return began_s

    async def change(self, number: int | None = None) -> float:
        """Write another image into the template; return when that began."""
        self.number = self.number + 1 if number is None else number
        container = {"name": "web", "image": f"nginx:{self.version}"}
        body = {"spec": {"template": {"spec": {"containers": [container]}}}}
        began_s = time.time()
        await self.client.patch(
            kinds.DEPLOYMENTS,
            NAME,
            NAMESPACE,
            body,
            patch_type=PatchType.STRATEGIC,
            field_manager="bench",
        )
        return began_s

    async def command(self, verb: CommandVerb) -> float:
        """Give a verb as the command line does; return when that began."""
        target = self.journal.get(kinds.DEPLOYMENTS, NAME) or {}
        revision = fingerprint(target["spec"]["template"])
        given = Command(id=uuid.uuid4().hex, verb=verb, revision=revision)
        body = {"metadata": {"annotations": {COMMAND_ANNOTATION: encode_command(given)}}}
        began_s = time.time()
        await self.client.patch(
            kinds.CANARY_RELEASES, NAME, NAMESPACE, body, patch_type=PatchType.MERGE
        )
        return began_s

    async def phase(self, phase: str, *, since: int) -> Entry:
        """Wait until the release says that it is in a phase."""
        return await self.journal.first(
            f"{NAME} is {phase}",
            lambda e: (
                e.kind == kinds.CANARY_RELEASES and e.object.get("status", {}).get("phase") == phase
            ),
            since=since,
        )

    async def canary_pod(self, since: int) -> Entry:
        """Wait for the first pod of the template's image."""
        return await self.journal.first(
            f"a pod of nginx:{self.version}",
            lambda e: e.kind == kinds.PODS and e.event == "ADDED" and image(e.object) == self.image,
            since=since,
        )

    @property
    def image(self) -> str:
        """The template's image."""
        return f"nginx:{self.version}"

    @property
    def is_held(self) -> bool:
        """Tell whether the next template will wait, and the release says that all is well."""
        found = self.journal.get(kinds.DEPLOYMENTS, NAME) or {}
        label = (found["metadata"].get("labels") or {}).get(RELEASE_LABEL)
        held = found["spec"].get("paused") or label == MANAGED
        return bool(held) and self.status.get("phase") == "Healthy"

    async def at_rest(self) -> None:
        """Wait until all pods are of the template, none is leaving, and the release says so."""
        await self.journal.until("the release is at rest", self._rests)

    def _rests(self) -> bool:
        pods = self.journal.all(kinds.PODS)
        deployments = self.journal.all(kinds.DEPLOYMENTS)
        release = self.journal.get(kinds.CANARY_RELEASES, NAME)
        status = (deployments[0].get("status") or {}) if deployments else {}
        return (
            release is not None
            and self.is_held
            and self.status.get("observedGeneration") == release["metadata"]["generation"]
            and len(deployments) == 1
            and len(pods) == status.get("availableReplicas") == POD_COUNT
            and {image(pod) for pod in pods} == {self.image}
            and not any("deletionTimestamp" in pod["metadata"] for pod in pods)
        )

    def canary_serves(self) -> bool:
        """Tell whether a pod of the template's image is a ready endpoint of the Service."""
        pods = self.journal.all(kinds.PODS)
        names = {pod["metadata"]["name"] for pod in pods if image(pod) == self.image}
        return any(
            endpoint["conditions"].get("ready") and endpoint["targetRef"]["name"] in names
            for found in self.journal.all(kinds.ENDPOINT_SLICES)
            if found["metadata"]["labels"].get(SERVICE_NAME_LABEL) == NAME
            for endpoint in found.get("endpoints") or ()
        )

    @contextlib.asynccontextmanager
    async def load(self) -> AsyncIterator[list[Report]]:
        """Open new connections for as long as the block runs; the report is there afterwards."""
        reports: list[Report] = []
        kinds_of_load = (ConnectionKind.NEW,)
        async with under_load(self.url, rate=RATE_PER_S, kinds=kinds_of_load) as result:
            yield reports
        reports.append(await result)


def image(pod: dict[str, Any]) -> str:
    """Return the image of a pod's only container."""
    return str(pod["spec"]["containers"][0]["image"])


def last_answer_s(report: Report, version: str) -> float:
    """Return when the last connection began that another version than this one answered."""
    rows = report.record.rows() if report.record is not None else ()
    others = [row.started_us for row in rows if row.version and row.version != version]
    return max(others, default=0) / 1e6


@contextlib.asynccontextmanager
async def opened(bench: Bench) -> AsyncIterator[Shop]:
    """Make the shop, without a release, and follow it for the block."""
    async with following(bench.client, NAMESPACE, FOLLOWED) as journal:
        shop = Shop(bench, journal)
        for kind, body in ((kinds.DEPLOYMENTS, _deployment()), (kinds.SERVICES, _service())):
            await bench.client.create(kind, body, NAMESPACE)
        await journal.until("the first pods are available", lambda: _available(journal))
        await bench.stage.until(lambda: _answers(shop.url), "the NodePort answers")
        yield shop


async def _answers(url: str) -> bool:
    return (await measure(url, request_count=1)).failed_count == 0


def _available(journal: Journal) -> bool:
    found = journal.get(kinds.DEPLOYMENTS, NAME) or {}
    return bool((found.get("status") or {}).get("availableReplicas") == POD_COUNT)


def _deployment() -> dict[str, Any]:
    probe = {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 1, "periodSeconds": 1}
    container = {"name": "web", "image": "nginx:1.0.0", "readinessProbe": probe}
    return {
        "metadata": {"name": NAME},
        "spec": {
            "replicas": POD_COUNT,
            "selector": {"matchLabels": LABELS},
            "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}},
        },
    }


def _service() -> dict[str, Any]:
    port = {"port": 80, "targetPort": 80, "nodePort": NODE_PORT}
    spec = {"selector": LABELS, "type": "NodePort", "ports": [port]}
    return {"metadata": {"name": NAME}, "spec": spec}
