"""Counting while the run goes on; frozen into a report at its end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from serinus.load.connection import Exchange
from serinus.load.histogram import Histogram
from serinus.load.http1 import ResponseReader
from serinus.load.outcome import OUTCOMES, ConnectionKind, Outcome
from serinus.load.plan import LoadPlan
from serinus.load.record import Record, Row
from serinus.load.report import Bucket, Latency, PopulationReport, VersionReport

_SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)
_VERSIONS_MAX = 64
_OTHER = "other"


class PopulationTally:
    """Counts of one population."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.versions: Counter[str] = Counter()
        self.connections_count = 0
        self.idle_closes_count = 0
        self.idle_race_retries_count = 0


class Tally:
    """Count each request of a run exactly once.

    Args:
        started_ns: monotonic time of the start.
        started_us: the same moment in microseconds since the epoch.
    """

    def __init__(self, plan: LoadPlan, *, started_ns: int, started_us: int) -> None:
        self._source = plan.version_source
        self._started_ns = started_ns
        self._offset_us = started_us - started_ns // 1000
        self.record = Record(row_max=plan.record_max) if plan.record else None
        self.populations = {kind: PopulationTally() for kind in plan.kinds}
        self.ended_count = 0
        self.http_errors: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.examples: dict[Outcome, str] = {}
        self.late_starts = Histogram()
        self.latencies = Histogram()
        self._by_version: dict[str, Histogram] = {}
        self._answered: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._failed: Counter[int] = Counter()

    def version_of(self, response: ResponseReader) -> str:
        """Return the version of an answer; beyond 64 different ones it is `other`."""
        version = self._source.read(response)
        if version in self._by_version:
            return version
        if len(self._by_version) >= _VERSIONS_MAX:
            version = _OTHER
        self._by_version.setdefault(version, Histogram())
        return version

    def count(
        self,
        exchange: Exchange,
        kind: ConnectionKind,
        outcome: Outcome,
        *,
        response: ResponseReader,
        detail: str,
        ended_ns: int,
    ) -> None:
        """Take the one outcome of one request."""
        population = self.populations[kind]
        population.outcomes[outcome] += 1
        self.ended_count += 1
        second = (ended_ns - self._started_ns) // 1_000_000_000
        version = ""
        self.late_starts.add(_us(exchange.started_ns - exchange.intended_ns))
        if outcome is Outcome.ANSWERED:
            version = self.version_of(response)
            population.versions[version] += 1
            latency_us = _us(ended_ns - exchange.intended_ns)
            self.latencies.add(latency_us)
            self._by_version[version].add(latency_us)
            self._answered[second][version] += 1
        elif outcome is not Outcome.ABANDONED:
            self._failed[second] += 1
            if outcome is Outcome.HTTP_ERROR:
                version = self.version_of(response)
                self.http_errors[version] += 1
                self.statuses[response.status] += 1
            if detail:
                self.examples.setdefault(outcome, detail)
        if self.record is not None:
            self._keep(exchange, kind, outcome, version=version, ended_ns=ended_ns)

    def _keep(
        self,
        exchange: Exchange,
        kind: ConnectionKind,
        outcome: Outcome,
        *,
        version: str,
        ended_ns: int,
    ) -> None:
        if self.record is not None:
            row = Row(
                self._offset_us + exchange.intended_ns // 1000,
                self._offset_us + exchange.started_ns // 1000,
                self._offset_us + ended_ns // 1000,
                outcome,
                version,
                kind,
                exchange.port,
            )
            self.record.add(row)

    def counts(self) -> dict[str, int]:
        """Return the requests by outcome, over all populations."""
        total: Counter[Outcome] = Counter()
        for population in self.populations.values():
            total.update(population.outcomes)
        return _named(total)

    def answered(self) -> dict[str, int]:
        """Return the answers by version, over all populations, sorted by version."""
        total: Counter[str] = Counter()
        for population in self.populations.values():
            total.update(population.versions)
        return dict(sorted(total.items()))

    def version_reports(self) -> tuple[VersionReport, ...]:
        """Freeze what each version did."""
        answered = self.answered()
        return tuple(
            VersionReport(
                version, answered.get(version, 0), self.http_errors[version], latency_of(histogram)
            )
            for version, histogram in sorted(self._by_version.items())
        )

    def population_reports(self) -> tuple[PopulationReport, ...]:
        """Freeze what each population saw."""
        return tuple(
            PopulationReport(
                kind,
                _named(population.outcomes),
                dict(sorted(population.versions.items())),
                population.connections_count,
                population.idle_closes_count,
                population.idle_race_retries_count,
            )
            for kind, population in self.populations.items()
        )

    def buckets(self) -> tuple[Bucket, ...]:
        """Freeze the seconds of the run, those without an answer included."""
        last = max([*self._answered, *self._failed], default=-1)
        return tuple(
            Bucket(second, dict(sorted(self._answered[second].items())), self._failed[second])
            for second in range(last + 1)
        )


def latency_of(histogram: Histogram) -> Latency | None:
    """Read the quantiles of a histogram of microseconds; `None` when it is empty."""
    quantiles_us = histogram.quantiles(_SHARES)
    return Latency(*(us / 1000 for us in quantiles_us)) if quantiles_us else None


def _us(duration_ns: int) -> int:
    return max(duration_ns // 1000, 1)


def _named(outcomes: Mapping[Outcome, int]) -> dict[str, int]:
    return {outcome.value: outcomes.get(outcome, 0) for outcome in OUTCOMES}
