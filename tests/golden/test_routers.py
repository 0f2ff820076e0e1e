"""Routers as objects of a cluster: all that is written to slide them in front of a Service."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from serinus.api import traffic_plan
from serinus.assignment.identity import IdentityKind, IdentitySource
from serinus.install import traffic_plans
from serinus.install.schema import closed
from serinus.rules.parsing import parse
from serinus.rules.tree import Destination, Rule
from serinus.traffic.envoy.in_cluster.options import EnvoyOptions
from serinus.traffic.envoy.plan import RetryOnStable
from serinus.traffic.envoy.router import Envoy
from serinus.traffic.plan import Live, TrafficPlan
from serinus.traffic.write import Write
from tests.golden.conftest import Compare

SERVICE: dict[str, Any] = {
    "metadata": {"name": "shop", "namespace": "default", "uid": "uid-1", "resourceVersion": "7"},
    "spec": {
        "selector": {"tier": "web", "app": "shop"},
        "ports": [
            {"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"},
            {"name": "admin", "port": 9000, "targetPort": 9000, "protocol": "TCP"},
            {"name": "alias", "port": 8000, "targetPort": "web", "protocol": "TCP"},
        ],
    },
}
TARGET: dict[str, Any] = {
    "metadata": {"name": "shop", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop", "tier": "web"}},
            "spec": {
                "containers": [
                    {"name": "web", "ports": [{"name": "web", "containerPort": 8080}]},
                ]
            },
        },
    },
}
OPTIONS = EnvoyOptions(
    rules=(Rule("cn", parse("request.headers['x-region'] == 'cn'"), Destination.CANARY),),
    identity=(IdentitySource(IdentityKind.HEADER, "x-user"),),
    retry_on_stable=RetryOnStable(),
    image="serinus:golden",
)
PLAN = TrafficPlan.split("old", "new", 500, with_rules=True)


def written() -> tuple[Write, ...]:
    return Envoy(OPTIONS).render(PLAN, Live(service=SERVICE, target=TARGET))


def test_the_objects_of_routers(golden: Compare) -> None:
    bodies = msgspec.to_builtins([write.body for write in written()])
    golden("routers", bodies)


def test_the_plan_is_what_agents_and_the_definition_read() -> None:
    import jsonschema_rs

    (body,) = (w.body for w in written() if w.target.kind == traffic_plan.KIND)
    found = traffic_plan.decode(body)
    assert found.plan.split.weight_bp == 500
    assert [port.listen for port in found.plan.ports] == [8080, 9000]
    spec = closed(traffic_plans.plan()["properties"]["spec"])
    spec["properties"]["split"].pop("additionalProperties", None)
    assert [e.message for e in jsonschema_rs.validator_for(spec).iter_errors(body["spec"])] == []


def test_pods_of_routers_are_no_pods_of_the_deployment() -> None:
    (body,) = (w.body for w in written() if w.target.kind == "Deployment")
    labels = body["spec"]["template"]["metadata"]["labels"]
    # The key that both select has our value; the other one stays.
    assert (labels["app"], labels["tier"]) == ("shop-router", "web")


def test_names_that_are_too_long_are_shortened_and_stay_names() -> None:
    name = "a" * 63
    service = {**SERVICE, "metadata": {**SERVICE["metadata"], "name": name}}
    for write in Envoy().render(PLAN, Live(service=service, target=TARGET)):
        assert re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", write.target.name)
