"""Flags, asked through the SDK as applications do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from serinus.middleware import using
from serinus.middleware.openfeature import Flag, SerinusProvider
from tests.unit.middleware.plans import CANARY_USER, STABLE_USER, plan

FLAGS = {
    "new": Flag(stable=False, canary=True),
    "colour": Flag(stable="blue", canary="green"),
    "limit": Flag(stable=10, canary=20),
    "rate": Flag(stable=0.5, canary=1),
    "table": Flag(stable={"a": 1}, canary=[1, 2]),
}


@pytest.fixture
def client() -> Iterator[OpenFeatureClient]:
    api.set_provider(SerinusProvider(FLAGS, plan()))
    yield api.get_client()
    api.clear_providers()


def test_within_a_request_its_version_decides(client: OpenFeatureClient) -> None:
    with using("canary"):
        details = client.get_boolean_details("new", default_value=False)
        assert (details.value, details.variant) == (True, "canary")
        assert details.reason == Reason.TARGETING_MATCH
        assert client.get_string_value("colour", "red") == "green"
        assert client.get_integer_value("limit", 0) == 20
        assert client.get_float_value("rate", 0.0) == 1
        assert client.get_object_value("table", {}) == [1, 2]
    with using("stable"):
        assert client.get_string_value("colour", "red") == "blue"


def test_outside_of_a_request_the_targeting_key_is_the_user(client: OpenFeatureClient) -> None:
    for user, expected in ((CANARY_USER, "green"), (STABLE_USER, "blue")):
        details = client.get_string_details("colour", "red", EvaluationContext(user))
        assert (details.value, details.reason) == (expected, Reason.SPLIT)


def test_without_request_and_key_it_is_stable(client: OpenFeatureClient) -> None:
    details = client.get_string_details("colour", "red")
    assert (details.value, details.reason) == ("blue", Reason.DEFAULT)


def test_a_flag_that_is_not_there_or_of_another_type_has_its_default(
    client: OpenFeatureClient,
) -> None:
    missing = client.get_string_details("color", "red")
    assert (missing.value, missing.error_code) == ("red", ErrorCode.FLAG_NOT_FOUND)
    other = client.get_integer_details("new", 3)
    assert (other.value, other.error_code) == (3, ErrorCode.TYPE_MISMATCH)
