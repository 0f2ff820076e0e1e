from __future__ import annotations

import itertools

from serinus.load.outcome import ConnectionKind, Outcome
from serinus.load.record import Record, Row

NEW, KEEP_ALIVE = ConnectionKind.NEW, ConnectionKind.KEEP_ALIVE


def a_row(
    started_ms: int,
    ended_ms: int,
    version: str = "v1",
    *,
    outcome: Outcome = Outcome.ANSWERED,
    kind: ConnectionKind = NEW,
) -> Row:
    started_us = started_ms * 1000
    return Row(started_us - 5_000, started_us, ended_ms * 1000, outcome, version, kind, 40_000)


def a_record(*rows: Row, row_max: int = 100) -> Record:
    record = Record(row_max=row_max)
    for row in rows:
        record.add(row)
    return record


def test_rows_come_back_as_they_went_in() -> None:
    rows = [
        a_row(10, 20),
        a_row(11, 19, "", outcome=Outcome.REFUSED, kind=KEEP_ALIVE),
        a_row(12, 30, "v2", outcome=Outcome.HTTP_ERROR),
    ]
    assert list(a_record(*rows).rows()) == rows


def test_rows_can_be_asked_for_by_each_of_their_properties() -> None:
    choices = itertools.product(("v1", "v2"), (NEW, KEEP_ALIVE), (20, 30))
    record = a_record(*(a_row(10, end, v, kind=kind) for v, kind, end in choices))
    record.add(a_row(10, 20, "", outcome=Outcome.RESET))
    assert len(record) == 9
    assert len(list(record.rows(version="v2"))) == 4
    assert len(list(record.rows(kind=KEEP_ALIVE))) == 4
    assert len(list(record.rows(outcomes=[Outcome.RESET]))) == 1
    assert len(list(record.rows(after=20))) == 4
    assert len(list(record.rows(version="v2", kind=NEW, after=20))) == 1


def test_the_last_answer_of_a_version_is_found_per_population() -> None:
    record = a_record(
        a_row(10, 90, "v2", kind=KEEP_ALIVE), a_row(10, 50, "v2"), a_row(10, 99, "v1")
    )
    assert record.last_answer("v2") == 90
    assert record.last_answer("v2", kind=NEW) == 50
    assert record.last_answer("v2", kind=NEW, after=50) is None
    assert record.last_answer("v3") is None


def test_an_http_error_is_an_answer_too() -> None:
    record = a_record(a_row(10, 50, "v2", outcome=Outcome.HTTP_ERROR))
    assert record.last_answer("v2") == 50


def test_a_request_is_in_flight_from_its_start_until_before_its_end() -> None:
    record = a_record(a_row(10, 20), a_row(15, 30, "v2", kind=KEEP_ALIVE))
    assert [record.in_flight_at(t) for t in (9, 10, 15, 19, 20, 29, 30)] == [0, 1, 2, 2, 1, 1, 0]
    assert record.in_flight_at(15, kind=NEW) == 1
    assert record.in_flight_at(15, version="v2") == 1


def test_beyond_its_bound_a_record_says_that_it_is_not_complete() -> None:
    record = a_record(a_row(1, 2), a_row(1, 3), row_max=2)
    assert record.is_complete
    record.add(a_row(1, 4))
    assert (len(record), record.is_complete) == (2, False)
