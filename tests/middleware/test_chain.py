"""A user has one version in all services that her request goes through."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import httpx
import pytest

from serinus.assignment.bucket import bucket
from tests.middleware.servers import flask, uvicorn

USER_COUNT = 40
DECIDES = json.dumps({"salt": "s/1", "weight": 50, "identity": [{"header": "x-user"}]})
# By itself no inner service would send anybody to the canary.
FOLLOWS = json.dumps({"salt": "s/1", "weight": 0})
SERVICES = {"gateway", "cart", "prices", "stock"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start the innermost service first; give the addresses."""
    logs = tmp_path_factory.mktemp("chain")
    here = "tests.middleware.chain"
    found: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        for name in ("stock", "prices", "cart", "gateway"):
            environ = {
                "NEXT_SERVICE": next(reversed(found.values()), ""),
                "SERINUS_PLAN": DECIDES if name == "gateway" else FOLLOWS,
            }
            log = logs / name
            server = (
                flask(log, f"{here}:cart", **environ)
                if name == "cart"
                else uvicorn(log, f"{here}:{name}", **environ)
            )
            found[name] = stack.enter_context(server)
        yield found


def test_the_version_goes_through_four_services(services: dict[str, str]) -> None:
    seen = set()
    with httpx.Client() as client:
        for number in range(USER_COUNT):
            user = f"user-{number}"
            # Whatever a client says of the tag, the gateway decides.
            headers = {"x-user": user, "x-serinus-version": "canary"}
            answer = client.get(services["gateway"], headers=headers)
            expected = "canary" if bucket(user, "s/1") < 5_000 else "stable"
            assert answer.json() == dict.fromkeys(SERVICES, expected)
            assert answer.headers.get_list("x-serinus-version") == [expected]
            seen.add(expected)
    assert seen == {"canary", "stable"}


@pytest.mark.parametrize("name", ["cart", "prices"])
def test_an_inner_service_that_is_called_without_a_tag_decides_by_its_own_plan(
    services: dict[str, str], name: str
) -> None:
    found = httpx.get(services[name]).json()
    assert set(found.values()) == {"stable"}
