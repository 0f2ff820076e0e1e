"""A plan as the files that an Envoy follows, and as what it is started with."""

from __future__ import annotations

import pytest
import yaml

from serinus.api import traffic_plan
from serinus.traffic.envoy.bootstrap import bootstrap
from serinus.traffic.envoy.files import files
from tests.golden.conftest import CASES, Compare

FOLDER = "/run/serinus"


@pytest.fixture(scope="module")
def found() -> traffic_plan.Found:
    return traffic_plan.decode(yaml.safe_load((CASES / "envoy.in.yaml").read_text()))


def test_the_bootstrap_of_a_plan(found: traffic_plan.Found, golden: Compare) -> None:
    golden("envoy-bootstrap", bootstrap(found.plan, listen_host="0.0.0.0", folder=FOLDER))


@pytest.mark.parametrize(
    "name",
    ["eds-http-canary", "eds-http-stable", "cds", "rds-http", "rtds"],
)
def test_a_plan_becomes_this_file(name: str, found: traffic_plan.Found, golden: Compare) -> None:
    made = {file.name: file for file in files(found.plan, found.endpoints, folder=FOLDER)}
    golden(f"envoy-{name}", list(made[f"{name}.json"].resources))


def test_these_are_all_files_and_each_points_to_earlier_ones(found: traffic_plan.Found) -> None:
    made = files(found.plan, found.endpoints, folder=FOLDER)
    assert [file.name for file in made] == [
        "eds-http-canary.json",
        "eds-http-stable.json",
        "cds.json",
        "rds-http.json",
        "rtds.json",
    ]
    assert [file.stage for file in made] == sorted(file.stage for file in made)
