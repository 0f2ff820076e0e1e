from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus import errors
from serinus.kube import timestamps

INSTANTS = st.integers(
    # The years 1 to 9999, which is what RFC 3339 can say.
    min_value=-62_135_596_800_000,
    max_value=253_402_300_799_999,
)


@given(INSTANTS)
def test_an_instant_survives_being_written_and_read(instant: int) -> None:
    assert instant == timestamps.parse(timestamps.format_micros(instant))
    assert instant - instant % 1000 == timestamps.parse(timestamps.format_seconds(instant))


@given(
    st.datetimes(
        min_value=dt.datetime(2, 1, 1),  # noqa: DTZ001 - Hypothesis wants naive bounds
        max_value=dt.datetime(9998, 12, 31),  # noqa: DTZ001
    ),
    st.integers(-1439, 1439),
)
def test_an_offset_names_the_same_instant(moment: dt.datetime, minutes: int) -> None:
    zone = dt.timezone(dt.timedelta(minutes=minutes))
    utc = moment.replace(tzinfo=dt.UTC)
    local = utc.astimezone(zone).isoformat(timespec="microseconds")
    expected = (utc - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    assert expected == timestamps.parse(local)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        timestamps.parse(text)
    except errors.InvalidInput:
        return
    assert text[10] in "Tt"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.5Z", 500),
        ("1970-01-01T00:00:00.123456789Z", 123),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01t00:00:00z", 0),
    ],
)
def test_the_forms_of_rfc_3339_are_read(text: str, expected: int) -> None:
    assert expected == timestamps.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-13-01T00:00:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00.Z",
        "١٩٧٠-01-01T00:00:00Z",
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(errors.InvalidInput):
        timestamps.parse(text)
