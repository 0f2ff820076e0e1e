"""A row for every request, in arrays, and the questions that tests ask of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

import msgspec

from serinus.clock import Instant
from serinus.load.outcome import OUTCOMES, ConnectionKind, Outcome

_KINDS = tuple(ConnectionKind)
_OUTCOME_INDEX = {outcome: index for index, outcome in enumerate(OUTCOMES)}
_KIND_INDEX = {kind: index for index, kind in enumerate(_KINDS)}
_NO_VERSION = 0xFFFF


class Row(msgspec.Struct, frozen=True):
    """One request; times in microseconds since the epoch. `version` is empty without an answer."""

    intended_us: int
    started_us: int
    ended_us: int
    outcome: Outcome
    version: str
    kind: ConnectionKind
    port: int


class Record:
    """Hold rows up to a bound; `is_complete` tells whether all of them fitted."""

    def __init__(self, *, row_max: int) -> None:
        self._row_max = row_max
        self._times = array("q")
        self._outcomes = array("B")
        self._kinds = array("B")
        self._versions = array("H")
        self._ports = array("H")
        self._version_index: dict[str, int] = {}
        self.is_complete = True

    def __len__(self) -> int:
        return len(self._outcomes)

    def add(self, row: Row) -> None:
        """Keep one row; beyond the bound it is dropped and the record is marked incomplete."""
        if len(self._outcomes) >= self._row_max:
            self.is_complete = False
            return
        self._times.extend((row.intended_us, row.started_us, row.ended_us))
        self._outcomes.append(_OUTCOME_INDEX[row.outcome])
        self._kinds.append(_KIND_INDEX[row.kind])
        self._ports.append(row.port)
        index = _NO_VERSION
        if row.version:
            index = self._version_index.setdefault(row.version, len(self._version_index))
        self._versions.append(index)

    def rows(
        self,
        *,
        version: str | None = None,
        kind: ConnectionKind | None = None,
        outcomes: Sequence[Outcome] = (),
        after: Instant | None = None,
    ) -> Iterator[Row]:
        """Yield the rows that fit, in the order in which they ended.

        Args:
            version: only answers of this version.
            kind: only this population.
            outcomes: only these; empty means all.
            after: only rows that ended after this instant.
        """
        names = list(self._version_index)
        for n in self._indexes(version, kind):
            outcome = OUTCOMES[self._outcomes[n]]
            intended, started, ended = self._times[3 * n : 3 * n + 3]
            if (not outcomes or outcome in outcomes) and (after is None or ended > after * 1000):
                index, row_kind = self._versions[n], _KINDS[self._kinds[n]]
                name = "" if index == _NO_VERSION else names[index]
                yield Row(intended, started, ended, outcome, name, row_kind, self._ports[n])

    def _indexes(self, version: str | None, kind: ConnectionKind | None) -> Iterator[int]:
        wanted_kind = None if kind is None else _KIND_INDEX[kind]
        wanted_version = None if version is None else self._version_index.get(version, -1)
        for n in range(len(self._outcomes)):
            if (wanted_kind is None or self._kinds[n] == wanted_kind) and (
                wanted_version is None or self._versions[n] == wanted_version
            ):
                yield n

    def last_answer(
        self, version: str, *, kind: ConnectionKind | None = None, after: Instant | None = None
    ) -> Instant | None:
        """Return when the last answer of `version` was complete, or `None` if there is none."""
        answered = (Outcome.ANSWERED, Outcome.HTTP_ERROR)
        rows = self.rows(version=version, kind=kind, outcomes=answered, after=after)
        last_us = max((row.ended_us for row in rows), default=None)
        return None if last_us is None else last_us // 1000

    def in_flight_at(
        self, instant: Instant, *, kind: ConnectionKind | None = None, version: str | None = None
    ) -> int:
        """Count the requests that had started and not ended at `instant`.

        With `version` only those which that version answered in the end.
        """
        at_us, times = instant * 1000, self._times
        return sum(
            times[3 * n + 1] <= at_us < times[3 * n + 2] for n in self._indexes(version, kind)
        )
