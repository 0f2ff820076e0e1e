"""The rule that stands in for the hold policy over the model says what the policy's CEL says."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.controller.over_model.admission import admitted
from serinus.install import policy
from serinus.install.settings import Settings
from serinus.local_cluster.server.rules import evaluate
from serinus.release.holding import HELD, MANAGED, OFF, OUR_MANAGER, RELEASE_LABEL

HOLD = policy.objects(Settings())[0]["spec"]
_LABEL = re.compile(rf"(\w+)\.metadata\.\?labels\['{RELEASE_LABEL}'\]\.orValue\(''\)")
_MANAGER = "request.options.?fieldManager.orValue('')"
_OBJECT = re.compile(
    r"(.*) \? Object\{spec: Object\.spec\{paused: true\}, "
    r"metadata: Object\.metadata\{labels: \{\"(.*)\": \"(\w+)\"\}\}\}"
    r" : Object\{metadata: Object\.metadata\{labels: \{\"(.*)\": \"(\w+)\"\}\}\}"
)


def said(expression: str, **variables: Any) -> bool:
    """Evaluate an expression of the policy; where CEL has optionals the library has none."""
    plain = _LABEL.sub(r"\1Label", expression).replace(_MANAGER, "manager")
    return evaluate(plain, variables)


def by_cel(manager: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return what the policy makes of an update."""
    world = {"manager": manager, "oldObject": old, "object": new}
    world |= {"oldObjectLabel": label(old), "objectLabel": label(new)}
    selected = HOLD["matchConstraints"]["objectSelector"]["matchExpressions"][0]["values"]
    if not {label(old), label(new)} & set(selected):
        return new
    if not all(said(c["expression"], **world) for c in HOLD["matchConditions"]):
        return new
    values = {v["name"]: said(v["expression"], **world) for v in HOLD["variables"]}
    matched = _OBJECT.fullmatch(HOLD["mutations"][0]["applyConfiguration"]["expression"])
    assert matched is not None
    condition, key, held, other_key, managed = matched.groups()
    assert key == other_key == RELEASE_LABEL
    is_held = said(condition, variables=values)
    labels = {**new["metadata"].get("labels", {}), key: held if is_held else managed}
    spec = {**new["spec"], **({"paused": True} if is_held else {})}
    return {**new, "metadata": {**new["metadata"], "labels": labels}, "spec": spec}


def label(found: dict[str, Any]) -> str:
    return str(found["metadata"].get("labels", {}).get(RELEASE_LABEL, ""))


labels = st.sampled_from(["", MANAGED, HELD, OFF, "else"]).map(
    lambda value: {"app": "shop", **({RELEASE_LABEL: value} if value else {})}
)
deployments = st.builds(
    lambda labels, image, paused: {
        "kind": "Deployment",
        "metadata": {"name": "shop", **labels},
        "spec": {"template": {"image": image}, **paused},
    },
    st.one_of(st.just({}), labels.map(lambda found: {"labels": found})),
    st.sampled_from(["shop:1", "shop:2"]),
    st.sampled_from([{}, {"paused": True}, {"paused": False}]),
)


@settings(deadline=None)
@given(st.sampled_from(["", "kubectl", OUR_MANAGER]), deployments, deployments)
def test_the_rule_is_that_of_the_policy(
    manager: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert admitted(manager, old, new) == by_cel(manager, old, new)
