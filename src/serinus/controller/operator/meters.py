"""The operator's metrics, in a registry of their own; docs/reference/metrics.md names them all."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from serinus.controller.operator.concerns import Key
from serinus.release.model import Phase


class Meters:
    """Counters, gauges and one histogram."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.leader = Gauge(
            "serinus_leader", "1 while this replica drives releases", registry=self._registry
        )
        self.queue_length = Gauge(
            "serinus_queue_length", "Releases due or in work", registry=self._registry
        )
        self.rounds = Counter(
            "serinus_rounds", "Rounds by outcome", ["outcome"], registry=self._registry
        )
        self.round_seconds = Histogram(
            "serinus_round_seconds", "Time of a round", registry=self._registry
        )
        self.writes = Counter(
            "serinus_writes", "Writes to the API server", ["verb"], registry=self._registry
        )
        self.notes = Counter(
            "serinus_notes",
            "What was told of releases",
            ["reason", "severity"],
            registry=self._registry,
        )
        self._phases = Gauge(
            "serinus_release_phase",
            "1 for the phase a release is in",
            ["namespace", "name", "phase"],
            registry=self._registry,
        )
        self._weights = Gauge(
            "serinus_release_weight_ratio",
            "Share of requests last given to the canary, 0 to 1",
            ["namespace", "name"],
            registry=self._registry,
        )
        self._phase_of: dict[Key, Phase] = {}

    def phase(self, key: Key, phase: Phase) -> None:
        """Note the phase of a release."""
        before = self._phase_of.get(key)
        if before is not None and before is not phase:
            self._phases.remove(*key, before.value)
        self._phase_of[key] = phase
        self._phases.labels(*key, phase.value).set(1)

    def weight(self, key: Key, weight_bp: int) -> None:
        """Note the weight of a release."""
        self._weights.labels(*key).set(weight_bp / 10_000)

    def forget(self, key: Key) -> None:
        """Drop the series of a release that is gone."""
        before = self._phase_of.pop(key, None)
        if before is not None:
            self._phases.remove(*key, before.value)
            self._weights.remove(*key)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)
