"""How often a second `decide` answers, amid a release of three and of a hundred pods."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

import yaml

import serinus.demo
from benchmarks import measure
from serinus import kubernetes_model as model
from serinus.api.codec import Release
from serinus.api.text import parse_steps
from serinus.controller.observe import Observed, observe
from serinus.controller.rehearsal import Rehearsal
from serinus.controller.start import image_write
from serinus.release.decide import decide
from serinus.release.model import Spec

NOW = 1_800_000_000_000
CALL_COUNT = 2_000


def stored(replica_count: int) -> list[model.Object]:
    """Return the classic example as an API server keeps it."""
    numbers = itertools.count(1)
    cluster = model.Cluster(new_id=lambda: f"bench-{next(numbers)}")
    kinds = {kind.kind: kind for kind in reversed(model.KINDS)}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
    cluster.create(kinds["Namespace"], namespace, now=NOW)
    text = Path(str(serinus.demo.__path__[0]), "manifests", "stable.yaml").read_text()
    for manifest in yaml.safe_load_all(text):
        if manifest["kind"] == "Deployment":
            manifest["spec"]["replicas"] = replica_count
        cluster.create(kinds[manifest["kind"]], manifest, "default", now=NOW)
    return [o for o in cluster.snapshot()[0] if o["kind"] != "Namespace"]


async def in_the_middle(replica_count: int) -> Observed:
    """Return the world of a release that waits in a pause at 25 %."""
    spec = Spec("nginx-deployment", "nginx-service", steps=parse_steps("25,pause:1h,50"))
    rehearsal = Rehearsal(Release(spec.target, "default", spec), stored(replica_count), NOW)
    await rehearsal.play()
    target = (await rehearsal.read(spec)).target
    assert target is not None
    write = image_write(target, {"nginx": "nginx:1.8.0"})
    assert write is not None
    await rehearsal.send(write)
    while True:
        done = await rehearsal.step()
        if done is not None and done.decision.status.pause_until_ms is not None:
            found = await rehearsal.load(spec.target)
            assert found is not None
            return observe(found.release, await rehearsal.read(spec))


async def main() -> None:
    for replica_count in (3, 100):
        seen = await in_the_middle(replica_count)

        async def calls(seen: Observed = seen) -> float:
            began = time.perf_counter()
            for _ in range(CALL_COUNT):
                decide(seen.observation, NOW)
            return CALL_COUNT / (time.perf_counter() - began)

        found = await measure.alternating({"decide": calls})
        pods = len(seen.observation.live.pods)
        measure.row(f"decide() with {pods} pods", f"{measure.median(found['decide']):,.0f} /s")


if __name__ == "__main__":
    asyncio.run(main())
