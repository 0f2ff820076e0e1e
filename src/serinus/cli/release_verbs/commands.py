"""Give one verb: to the driver of the release if there is one, else by driving it here."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import msgspec
import typer

from serinus import errors
from serinus.api.text import format_weight, parse_duration
from serinus.cli import skew
from serinus.cli.options import ClusterOptions, DryRun
from serinus.cli.release_verbs.rehearsing import rehearse, rehearse_command
from serinus.cli.release_verbs.steering import steering
from serinus.cli.report import Lines
from serinus.cli.session import open_cluster
from serinus.controller import pair as pairs
from serinus.controller import run
from serinus.controller.kubernetes.cluster import KubernetesCluster
from serinus.controller.observe import observe
from serinus.controller.ports import Stored
from serinus.controller.reconcile import Round
from serinus.errors import RefusedError, UsageError
from serinus.process import SystemClock
from serinus.release.decision import Reason
from serinus.release.model import Command, CommandVerb, Outcome, Phase, Status
from serinus.release.pair.decide import decide_pair
from serinus.release.pair.model import PairGoal
from serinus.release.preflight import weight_problem

PAIR_VERBS = ("set-weight", "promote", "abort")
ANSWER_MS = 3_000
SETTLE_MS = 2_000


class More(msgspec.Struct, frozen=True):
    """What a verb says beside its name."""

    service: str | None = None
    weight_bp: int | None = None
    allow_coarse: bool = False
    full: bool = False
    wait: bool = False
    timeout: str | None = None
    dry_run: DryRun = DryRun.NONE


def plain_name(text: str) -> str:
    """Return the Deployment's name of `NAME`, `deployment/NAME` or `deploy/NAME`.

    Raises:
        UsageError: another kind was named.
    """
    kind, slash, name = text.rpartition("/")
    if slash and kind.lower() not in ("deployment", "deployments", "deploy", "deployments.apps"):
        raise UsageError(f"{text}: only a Deployment can be released, not a {kind}")
    if not name:
        raise UsageError(f"{text!r} names no Deployment")
    return name


@contextlib.asynccontextmanager
async def time_limit(limit: str | None) -> AsyncIterator[None]:
    """Raise RefusedError when the block takes longer than `--timeout`."""
    if limit is None:
        yield
        return
    try:
        limit_ms = parse_duration(limit)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from error
    try:
        async with asyncio.timeout(limit_ms / 1000):
            yield
    except TimeoutError as error:
        raise RefusedError(
            "Timeout", f"not finished within {limit}; the same command goes on with it"
        ) from error


def say_where(cluster: KubernetesCluster, name: str, verb: str) -> None:
    """Print context and namespace before anything is written."""
    context = cluster.client.connection.context or cluster.client.connection.server
    typer.echo(f"{verb} {name} (context {context}, namespace {cluster.namespace})", err=True)


async def give(name: str, verb: str, options: ClusterOptions, more: More) -> int:
    """Run one verb to its outcome; return the exit code."""
    name = plain_name(name)
    async with open_cluster(options) as cluster, time_limit(more.timeout):
        say_where(cluster, name, verb)
        lines = Lines(name)
        if options.verbose:
            cluster.own.on_write = lines.write
        stored = await cluster.load(name)
        if stored is None:
            return await _on_pair(cluster, name, verb, more, lines)
        if verb == "leave":
            return await _leave(cluster, stored, lines)
        if verb == "restart":
            return await _restart(cluster, stored, lines)
        return await _on_release(cluster, stored, verb, more, lines)


async def _on_pair(
    cluster: KubernetesCluster, name: str, verb: str, more: More, lines: Lines
) -> int:
    from serinus.cli.release_verbs import pair_words, targets

    await targets.deployment(cluster, name)
    if verb not in PAIR_VERBS:
        raise RefusedError(
            "NoRelease", f"there is no release of {name}; serinus release {name} ... begins one"
        )
    snapshot = await cluster.everything()
    pair = pairs.find_pair(snapshot, name, more.service)
    goal = PairGoal(verb, more.weight_bp or 0)  # type: ignore[arg-type] # one of PAIR_VERBS
    if pair.named_canary:
        lines.say(f"{name} is the canary of {pair.stable}")
    obs = await pairs.observe_pair(cluster, pair, settle_ms=SETTLE_MS)
    pair_words.check(obs, pair, goal, allow_coarse=more.allow_coarse)
    if verb == "promote":
        for line in pair_words.differences(obs):
            lines.say(line)
    clock = SystemClock()
    # Once before the Lease is taken: what is refused leaves nothing behind.
    first = decide_pair(obs, goal, None, clock.now_ms())
    if more.dry_run is not DryRun.NONE:
        await rehearse(cluster, first.writes, more.dry_run)
        if not first.writes:
            lines.say(f"nothing would be written now: {first.waiting or 'the goal is reached'}")
        return 0
    # A pair has no record, so nothing of ours stays behind.
    async with run.driving(cluster, pair.stable, clock, keep=False) as lease:
        done = await pairs.drive_pair(
            cluster,
            pair,
            goal,
            settle_ms=SETTLE_MS,
            lease=lease,
            clock=clock,
            on_decision=lines.pair,
        )
    lines.say(pair_words.outcome(done, pair, goal))
    return 0


async def _on_release(
    cluster: KubernetesCluster, stored: Stored, verb: str, more: More, lines: Lines
) -> int:
    release = stored.release
    seen = observe(release, await cluster.read(release.spec)).observation
    if seen.target is None:
        raise RefusedError("DeploymentMissing", f"Deployment {release.spec.target} is not there")
    if verb == "set-weight" and more.weight_bp is not None:
        spec = msgspec.structs.replace(
            release.spec, allow_coarse=release.spec.allow_coarse or more.allow_coarse
        )
        n = release.status.full_replica_count or seen.target.replica_count
        problem = weight_problem(spec, n, more.weight_bp, surge=seen.target.surge)
        if problem:
            raise RefusedError("Weight", problem)
    command = Command(
        id=uuid.uuid4().hex,
        verb=CommandVerb(verb),
        revision=seen.target.template,
        step_index=release.status.step_index if verb in ("resume", "skip") else None,
        weight_bp=more.weight_bp,
        full=more.full,
    )
    if more.dry_run is not DryRun.NONE:
        await rehearse_command(cluster, release.name, command, more.dry_run)
        return 0
    return await _deliver(cluster, release.name, command, more, lines)


async def _deliver(
    cluster: KubernetesCluster, name: str, command: Command, more: More, lines: Lines
) -> int:
    """Give a command to whoever drives; when nobody does any more, drive here."""
    given = False
    while True:
        try:
            await run.refuse_operated(cluster, name, SystemClock())
            async with run.driving(cluster, name, SystemClock()) as lease:
                last = await run.drive(
                    cluster,
                    name,
                    lease=lease,
                    clock=SystemClock(),
                    until=lambda done: _finished(done, command, wait=more.wait),
                    on_round=lines.round,
                    on_trouble=lines.trouble,
                    command=None if given else command,
                )
                return result(name, last, command, lines)
        except run.NotDriving as elsewhere:
            if isinstance(elsewhere, run.Operated):
                skew.warn(elsewhere.by)
            if not given:
                await run.give(cluster, name, command)
                given = True
                lines.say(str(elsewhere))
            outcome = await run.answered(cluster, name, command, ANSWER_MS)
            if outcome is None:
                continue
            if not outcome.accepted or not more.wait:
                return _say_outcome(name, outcome, lines)
            last = await run.follow(
                cluster,
                name,
                clock=SystemClock(),
                until=lambda done: _finished(done, command, wait=True),
                on_round=lines.round,
            )
            return result(name, last, command, lines)


def _say_outcome(name: str, outcome: Outcome, lines: Lines) -> int:
    if outcome.accepted:
        lines.say(
            f"{outcome.verb.value}: accepted by the driver; serinus status {name} --watch shows "
            f"it, serinus wait {name} waits for the end"
        )
        return 0
    raise RefusedError("Refused", f"{outcome.verb.value}: {outcome.message}")


def _finished(done: Round, command: Command | None, *, wait: bool) -> bool:
    """Tell whether a driver in the foreground may go."""
    status = done.decision.status
    last = status.last_command
    if command is not None and (last is None or last.id != command.id):
        return False
    if last is not None and command is not None and not last.accepted:
        return True
    return rests(done, wait=wait)


def rests(done: Round, *, wait: bool) -> bool:
    """Tell whether the release waits for nobody but a person, or for nothing at all."""
    if done.at_rest:
        return True
    waiting = done.decision.status.waiting
    for_person = waiting is not None and waiting.reason == Reason.WAITING_FOR_PERSON.value
    return for_person and not wait and not done.decision.actions


def result(name: str, last: Round, command: Command | None, lines: Lines) -> int:
    """Say how it ended and return the exit code."""
    status = last.decision.status
    answer = status.last_command
    if command is not None and answer is not None and not answer.accepted:
        raise RefusedError("Refused", f"{command.verb.value}: {answer.message}")
    wanted_abort = command is not None and command.verb in (CommandVerb.ABORT, CommandVerb.UNDO)
    lines.say(summary(name, status))
    if status.phase is Phase.DEGRADED or (status.phase is Phase.ABORTED and not wanted_abort):
        return 1
    return 0


def summary(name: str, status: Status) -> str:
    """Return where a release stands and what can be done next."""
    match status.phase:
        case Phase.HEALTHY:
            return f"Healthy: {status.message or f'{name} runs its template'}"
        case Phase.ABORTED:
            return (
                f"Aborted: {status.message}. The Deployment keeps the template, held: "
                f"serinus retry {name} tries again, serinus undo {name} sets it back"
            )
        case Phase.PAUSED:
            weight = format_weight(status.weight_bp)
            return (
                f"Paused at {weight} %: serinus resume {name}, serinus promote {name} or "
                f"serinus abort {name}"
            )
        case _:
            return f"{status.phase.value}: {status.message}"


async def _restart(cluster: KubernetesCluster, stored: Stored, lines: Lines) -> int:
    from serinus.controller import upkeep

    name = stored.release.name
    async with steering(cluster, name, lines) as go:
        await upkeep.mark_restart(cluster, stored, SystemClock().now_ms())
        last = await go(lambda done: rests(done, wait=False))
    lines.say(summary(name, last.decision.status))
    return 0


async def _leave(cluster: KubernetesCluster, stored: Stored, lines: Lines) -> int:
    from serinus.controller import upkeep

    name = stored.release.name
    await upkeep.check_leave(cluster, stored)
    # Whoever drives forgets the record at the end.
    with contextlib.suppress(errors.NotFound):
        async with steering(cluster, name, lines, keep=False) as go:
            await cluster.records.leave(stored, SystemClock().now_ms())
            await go(lambda done: done.decision.gone)
    lines.say(f"{name} is a plain Deployment again")
    return 0
