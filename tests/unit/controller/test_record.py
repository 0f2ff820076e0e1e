"""The record of a release in a ConfigMap."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.api.codec import Release
from serinus.controller.kubernetes.record import (
    DATA_KEY,
    from_config_map,
    record_name,
    to_config_map,
)
from serinus.errors import InvalidInput
from tests.unit.release.world import a_spec


def a_config_map(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "serinus-shop", "namespace": "default"}, "data": data}


def test_a_record_is_read_as_it_was_written() -> None:
    release = Release("shop", "default", a_spec())
    assert from_config_map(to_config_map(release)) == release
    assert "resourceVersion" not in to_config_map(release)["metadata"]
    assert to_config_map(release, "5")["metadata"]["resourceVersion"] == "5"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (a_config_map(), "missing; it is no record of serinus"),
        ({**a_config_map(), "data": None}, "missing; it is no record of serinus"),
        (a_config_map(**{DATA_KEY: "{"}), "data"),
        (a_config_map(**{DATA_KEY: "{}"}), "apiVersion: None is not"),
        (a_config_map(**{DATA_KEY: "[]"}), "it is no CanaryRelease"),
    ],
)
def test_what_is_no_record_is_refused_with_the_name_of_the_config_map(
    found: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_config_map(found)
    assert str(caught.value).startswith("ConfigMap default/serinus-shop:")
    assert words in str(caught.value)


def test_the_name_of_a_record_fits_and_differs_for_long_names() -> None:
    assert record_name("shop") == "serinus-shop"
    one, other = (record_name("x" * 80 + end) for end in "ab")
    assert len(one) <= 63
    assert one != other
