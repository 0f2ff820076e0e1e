"""The picture of one release: Deployments and pods, the share asked and real, what it waits for."""

from __future__ import annotations

import msgspec

from serinus.api.text import format_duration, format_step, format_weight
from serinus.clock import Instant
from serinus.controller.observe import controller_uid
from serinus.release.conditions import in_force_weight
from serinus.release.model import Phase, Spec, Status
from serinus.release.observation import Observation, ReplicaSet
from serinus.release.words import counted
from serinus.traffic.plan import Manifest
from serinus.traffic.pods import is_ready
from serinus.traffic.replica_ratio import narrowed_to


class Branch(msgspec.Struct):
    """One line of the tree and what hangs below it; `style` is a rich style."""

    text: str
    style: str = ""
    children: list[Branch] = []


PHASE_STYLE = {
    Phase.HEALTHY: "green",
    Phase.PROGRESSING: "cyan",
    Phase.PAUSED: "yellow",
    Phase.PROMOTING: "cyan",
    Phase.ABORTING: "red",
    Phase.ABORTED: "red",
    Phase.DEGRADED: "bold red",
}


def ago(since: Instant | None, now: Instant) -> str:
    """Return how long ago, as kubectl prints ages."""
    if since is None:
        return ""
    seconds = max(0, now - since) // 1000
    return format_duration(1000 * seconds)


def branch(obs: Observation, driver: str, now: Instant) -> Branch:
    """Return the tree of a release."""
    status, spec = obs.status, obs.spec
    message = f"  {status.message}" if status.message else ""
    root = Branch(f"{obs.name}  {status.phase.value}{message}", PHASE_STYLE[status.phase])
    root.children = [
        Branch(_traffic(obs)),
        Branch(_steps(spec, status)),
        *(_revision(obs, "stable", rs) for rs in _of_target(obs)),
        *(_revision(obs, "canary", rs) for rs in _of_canary(obs)),
        *([_routers(obs)] if obs.live.parts.pods else []),
        *(_waiting(status, now)),
        *([Branch(driver, "dim")] if driver else []),
    ]
    return root


def _traffic(obs: Observation) -> str:
    service = obs.live.service
    asked = format_weight(obs.status.weight_bp)
    real = format_weight(_real_bp(obs))
    if service is None:
        return f"Service {obs.spec.service} is not there"
    if obs.live.parts.pods:
        forced = format_weight(in_force_weight(obs))
        return f"Service {obs.spec.service}: canary {asked} % asked, {forced} % in force"
    narrowed = narrowed_to(service)
    if narrowed is None and obs.canary is None:
        return f"Service {obs.spec.service}: {counted(_ready_count(obs), 'ready pod')}"
    if narrowed is None:
        return f"Service {obs.spec.service}: canary {asked} % asked, {real} % of ready pods"
    who = "canary" if narrowed == obs.status.canary_hash else "stable"
    return f"Service {obs.spec.service}: all requests to {who} (narrowed to {narrowed})"


def _ready_count(obs: Observation) -> int:
    return sum(rs.ready_count for rs in obs.replica_sets)


def _real_bp(obs: Observation) -> int:
    canary = sum(rs.ready_count for rs in _of_canary(obs))
    total = _ready_count(obs)
    return 0 if total == 0 else 10_000 * canary // total


def _steps(spec: Spec, status: Status) -> str:
    walks = status.phase not in (Phase.HEALTHY, Phase.ABORTED, Phase.PROMOTING)
    marks = [
        f"[{format_step(step)}]" if i == status.step_index and walks else format_step(step)
        for i, step in enumerate(spec.steps)
    ]
    last = spec.promotion.value if status.promotion is None else status.promotion.value
    end = f"[{last}]" if status.phase is Phase.PROMOTING else last
    return f"steps {' > '.join([*marks, end])}"


def _of_target(obs: Observation) -> list[ReplicaSet]:
    if obs.target is None:
        return []
    return [rs for rs in obs.owned_by(obs.target.uid) if rs.wanted_count or rs.standing_count]


def _of_canary(obs: Observation) -> list[ReplicaSet]:
    return [] if obs.canary is None else list(obs.owned_by(obs.canary.uid))


def _revision(obs: Observation, role: str, rs: ReplicaSet) -> Branch:
    found = Branch(
        f"{role} {rs.name}  {rs.ready_count}/{rs.wanted_count} ready",
        "green" if rs.ready_count >= rs.wanted_count else "yellow",
    )
    pods = [p for p in obs.live.pods if controller_uid(p) == rs.uid]
    found.children = [_pod(p) for p in pods]
    return found


def _routers(obs: Observation) -> Branch:
    """Show what is in force at each router."""
    found = Branch(f"{counted(len(obs.live.parts.pods), 'router')} in front")
    for pod in obs.live.parts.pods:
        name = pod["metadata"]["name"]
        words = obs.spec.routed_by.words_of(obs.live, name)
        style = "green" if is_ready(pod) else "yellow"
        found.children.append(Branch(f"{name}  {words}", style))
    return found


def _pod(pod: Manifest) -> Branch:
    meta, status = pod["metadata"], pod.get("status") or {}
    restarts = sum(c.get("restartCount", 0) for c in status.get("containerStatuses") or ())
    if meta.get("deletionTimestamp"):
        word, style = "Terminating", "dim"
    elif is_ready(pod):
        word, style = "Ready", "green"
    else:
        word, style = _trouble(status), "yellow"
    image = ", ".join(c["image"] for c in pod["spec"]["containers"])
    count = f"  {counted(restarts, 'restart')}" if restarts else ""
    return Branch(f"{meta['name']}  {word}  {image}{count}", style)


def _trouble(status: Manifest) -> str:
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            return str(waiting.get("reason", "Waiting"))
    return str(status.get("phase", "Pending"))


def _waiting(status: Status, now: Instant) -> list[Branch]:
    if status.waiting is None:
        return []
    found = [
        Branch(f"waiting {ago(status.waiting.since_ms, now)}: {status.waiting.message}", "yellow")
    ]
    if status.progress is not None and now < status.progress.deadline_ms:
        left = ago(now, status.progress.deadline_ms)
        found.append(Branch(f"deadline in {left}"))
    if status.pause_until_ms is not None and now < status.pause_until_ms:
        found.append(Branch(f"goes on in {ago(now, status.pause_until_ms)}"))
    return found


def to_text(found: Branch, indent: str = "") -> str:
    """Return the tree as plain lines."""
    lines = [found.text] if not indent else []
    for index, child in enumerate(found.children):
        last = index == len(found.children) - 1
        lines.append(f"{indent}{'└─ ' if last else '├─ '}{child.text}")
        below = to_text(child, indent + ("   " if last else "│  "))
        if below:
            lines.append(below)
    return "\n".join(lines)
