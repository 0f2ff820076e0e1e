from __future__ import annotations

import json
from typing import Any

import pytest

from serinus import errors
from serinus.kube import statuses
from tests.unit.kube.api_server import status_body


def of(code: int, body: Any, retry_after: str | None = None) -> errors.ClusterError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return statuses.of_answer(code, data, what="get pods", retry_after=retry_after)


@pytest.mark.parametrize(
    ("code", "reason", "kind", "retry"),
    [
        (400, "BadRequest", errors.Invalid, errors.Retry.NEVER),
        (401, "Unauthorized", errors.Unauthorized, errors.Retry.NEVER),
        (403, "Forbidden", errors.Forbidden, errors.Retry.NEVER),
        (404, "NotFound", errors.NotFound, errors.Retry.NEVER),
        (405, "MethodNotAllowed", errors.Invalid, errors.Retry.NEVER),
        (409, "AlreadyExists", errors.AlreadyExists, errors.Retry.NEVER),
        (409, "Conflict", errors.Conflict, errors.Retry.NOW),
        (410, "Gone", errors.Gone, errors.Retry.NOW),
        (410, "Expired", errors.Gone, errors.Retry.NOW),
        (415, "UnsupportedMediaType", errors.Invalid, errors.Retry.NEVER),
        (422, "Invalid", errors.Invalid, errors.Retry.NEVER),
        (429, "TooManyRequests", errors.Unavailable, errors.Retry.BACK_OFF),
        (500, "InternalError", errors.Unavailable, errors.Retry.BACK_OFF),
        (500, "ServerTimeout", errors.Unavailable, errors.Retry.BACK_OFF),
        (503, "ServiceUnavailable", errors.Unavailable, errors.Retry.BACK_OFF),
        (504, "Timeout", errors.Unavailable, errors.Retry.BACK_OFF),
    ],
)
def test_a_status_becomes_the_error_of_its_reason(
    code: int, reason: str, kind: type[errors.ClusterError], retry: errors.Retry
) -> None:
    error = of(code, status_body(code, reason, "because"))
    assert (kind, retry, code) == (type(error), error.retry, error.code)
    assert "cannot get pods: because" in str(error)
    # An unknown reason is judged by the code alone.
    by_code = type(of(code, status_body(code, "", "because")))
    assert by_code is (errors.Conflict if reason == "AlreadyExists" else kind)


def test_a_forbidden_keeps_the_verb_and_the_resource() -> None:
    said = (
        'pods is forbidden: User "jane" cannot list resource "pods" in API group "" '
        'in the namespace "prod"'
    )
    assert said in str(of(403, status_body(403, "Forbidden", said, kind="pods")))


def test_an_invalid_keeps_each_cause_with_its_field() -> None:
    causes = [
        {"reason": "FieldValueInvalid", "message": "Invalid value: -1", "field": "spec.replicas"},
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.selector"},
    ]
    short = of(422, status_body(422, "Invalid", 'Deployment "x" is invalid', causes=causes))
    assert str(short).endswith(
        'Deployment "x" is invalid\n'
        "  - spec.replicas: Invalid value: -1\n"
        "  - spec.selector: Required value"
    )
    assert short.details == {"causes": causes}
    # The real server mostly says it all in its message; then it is not said twice.
    said = (
        'Deployment "x" is invalid: '
        "[spec.replicas: Invalid value: -1, spec.selector: Required value]"
    )
    assert str(of(422, status_body(422, "Invalid", said, causes=causes))).endswith(said)


def test_details_that_are_odd_do_not_hide_the_refusal() -> None:
    error = of(403, status_body(403, "Forbidden", "no", causes="many"))
    assert isinstance(error, errors.Forbidden)
    assert error.details == {"causes": "many"}


def test_an_apply_conflict_names_the_managers_and_fields() -> None:
    said = 'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas'
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl" using apps/v1',
            "field": ".spec.replicas",
        }
    ]
    error = of(409, status_body(409, "Conflict", said, causes=causes))
    assert isinstance(error, errors.Conflict)
    assert str(error).count(".spec.replicas") == 1


@pytest.mark.parametrize(
    ("header", "details", "expected_ms"),
    [
        ("7", {}, 7_000),
        (None, {"retryAfterSeconds": 3}, 3_000),
        ("7", {"retryAfterSeconds": 3}, 7_000),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {}, None),
        (None, {}, None),
    ],
)
def test_the_time_to_wait_comes_from_the_header_or_the_details(
    header: str | None, details: dict[str, Any], expected_ms: int | None
) -> None:
    error = of(429, status_body(429, "TooManyRequests", "slow down", **details), header)
    assert expected_ms == error.retry_after_ms


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>\n<h1>502   Bad Gateway</h1></html>", "<html> <h1>502 Bad Gateway</h1></html>"),
        (b"", "HTTP status 502"),
        (b"\xff\xfe", "��"),
        (b'{"some": "JSON"}', '{"some": "JSON"}'),
        (b"x" * 10_000, "x" * 300),
    ],
)
def test_an_answer_that_is_no_status_is_quoted(body: bytes, words: str) -> None:
    error = of(502, body)
    assert isinstance(error, errors.Unavailable)
    assert f"cannot get pods: {words}" == str(error)


def test_a_code_that_nobody_expects_is_still_an_error() -> None:
    assert errors.ClusterError is type(of(302, b""))


def test_warnings_are_read_from_their_headers() -> None:
    headers = [
        '299 - "spec.template is \\"odd\\""',
        '299 - "one", 299 - "two" "Wed, 21 Oct 2026 07:28:00 GMT"',
        '199 - "not ours"',
        "garbage",
    ]
    assert statuses.warnings(headers) == ['spec.template is "odd"', "one", "two"]
