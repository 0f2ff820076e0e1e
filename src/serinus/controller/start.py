"""Begin a release: check, write the record, hold the Deployment, and set the template on trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serinus import errors
from serinus.api.codec import Release
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.observe import Observed, observe
from serinus.controller.ports import Stored
from serinus.errors import InvalidInput, RefusedError
from serinus.release.decision import CreateCanary, Hold
from serinus.release.holding import held_fields
from serinus.release.model import Spec
from serinus.release.observation import HoldBy
from serinus.release.render import writes
from serinus.release.stages.stage import Stage, view
from serinus.release.stages.trial import weight_at
from serinus.traffic.plan import Manifest
from serinus.traffic.router import Mode
from serinus.traffic.write import ObjectRef, Verb, Write


async def check(cluster: KubernetesCluster, release: Release) -> Observed:
    """Return the world of a release that may start.

    Raises:
        RefusedError: with every reason why it may not.
    """
    seen = observe(release, await cluster.read(release.spec))
    if seen.observation.target is None:
        raise RefusedError("DeploymentMissing", f"Deployment {release.spec.target} is not there")
    blocking = [f for f in seen.observation.findings if f.blocking]
    if blocking:
        raise RefusedError(blocking[0].reason, "\n".join(f.message for f in blocking))
    return seen


async def refuse_other(cluster: KubernetesCluster, name: str, spec: Spec) -> None:
    """Do nothing where a release with this wish may be recorded.

    Raises:
        RefusedError: another one runs, or the record's name is taken.
    """
    stored = await cluster.load(name)
    if stored is None:
        await cluster.records.refuse_stranger(name)
        return
    if stored.release.spec == spec:
        return
    seen = observe(stored.release, await cluster.read(stored.release.spec))
    stage = view(seen.observation).stage
    if stage not in (Stage.LANDED, Stage.GIVEN_UP, Stage.MISSING):
        raise RefusedError(
            "ReleaseRuns",
            f"a release of {name} is running at step {stored.release.status.step_index + 1}: "
            f"finish it with serinus promote {name} or serinus abort {name} first",
        )


async def record(cluster: KubernetesCluster, name: str, spec: Spec) -> Stored | None:
    """Write the wish of a new release into the record; return the record that was there before.

    Raises:
        RefusedError: a release runs and the wish is another.
    """
    stored = await cluster.load(name)
    if stored is None:
        release = Release(name=name, namespace=cluster.namespace, spec=spec)
        try:
            await cluster.records.create(release)
        except errors.AlreadyExists:
            # Another terminal was first; what it wrote is checked like any record.
            return await record(cluster, name, spec)
        return None
    if stored.release.spec == spec:
        return stored
    await refuse_other(cluster, name, spec)
    changed = msgspec.structs.replace(stored.release, spec=spec)
    await cluster.records.wish(Stored(changed, stored.version))
    return stored


def hold_write(seen: Observed, spec: Spec) -> tuple[Write, ...]:
    """Return the write that holds the Deployment; none when it is held."""
    target = seen.observation.target
    if target is None or target.paused:
        return ()
    return writes(Hold(), spec, seen.objects)


def waits_for_trial(seen: Observed) -> bool:
    """Tell whether the Deployment has a template that was not tried yet."""
    return view(seen.observation).stage is Stage.START


def canary_writes(seen: Observed, spec: Spec, target: Manifest) -> tuple[Write, ...]:
    """Return the write that creates the canary of a template; none when there is a canary."""
    found = seen.observation.target
    if found is None or seen.objects.canary is not None:
        return ()
    share = spec.routed_by.capacity(
        found.replica_count, weight_at(spec, 0), mode=spec.mode, surge=found.surge
    )
    count = 1 if spec.mode is Mode.CONSTANT else max(share.canary, min(found.replica_count, 1))
    objects = msgspec.structs.replace(seen.objects, target=target)
    return writes(CreateCanary(replica_count=count), spec, objects)


def parse_images(arguments: list[str]) -> dict[str, str]:
    """Return container -> image of `nginx=nginx:1.8.0` arguments.

    Raises:
        InvalidInput: an argument is not of that form, or names a container twice.
    """
    images: dict[str, str] = {}
    problems = []
    for argument in arguments:
        container, equals, image = argument.partition("=")
        if not equals or not container or not image:
            problems.append(f"{argument!r} is not CONTAINER=IMAGE, such as nginx=nginx:1.8.0")
        elif container in images:
            problems.append(f"container {container!r} is named twice")
        images[container] = image
    if problems:
        raise InvalidInput("images", problems)
    return images


def image_write(
    target: Manifest, images: Mapping[str, str], hold_by: HoldBy = HoldBy.FIELD
) -> Write | None:
    """Return the write that sets images, or None when they are set already.

    The admission policy lets our own writes through, so under it the hold comes with the write.

    Raises:
        RefusedError: a container of that name is not in the template.
    """
    pod_spec = target["spec"]["template"]["spec"]
    present = {
        c["name"]: (field, c["image"])
        for field in ("containers", "initContainers")
        for c in pod_spec.get(field) or ()
    }
    meta = target["metadata"]
    unknown = sorted(set(images) - set(present))
    if unknown:
        raise RefusedError(
            "ContainerMissing",
            f"Deployment {meta['name']} has no container {', '.join(unknown)}; it has: "
            f"{', '.join(sorted(present))}",
        )
    fields: dict[str, list[dict[str, Any]]] = {}
    for container, image in images.items():
        field, now = present[container]
        if image != now:
            fields.setdefault(field, []).append({"name": container, "image": image})
    if not fields:
        return None
    held = held_fields() if hold_by is HoldBy.POLICY else {"metadata": {}, "spec": {}}
    return Write(
        verb=Verb.STRATEGIC,
        target=ObjectRef("apps/v1", "Deployment", meta["namespace"], meta["name"]),
        why="set the images on trial: " + ", ".join(f"{c}={i}" for c, i in images.items()),
        body={
            "metadata": {**held["metadata"], "resourceVersion": meta["resourceVersion"]},
            "spec": {**held["spec"], "template": {"spec": fields}},
        },
    )
