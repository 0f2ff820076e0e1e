from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.local_cluster.node.pods import environment
from serinus.local_cluster.node.pods.environment import VariableError
from serinus.local_cluster.node.pods.spec import Pod

DATA = {("ConfigMap", "settings"): {"COLOUR": "yellow"}, ("Secret", "keys"): {"token": "s3cret"}}


def built(given: dict[str, str] | None = None, **container: Any) -> dict[str, str]:
    body = {
        "metadata": {
            "name": "shop-1",
            "namespace": "birds",
            "uid": "u1",
            "labels": {"app": "shop", "tier": "web"},
            "annotations": {"note": "x"},
        },
        "spec": {"containers": [{"name": "main", **container}], "nodeName": "local"},
    }
    pod = msgspec.convert(body, Pod)
    return environment.build(
        pod,
        pod.spec.containers[0],
        given=given or {},
        lookup=lambda kind, name: DATA.get((kind, name)),
        own_fields={"status.podIP": "127.1.0.2"},
    )


def from_(**source: Any) -> dict[str, Any]:
    return {"name": "A", "valueFrom": source}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)-$(B)", "1-2"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$$$$(A)", "$$(A)"),
        ("$(NOBODY)", "$(NOBODY)"),
        ("$A ${A} $", "$A ${A} $"),
        ("$(A", "$(A"),
        ("$($(A))", "$(1)"),
        ("$()", "$()"),
    ],
)
def test_references_are_expanded_as_kubernetes_expands_them(text: str, expected: str) -> None:
    assert environment.expand(text, {"A": "1", "B": "2"}) == expected


@given(st.text(alphabet="ab $", max_size=20))
def test_text_without_references_loses_at_most_doubled_dollars(text: str) -> None:
    assert environment.expand(text, {"a": "1"}) == text.replace("$$", "$")


def test_later_variables_see_earlier_ones_and_win_over_whole_sources() -> None:
    env = built(
        {"PATH": "/bin"},
        envFrom=[
            {"configMapRef": {"name": "settings"}},
            {"prefix": "KEY_", "secretRef": {"name": "keys"}},
            {"configMapRef": {"name": "none", "optional": True}},
        ],
        env=[
            {"name": "COLOUR", "value": "light-$(COLOUR)"},
            {"name": "BOTH", "value": "$(COLOUR):$(LATER)"},
            {"name": "LATER", "value": "x"},
            {"name": "PATH", "value": "/mine:$(PATH)"},
        ],
    )
    assert env == {
        "PATH": "/mine:/bin",
        "KEY_token": "s3cret",
        "COLOUR": "light-yellow",
        "BOTH": "light-yellow:$(LATER)",
        "LATER": "x",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.name", "shop-1"),
        ("metadata.namespace", "birds"),
        ("metadata.uid", "u1"),
        ("metadata.labels['tier']", "web"),
        ("metadata.annotations['none']", ""),
        ("metadata.labels", 'app="shop"\ntier="web"'),
        ("spec.nodeName", "local"),
        ("status.podIP", "127.1.0.2"),
    ],
)
def test_fields_of_the_pod_can_be_asked_for(path: str, expected: str) -> None:
    assert built(env=[from_(fieldRef={"fieldPath": path})])["A"] == expected


def test_resources_can_be_asked_for() -> None:
    limits = {"limits": {"memory": "64Mi"}}
    source = from_(resourceFieldRef={"resource": "limits.memory"})
    assert built(resources=limits, env=[source])["A"] == "64Mi"


def test_what_is_optional_and_missing_is_left_out() -> None:
    missing = {"name": "none", "key": "a", "optional": True}
    no_key = {"name": "keys", "key": "none", "optional": True}
    env = [from_(configMapKeyRef=missing), {**from_(secretKeyRef=no_key), "name": "B"}]
    assert built(env=env) == {}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"secretRef": {"name": "none"}}]}, 'secret "none" not found'),
        (
            {"env": [from_(configMapKeyRef={"name": "none", "key": "a"})]},
            'configmap "none" not found',
        ),
        (
            {"env": [from_(secretKeyRef={"name": "keys", "key": "a"})]},
            "couldn't find key a in Secret keys",
        ),
        ({"env": [from_(fieldRef={"fieldPath": "spec.color"})]}, "fieldRef spec.color"),
    ],
)
def test_what_is_missing_is_named(container: dict[str, Any], message: str) -> None:
    with pytest.raises(VariableError, match=message):
        built(**container)
