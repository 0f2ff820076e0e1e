"""What a run found: frozen values, their JSON form, and the test of a share."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from serinus.clock import Instant
from serinus.load.outcome import NOT_FAILED, ConnectionKind, Outcome
from serinus.load.record import Record

API_VERSION = "serinus.dev/v1alpha1"
KIND = "LoadReport"


class Latency(msgspec.Struct, frozen=True):
    """Quantiles in milliseconds, from the intended start to the last byte of the answer."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float


class VersionReport(msgspec.Struct, frozen=True):
    """What one version answered."""

    version: str
    answered_count: int
    http_error_count: int
    latency: Latency | None


class PopulationReport(msgspec.Struct, frozen=True):
    """What the clients of one kind of connection saw.

    Attributes:
        counts: requests by outcome; every outcome is there.
        versions: answers below status 400 by version.
        connections_count: connections that were opened.
        idle_closes_count: connections that the server closed while nothing was asked on them.
        idle_race_retries_count: requests that were sent again after such a race.
    """

    kind: ConnectionKind
    counts: dict[str, int]
    versions: dict[str, int]
    connections_count: int
    idle_closes_count: int
    idle_race_retries_count: int

    def count(self, outcome: Outcome) -> int:
        """Return how many requests ended so."""
        return self.counts[outcome.value]

    @property
    def failed_count(self) -> int:
        """How many requests failed."""
        return _failed_count(self.counts)


class Bucket(msgspec.Struct, frozen=True):
    """What ended in one second of the run."""

    second: int
    answered: dict[str, int]
    failed_count: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one run.

    Attributes:
        planned_count: requests that the run set out to send; the counts add up to it.
        counts: requests by outcome; every outcome is there.
        statuses: HTTP errors by status.
        examples: the first message of each outcome that has one.
        rate_per_s: whole answers a second, errors included.
        valid: false when this client itself was the limit; then the numbers say nothing.
        warnings: what a reader must know, beside the numbers.
        record: every request, if the plan asked for it.
    """

    url: str
    started_at: Instant
    elapsed_ms: int
    planned_count: int
    counts: dict[str, int]
    statuses: dict[str, int]
    examples: dict[str, str]
    versions: tuple[VersionReport, ...]
    populations: tuple[PopulationReport, ...]
    buckets: tuple[Bucket, ...]
    latency: Latency | None
    rate_per_s: float
    valid: bool
    interrupted: bool
    warnings: tuple[str, ...]
    record: Record | None = None

    def count(self, outcome: Outcome) -> int:
        """Return how many requests ended so."""
        return self.counts[outcome.value]

    @property
    def answered_count(self) -> int:
        """How many requests got a whole answer with a status below 400."""
        return self.count(Outcome.ANSWERED)

    @property
    def failed_count(self) -> int:
        """How many requests failed, those that could not be sent included."""
        return _failed_count(self.counts)

    def answered_by(self, version: str) -> int:
        """Return how many requests `version` answered with a status below 400."""
        return sum(v.answered_count for v in self.versions if v.version == version)

    def share(self, version: str) -> float:
        """Return the share of `version` among the answers, 0 to 1."""
        return self.answered_by(version) / self.answered_count if self.answered_count else 0.0

    def population(self, kind: ConnectionKind) -> PopulationReport:
        """Return the part of one kind of connection."""
        return next(p for p in self.populations if p.kind is kind)

    def to_json(self) -> bytes:
        """Return the report as JSON, without the record."""
        return msgspec.json.encode(self._object())

    def _object(self) -> dict[str, Any]:
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "url": self.url,
            "startedAtMs": self.started_at,
            "elapsedMs": self.elapsed_ms,
            "valid": self.valid,
            "interrupted": self.interrupted,
            "warnings": self.warnings,
            "plannedCount": self.planned_count,
            "answeredCount": self.answered_count,
            "failedCount": self.failed_count,
            "ratePerSecond": round(self.rate_per_s, 1),
            "counts": self.counts,
            "statuses": self.statuses,
            "examples": self.examples,
            "latency": _latency_object(self.latency),
            "versions": [
                {
                    "version": v.version,
                    "answeredCount": v.answered_count,
                    "httpErrorCount": v.http_error_count,
                    "share": round(self.share(v.version), 6),
                    "latency": _latency_object(v.latency),
                }
                for v in self.versions
            ],
            "populations": [
                {
                    "connections": p.kind.value,
                    "counts": p.counts,
                    "versions": p.versions,
                    "failedCount": p.failed_count,
                    "connectionsCount": p.connections_count,
                    "idleClosesCount": p.idle_closes_count,
                    "idleRaceRetriesCount": p.idle_race_retries_count,
                }
                for p in self.populations
            ],
            "buckets": [
                {"second": b.second, "answered": b.answered, "failedCount": b.failed_count}
                for b in self.buckets
            ],
        }


class Progress(msgspec.Struct, frozen=True):
    """How a run stands while it goes on."""

    elapsed_ms: int
    ended_count: int
    in_flight_count: int
    rate_per_s: float
    counts: dict[str, int]
    versions: dict[str, int]
    latency: Latency | None

    @property
    def failed_count(self) -> int:
        """How many requests have failed so far."""
        return _failed_count(self.counts)


def z_score(count: int, total: int, share: float) -> float:
    """Return how many standard deviations `count` of `total` is from a binomial `share`.

    Without variance (a share of 0 or 1) it is 0 for the exact count and infinite for any other.
    """
    expected = total * share
    deviation = math.sqrt(expected * (1 - share))
    if deviation == 0:
        return 0.0 if count == expected else math.copysign(math.inf, count - expected)
    return (count - expected) / deviation


def _failed_count(counts: dict[str, int]) -> int:
    not_failed = {outcome.value for outcome in NOT_FAILED}
    return sum(count for name, count in counts.items() if name not in not_failed)


def _latency_object(latency: Latency | None) -> dict[str, float] | None:
    if latency is None:
        return None
    return {
        "p50Ms": latency.p50_ms,
        "p90Ms": latency.p90_ms,
        "p99Ms": latency.p99_ms,
        "p99.9Ms": latency.p999_ms,
        "maxMs": latency.max_ms,
    }
