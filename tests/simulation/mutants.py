"""Bugs to plant: each a small change of the text of a production module while a test runs.

Only the code of the functions is exchanged, so that everybody who holds one runs the changed one.
Beside each bug stands where to look for it first.
"""

from __future__ import annotations

import contextlib
import inspect
import types
from collections.abc import Iterator

import msgspec

from serinus.controller import observe, reconcile
from serinus.controller.over_model import port
from serinus.release import capacity, holding, render
from serinus.release.stages import (
    commands,
    draft,
    full_count,
    hold,
    landing,
    leaving,
    promotion,
    removal,
    route,
    stage,
    trial,
)
from serinus.simulation import driver


class Hunt(msgspec.Struct, frozen=True):
    """Where to look: all schedules of an example with one fault of a call, or of those named."""

    example: str = ""
    faults: tuple[str, ...] = ()
    faults_max: int = 1
    seeds: tuple[int, ...] = ()
    """Random schedules to look at, in place of an example."""


class Mutant(msgspec.Struct, frozen=True):
    """One planted bug: `before` stands exactly once in the module."""

    name: str
    module: types.ModuleType
    before: str
    after: str
    hunt: Hunt


def functions(module: types.ModuleType) -> dict[str, types.FunctionType]:
    """Return the functions and methods that a module defines, by qualified name."""
    found: dict[str, types.FunctionType] = {}
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    for holder in (module, *classes):
        for value in vars(holder).values():
            inner = value.fget if isinstance(value, property) else value
            if isinstance(inner, types.FunctionType) and inner.__module__ == module.__name__:
                found[inner.__qualname__] = inner
    return found


@contextlib.contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Run production code with a bug in it."""
    source = inspect.getsource(mutant.module)
    assert source.count(mutant.before) == 1, f"{mutant.name}: the text is not there (once)"
    changed = types.ModuleType(mutant.module.__name__)
    changed.__file__ = mutant.module.__file__
    text = source.replace(mutant.before, mutant.after)
    exec(compile(text, str(mutant.module.__file__), "exec"), changed.__dict__)
    originals = functions(mutant.module)
    kept = {name: function.__code__ for name, function in originals.items()}
    for name, function in functions(changed).items():
        originals[name].__code__ = function.__code__
    try:
        yield
    finally:
        for name, code in kept.items():
            originals[name].__code__ = code


MUTANTS = (
    Mutant(
        "narrow to the canary before its pods are available",
        trial,
        "    if available < n:\n",
        "    if available < 1:\n",
        Hunt("adoption, constant", ("the pods are slow",)),
    ),
    Mutant(
        "delete the canary before the route is in force",
        removal,
        "    if obs.live.service is not None and not draft.follow(follow(obs, plan, draft.now)):\n"
        "        return False\n",
        "    draft.follow(follow(obs, plan, draft.now))\n",
        Hunt("abort", faults_max=0),
    ),
    Mutant(
        "give the proxies no time to follow",
        route,
        "    if now >= settled_at:",
        "    if True:",
        Hunt("abort", faults_max=0),
    ),
    Mutant(
        "open the Service while old pods stand",
        landing,
        "        if narrowed and old_standing and ready_count(obs, now_stable.hash):\n",
        "        if False:\n",
        Hunt(seeds=(21, 114, 282)),
    ),
    Mutant(
        "widen too late: leave users at a revision that serves nobody",
        route,
        "    if service is None or revision is None:",
        "    if True:",
        Hunt("abort", ("every pod of shop:1 breaks down",)),
    ),
    Mutant(
        "leave twins of the canary's ReplicaSet",
        stage,
        "stable, None, canary, tuple(equal))",
        "stable, None, canary, ())",
        Hunt("adoption", ("the template becomes shop:1",)),
    ),
    Mutant(
        "hand over without looking at how many pods the controller wants",
        promotion,
        "        and own[0].wanted_count == n\n        and own[0].desired_count == n\n",
        "",
        Hunt("adoption", ("N changes by -1", "the controllers sleep"), faults_max=2),
    ),
    Mutant(
        "act before the status is saved",
        reconcile,
        "    if news or (changed and show):\n"
        "        saved = msgspec.structs.replace(release, status=decision.status, outlook=shown)\n"
        "        await cluster.save(msgspec.structs.replace(stored, release=saved))\n"
        "    sent = await act(cluster, release.spec, decision, seen.objects)\n",
        "    sent = await act(cluster, release.spec, decision, seen.objects)\n"
        "    if news or (changed and show):\n"
        "        saved = msgspec.structs.replace(release, status=decision.status, outlook=shown)\n"
        "        await cluster.save(msgspec.structs.replace(stored, release=saved))\n",
        Hunt("abort, constant"),
    ),
    Mutant(
        "apply a command each time it is seen",
        commands,
        "    if command is None or (last is not None and last.id == command.id):",
        "    if command is None:",
        Hunt("adoption", ("a person says skip",)),
    ),
    Mutant(
        "scale without a precondition",
        render,
        '            "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},\n'
        '            "spec": {"replicas": replica_count},',
        '            "spec": {"replicas": replica_count},',
        Hunt("adoption", faults_max=0),
    ),
    Mutant(
        "overwrite the record whatever its version",
        driver,
        "        if stored.version != self.world.stored.version:",
        "        if False:",
        Hunt("abort, constant"),
    ),
    Mutant(
        "drop the precondition on the way to the server",
        port,
        "        write.body,\n        namespace,\n        patch_type",
        "        {k: v for k, v in write.body.items() if k != 'metadata'}\n"
        "        if write.verb is Verb.MERGE\n"
        "        else write.body,\n        namespace,\n        patch_type",
        Hunt("abort, constant"),
    ),
    Mutant(
        "forget to hold",
        hold,
        '    draft.act(Hold())\n    draft.note(Reason.HELD, "spec',
        '    draft.note(Reason.HELD, "spec',
        Hunt("adoption", faults_max=0),
    ),
    Mutant(
        "count pods that are leaving",
        observe,
        'available_count=min(status.get("availableReplicas", 0), ready_count)',
        'available_count=min(status.get("availableReplicas", 0), len(own))',
        Hunt("abort", ("the controllers sleep", "every pod of shop:1 is lost"), faults_max=2),
    ),
    Mutant(
        "abort without waiting for stable's pods",
        removal,
        "    if staying < needed and not already:",
        "    if False:",
        Hunt("abort, constant", faults_max=0),
    ),
    Mutant(
        "forget when to look again",
        draft,
        "        if at is not None and (self._wake_at is None or at < self._wake_at):",
        "        if False:",
        Hunt("adoption", faults_max=0),
    ),
    Mutant(
        "resume a template that no ReplicaSet runs",
        landing,
        "                draft.act(EmptyReplicaSet(name=rs.name))",
        "                draft.act(Resume())",
        Hunt("adoption", ("the template becomes shop:3",)),
    ),
    Mutant(
        "take stable pods away before the canary's are there",
        capacity,
        "        + min(fleet.canary_available, fleet.canary_wanted)",
        "        + fleet.canary_wanted",
        Hunt("abort, constant", ("the pods are slow",)),
    ),
    Mutant(
        "keep stable at the count that only the trial needed",
        full_count,
        "    if target.replica_count >= n:",
        "    if True:",
        Hunt("abort, constant", faults_max=0),
    ),
    Mutant(
        "leave the canary of a template that was replaced",
        removal,
        "    if len(running) == 1:\n",
        "    draft.wake(draft.now)\n    return\n    if len(running) == 1:\n",
        Hunt("adoption", ("the template becomes shop:3",)),
    ),
    Mutant(
        "leave the Deployment paused at rest under the policy",
        holding,
        "{RELEASE_LABEL: label}}, **_unpaused(target)}",
        "{RELEASE_LABEL: label}}}",
        Hunt("adoption, policy", faults_max=0),
    ),
    Mutant(
        "set a template under the policy without the hold",
        render,
        "            *holding.operations(target, objects.hold_by),\n",
        "",
        Hunt("adoption, policy", ("a person says undo",)),
    ),
    Mutant(
        "lift the pause of a person",
        holding,
        '    return label == HELD or OUR_MANAGER in apply_owners(target, "f:paused")',
        "    return True",
        Hunt("adoption, policy", ("the Deployment is paused by a person",)),
    ),
    Mutant(
        "leave a pause behind where the hold was switched off",
        holding,
        '        return _owners(target, "f:paused") <= {OUR_MANAGER}',
        "        return False",
        Hunt("adoption, policy", ("the hold is switched off",)),
    ),
    Mutant(
        "leave it to the field to hold where a policy came",
        hold,
        "    if is_policy and draft.target.paused",
        "    if False and draft.target.paused",
        Hunt("abort", ("the policy is installed",)),
    ),
    Mutant(
        "roll out what waits when the release is deleted",
        leaving,
        "lift=draft.view.stage is Stage.BACK)",
        "lift=True)",
        Hunt("leaving", faults_max=0),
    ),
    Mutant(
        "forget a release before its canary is gone",
        leaving,
        "    if removal.remove(draft):",
        "    if removal.remove(draft) or True:",
        Hunt("leaving", faults_max=0),
    ),
    Mutant(
        "leave our label on the Deployment",
        holding,
        '{"labels": {RELEASE_LABEL: None}}}',
        '{"labels": {RELEASE_LABEL: OFF}}}',
        Hunt("leaving, constant, policy", faults_max=0),
    ),
    Mutant(
        "leave a canary without an owner behind",
        leaving,
        "    if canary is None:\n",
        "    if True:\n",
        Hunt("leaving", ("the Deployment is created anew (Orphan",)),
    ),
    Mutant(
        "take a count of the Deployment before for ours",
        full_count,
        '    if status.target_uid not in ("", target.uid):\n',
        "    if False:\n",
        Hunt("abort, constant", ("the Deployment is created anew (Background, as it stands)",)),
    ),
)
