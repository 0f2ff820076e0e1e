"""`serinus plan`: a rehearsal of the release on a copy of the namespace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from serinus.api.codec import Release
from serinus.api.text import format_duration
from serinus.api.v1alpha1 import API_VERSION
from serinus.cli import output
from serinus.cli.options import ClusterOptions
from serinus.cli.release_verbs import commands, releasing, wishes
from serinus.cli.session import open_cluster
from serinus.controller import start
from serinus.controller.reconcile import Round
from serinus.controller.rehearsal import Planned, Rehearsal, copies
from serinus.process import SystemClock
from serinus.release.model import Spec
from serinus.traffic.write import Verb, Write


async def plan(wish: wishes.Wish, options: ClusterOptions) -> int:
    """Print the writes of a release that would start now."""
    name = commands.plain_name(wish.name)
    filed = wishes.from_file(wish, name)
    wishes.overrule(Spec(target=name, service=""), wish)
    images = start.parse_images(list(wish.images))
    async with open_cluster(options) as cluster:
        spec = await releasing.spec_of(cluster, name, wish, filed)
        stored = await cluster.load(name)
        release = Release(name, cluster.namespace, spec)
        if stored is not None:
            release = msgspec.structs.replace(stored.release, spec=spec)
        seen = await start.check(cluster, release)
        objects = list(copies(await cluster.read(spec)))
        rehearsal = Rehearsal(release, objects, SystemClock().now_ms())
        target = seen.objects.target
        if images:
            await rehearsal.play()
            target = (await rehearsal.read(spec)).target
        write = None if target is None else start.image_write(target, images)
        if write is not None:
            await rehearsal.send(write)
        last = await rehearsal.play()
    answer(release, rehearsal.writes, last).write(options.output)
    return 0


def answer(release: Release, planned: Sequence[Planned], last: Round) -> output.Answer:
    """Return the writes of a rehearsal that came to its end."""
    rows = [
        [f"+{format_duration(p.after_ms)}", _verb(p.write), f"{p.write.target}", p.write.why]
        for p in planned
    ]
    phase = last.decision.status.phase.value
    text = output.table(["AFTER", "WRITE", "OBJECT", "WHY"], rows)
    return output.Answer(
        body={
            "apiVersion": API_VERSION,
            "kind": "ReleasePlan",
            "metadata": {"name": release.name, "namespace": release.namespace},
            "items": [_body(item) for item in planned],
            "ends": phase,
        },
        text=f"{text}ends {phase}; pods ready at once, pauses for a person resumed\n",
        name=f"canaryrelease/{release.name}",
    )


def _verb(write: Write) -> str:
    if write.verb is Verb.DELETE and write.propagation is not None:
        return f"delete ({write.propagation.value})"
    return "patch" if write.verb in (Verb.MERGE, Verb.STRATEGIC, Verb.JSON) else write.verb.value


def _body(planned: Planned) -> dict[str, Any]:
    write = planned.write
    body: dict[str, Any] = {
        "after": format_duration(planned.after_ms),
        "verb": write.verb.value,
        "object": {
            "apiVersion": write.target.api_version,
            "kind": write.target.kind,
            "namespace": write.target.namespace,
            "name": write.target.name,
        },
        "why": write.why,
    }
    if write.body is not None:
        body["body"] = write.body
    if write.propagation is not None:
        body["propagationPolicy"] = write.propagation.value
    return body
