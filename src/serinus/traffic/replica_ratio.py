"""Split by replica ratio: a plain Service over the pods of both revisions.

kube-proxy draws an endpoint uniformly per connection, so between 0 and 100 % the share of pods is
the share of connections. 0 and 100 % are made exact and immediate by narrowing the Service's
selector to one revision's `pod-template-hash`. At rest no selector carries a hash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from serinus.traffic.plan import (
    WEIGHT_BP_MAX,
    Live,
    Manifest,
    RouteReport,
    RouteState,
    TrafficPlan,
)
from serinus.traffic.pods import HASH_LABEL, endpoint_is_ready, hash_of, is_ready
from serinus.traffic.router import Capabilities, Capacity, Mode, Obstacle, Reads
from serinus.traffic.write import ObjectRef, Verb, Write

COARSE_FACTOR = 2
COARSE_POINTS_BP = 1_000
SURGE_WEIGHT_BP_MAX = 5_000


def capacity(replica_count: int, weight_bp: int, *, mode: Mode, surge: bool) -> Capacity:
    """Return the pods whose share is nearest to `weight_bp`, ties to the fewer canaries.

    `Surge` keeps stable whole, so it reaches 50 % at N + N and no more (100 % is the narrowed
    Service over N canaries). `Constant` keeps the total at N, or N + 1 where that is nearer and
    `surge` allows it.

    Raises:
        ValueError: the weight is outside 0..10,000, or over 5,000 and under 10,000 in Surge mode.
    """
    n = replica_count
    if not 0 <= weight_bp <= WEIGHT_BP_MAX:
        raise ValueError(f"weight {weight_bp} bp is outside 0..{WEIGHT_BP_MAX}")
    if n <= 0 or weight_bp == 0:
        return Capacity(stable=n, canary=0)
    if weight_bp == WEIGHT_BP_MAX:
        return _all(n, mode=mode, surge=surge)
    if mode is Mode.SURGE:
        if weight_bp > SURGE_WEIGHT_BP_MAX:
            raise ValueError(f"weight {weight_bp} bp needs Constant mode: Surge reaches 50 %")
        candidates = [Capacity(stable=n, canary=c) for c in range(1, n + 1)]
    elif n == 1:
        # One pod cannot be shared out: one beside it is the nearest that keeps somebody serving.
        candidates = [Capacity(stable=1, canary=1)]
    else:
        totals = (n, n + 1) if surge else (n,)
        candidates = [Capacity(stable=t - c, canary=c) for t in totals for c in range(1, n)]
    return min(candidates, key=lambda found: (_distance(found, weight_bp), found.canary))


def _all(n: int, *, mode: Mode, surge: bool) -> Capacity:
    """Return the pods for 100 %: one stable pod stays, as a revision to go back to."""
    if mode is Mode.SURGE:
        return Capacity(stable=n, canary=n)
    return Capacity(stable=1, canary=n if surge or n == 1 else n - 1)


def _distance(found: Capacity, weight_bp: int) -> tuple[int, int]:
    """Return |share - weight| as an exact fraction that sorts (numerator over one denominator)."""
    total = found.stable + found.canary
    numerator = abs(found.canary * WEIGHT_BP_MAX - weight_bp * total)
    # Compare a/b by scaling: exact for any replica count a Deployment may have (int32).
    return (numerator * (1 << 64) // total, total)


def is_coarse(weight_bp: int, real_bp: int) -> bool:
    """Tell whether the real share is more than twice the asked one and over 10 points above it."""
    return real_bp > COARSE_FACTOR * weight_bp and real_bp > weight_bp + COARSE_POINTS_BP


def replica_count_for(weight_bp: int, *, mode: Mode, surge: bool) -> int:
    """Return the smallest N whose pods express `weight_bp` without being coarse."""
    n = 1
    while is_coarse(weight_bp, capacity(n, weight_bp, mode=mode, surge=surge).canary_share_bp):
        n += 1
    return n


class ReplicaRatio:
    """The router that needs nothing but a Service."""

    name = "ReplicaRatio"
    capabilities = Capabilities(weights_follow_replicas=True)

    def capacity(self, replica_count: int, weight_bp: int, *, mode: Mode, surge: bool) -> Capacity:
        """Return the pods that express `weight_bp`; see `capacity`."""
        return capacity(replica_count, weight_bp, mode=mode, surge=surge)

    def render(self, plan: TrafficPlan, live: Live) -> tuple[Write, ...]:
        """Return the one write that gives the Service's selector the hash it should have."""
        if live.service is None:
            return ()
        wanted = plan.sole_revision
        if narrowed_to(live.service) == wanted:
            return ()
        if wanted is not None and _is_sent_elsewhere(live.service, live):
            # Its owner sends it to others: with our hash in it nobody would be left to answer.
            return ()
        return (_select(live.service, wanted),)

    def report(self, plan: TrafficPlan, live: Live) -> RouteReport:
        """Say whether selector and EndpointSlices show the plan."""
        if live.service is None:
            return RouteReport(state=RouteState.REJECTED, detail="the Service is gone")
        wanted = plan.sole_revision
        if wanted is not None and _is_sent_elsewhere(live.service, live):
            detail = f"it selects {in_words(live.service)}, none of these pods"
            return RouteReport(state=RouteState.PENDING, detail=detail)
        if narrowed_to(live.service) != wanted:
            return RouteReport(state=RouteState.PENDING, detail="its selector is being set")
        hashes = {_uid(pod): hash_of(pod) for pod in live.pods}
        endpoints = [e for s in live.slices for e in s.get("endpoints") or ()]
        if wanted is None:
            return _report_wide(live, endpoints)
        strangers = [e for e in endpoints if hashes.get(_target_uid(e)) != wanted]
        if strangers:
            return RouteReport(
                state=RouteState.PENDING,
                detail=f"{len(strangers)} endpoints of another revision are still listed",
            )
        if not any(endpoint_is_ready(e) for e in endpoints):
            return RouteReport(state=RouteState.PENDING, detail="no endpoint is ready")
        return RouteReport(state=RouteState.SHOWN)

    def restore(self, live: Live) -> tuple[Write, ...]:
        """Return the write that takes our hash out of the Service's selector, if it is there."""
        if live.service is None or narrowed_to(live.service) is None:
            return ()
        return (_select(live.service, None),)

    def reads(self, service: ObjectRef) -> Reads:  # noqa: ARG002 - it has nothing of its own
        """Return that it looks at nothing else."""
        return Reads()

    def obstacles(
        self,
        plan: TrafficPlan,  # noqa: ARG002
        live: Live,  # noqa: ARG002
        services: Sequence[Manifest],  # noqa: ARG002
    ) -> tuple[Obstacle, ...]:
        """Return none: what stands in its way is a matter of weights and counts."""
        return ()

    def owners_selector(self, live: Live) -> Mapping[str, str]:
        """Return the selector without our hash."""
        return {} if live.service is None else base_selector(live.service)

    def sole_revision(self, live: Live) -> str | None:
        """Return the revision that the Service is narrowed to."""
        return None if live.service is None else narrowed_to(live.service)

    def strands_users(self, live: Live) -> bool:
        """Tell whether the Service is narrowed to a revision that serves nobody.

        So it is too where its owner sends it to other pods now, which have no such hash.
        """
        service, revision = live.service, self.sole_revision(live)
        if service is None or revision is None:
            return False
        ready = [pod for pod in live.pods if is_ready(pod)]
        taken = [pod for pod in ready if selects(service, pod["metadata"].get("labels") or {})]
        return bool(ready) and (not taken or all(hash_of(pod) != revision for pod in ready))

    def words_of(self, live: Live, pod: str) -> str:  # noqa: ARG002 - it has no pods of its own
        """Return nothing."""
        return ""

    def in_force_bp(self, live: Live, canary_revision: str, revisions: Set[str]) -> int:
        """Return the share of ready endpoints."""
        narrowed = self.sole_revision(live)
        if narrowed is not None:
            return WEIGHT_BP_MAX if narrowed == canary_revision else 0
        mine = ready_endpoint_count(live, canary_revision)
        total = sum(ready_endpoint_count(live, revision) for revision in revisions)
        return 0 if total == 0 else WEIGHT_BP_MAX * mine // total


def narrowed_to(service: Manifest) -> str | None:
    """Return the revision that a Service is narrowed to, or None at rest."""
    found: str | None = (service["spec"].get("selector") or {}).get(HASH_LABEL)
    return found


def base_selector(service: Manifest) -> dict[str, str]:
    """Return the selector as its owner wrote it."""
    selector = service["spec"].get("selector") or {}
    return {k: v for k, v in selector.items() if k != HASH_LABEL}


def selects(service: Manifest, labels: Manifest) -> bool:
    """Tell whether the owner's selector matches pods with these labels."""
    base = base_selector(service)
    return bool(base) and all(labels.get(k) == v for k, v in base.items())


def in_words(service: Manifest) -> str:
    """Return the owner's selector as kubectl writes it."""
    return ",".join(f"{k}={v}" for k, v in base_selector(service).items()) or "nothing"


def _is_sent_elsewhere(service: Manifest, live: Live) -> bool:
    """Tell whether the owner's selector takes none of the pods that there are."""
    labels = [pod["metadata"].get("labels") or {} for pod in live.pods]
    return bool(labels) and not any(selects(service, each) for each in labels)


def ready_endpoint_count(live: Live, revision: str) -> int:
    """Return how many ready endpoints of a revision the EndpointSlices list."""
    uids = {_uid(pod) for pod in live.pods if hash_of(pod) == revision}
    endpoints = [e for s in live.slices for e in s.get("endpoints") or ()]
    return sum(1 for e in endpoints if endpoint_is_ready(e) and _target_uid(e) in uids)


def _select(service: Manifest, revision: str | None) -> Write:
    meta = service["metadata"]
    why = (
        f"let the Service select every revision again (it was narrowed to {narrowed_to(service)})"
        if revision is None
        else f"narrow the Service to revision {revision}"
    )
    return Write(
        verb=Verb.MERGE,
        target=ObjectRef("v1", "Service", meta["namespace"], meta["name"]),
        why=why,
        body={
            "metadata": {"resourceVersion": meta["resourceVersion"]},
            "spec": {"selector": {HASH_LABEL: revision}},
        },
    )


def _report_wide(live: Live, endpoints: list[Any]) -> RouteReport:
    """At rest every ready pod that the owner's selector matches must be listed as ready."""
    listed = {_target_uid(e) for e in endpoints if endpoint_is_ready(e)}
    assert live.service is not None
    missing = [
        pod["metadata"]["name"]
        for pod in live.pods
        if is_ready(pod)
        and selects(live.service, pod["metadata"].get("labels") or {})
        and _uid(pod) not in listed
    ]
    if missing:
        return RouteReport(
            state=RouteState.PENDING, detail=f"ready pods not listed yet: {len(missing)}"
        )
    return RouteReport(state=RouteState.SHOWN)


def _uid(pod: Manifest) -> str:
    uid: str = pod["metadata"]["uid"]
    return uid


def _target_uid(endpoint: Manifest) -> str:
    found: str = (endpoint.get("targetRef") or {}).get("uid", "")
    return found
