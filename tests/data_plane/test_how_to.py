"""The page on routers, word for word but for the ports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from serinus.assignment.bucket import bucket
from tests.data_plane.asking import Question, ask, user
from tests.data_plane.pods import web_pod
from tests.data_plane.router import a_port, routing

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run-a-router.md"


def the_plan(ports: dict[str, str]) -> dict[str, Any]:
    """Return the plan of the page, with other places."""
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    text = found[1]
    for old, new in ports.items():
        assert old in text
        text = text.replace(old, new)
    plan: dict[str, Any] = yaml.safe_load(text)
    return plan


async def test_the_router_of_the_page_does_what_the_page_says() -> None:
    async with web_pod("1.7") as stable, web_pod("1.8") as canary:
        places = {"127.0.0.1:9017": stable, "127.0.0.1:9018": canary, "9080": str(a_port())}
        async with routing(the_plan(places)) as router:
            staff = await ask(router.port, Question(headers=[("x-staff", "yes")]))
            assert '"version": "1.8"' in PAGE.read_text()
            assert json.loads(staff.body) == {"image": "", "version": "1.8", "pod": ""}
            for name in ("anna", "ben", "carla", "dora"):
                early = bucket(name, "default/shop/1") < 2_500
                assert (await ask(router.port, user(name))).version == ("1.8" if early else "1.7")
            await router.split(weight=100)
            assert router.report()["inForce"]


async def test_stopping_the_canary_of_the_page_costs_nobody_an_answer() -> None:
    async with web_pod("1.7") as stable:
        async with web_pod("1.8") as canary:
            places = {"127.0.0.1:9017": stable, "127.0.0.1:9018": canary, "9080": str(a_port())}
            plan = the_plan(places)
        async with routing(plan) as router:
            staff = await ask(router.port, Question(headers=[("x-staff", "yes")]))
    assert (staff.status, staff.version) == (200, "1.7")
