from __future__ import annotations

import pytest

from serinus import errors
from serinus.local_cluster.server.serving.guard import ANONYMOUS, Guard

GUARD = Guard("secret", "admin")
GOOD = {"host": "127.0.0.1:16443", "authorization": "Bearer secret"}


def test_the_holder_of_the_token_may_call() -> None:
    assert GUARD.user(("api", "v1"), GOOD) == "admin"


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:16443", "LOCALHOST"])
def test_every_name_of_loopback_is_a_host(host: str) -> None:
    assert GUARD.user(("api",), {**GOOD, "host": host}) == "admin"


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example:16443", "evil.example:127", "0.0.0.0"]
)
def test_another_host_is_refused_even_with_the_token(host: str) -> None:
    with pytest.raises(errors.Forbidden, match="host"):
        GUARD.user(("api",), {**GOOD, "host": host})


@pytest.mark.parametrize("path", [("api",), ("version",)])
def test_a_web_page_is_refused_even_with_the_token(path: tuple[str, ...]) -> None:
    with pytest.raises(errors.Forbidden, match="web pages"):
        GUARD.user(path, {**GOOD, "origin": "https://127.0.0.1:16443"})


@pytest.mark.parametrize("path", ["version", "healthz", "livez", "readyz"])
def test_anyone_may_ask_for_version_and_health(path: str) -> None:
    assert GUARD.user((path,), {"host": "localhost"}) == ANONYMOUS


@pytest.mark.parametrize("path", [(), ("api",), ("apis",), ("openapi", "v3"), ("metrics",)])
def test_anyone_may_ask_for_nothing_else(path: tuple[str, ...]) -> None:
    with pytest.raises(errors.Unauthorized):
        GUARD.user(path, {"host": "localhost"})


@pytest.mark.parametrize(
    "given", ["Bearer wrong", "Bearer ", "Basic secret", "secret", "Bearer \udcff"]
)
def test_a_wrong_token_is_refused_everywhere(given: str) -> None:
    with pytest.raises(errors.Unauthorized):
        GUARD.user(("version",), {"host": "localhost", "authorization": given})
