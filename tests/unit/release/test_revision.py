"""When two pod templates are the same revision, and what differs when they are not."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serinus.release.revision import (
    RESTARTED_AT,
    differences,
    fingerprint,
    restart_fingerprint,
    without_hash,
)
from serinus.traffic.pods import HASH_LABEL

keys = st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
templates = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({"labels": st.dictionaries(keys, keys, max_size=3)}),
        "spec": st.dictionaries(keys, values, max_size=4),
    }
)


def a_template(**metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "shop"}, **metadata},
        "spec": {
            "containers": [
                {"name": "web", "image": "shop:1", "env": [{"name": "A", "value": "1"}]},
                {"name": "log", "image": "log:1"},
            ]
        },
    }


@given(templates, keys)
def test_the_hash_label_of_the_controller_is_no_part_of_a_revision(
    template: dict[str, Any], value: str
) -> None:
    labels = {**template["metadata"]["labels"], HASH_LABEL: value}
    marked = {**template, "metadata": {**template["metadata"], "labels": labels}}
    assert fingerprint(marked) == fingerprint(template)
    assert without_hash(marked) == without_hash(template)


@given(templates)
def test_null_is_absent_and_the_order_of_keys_does_not_matter(template: dict[str, Any]) -> None:
    spec = dict(reversed(list(template["spec"].items())))
    other = {"spec": {**spec, "zzzzzz": None}, "metadata": {**template["metadata"], "x": None}}
    assert fingerprint(other) == fingerprint(template)


@given(templates, templates)
def test_templates_that_say_something_else_are_other_revisions(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    same = not list(differences(one, other))
    assert (fingerprint(one) == fingerprint(other)) is same


def test_a_fingerprint_has_sixteen_digits() -> None:
    assert len(fingerprint(a_template())) == 16
    assert int(fingerprint(a_template()), 16) > 0


def test_an_order_of_containers_is_part_of_a_revision() -> None:
    other = a_template()
    other["spec"]["containers"].reverse()
    assert fingerprint(other) != fingerprint(a_template())


def test_only_the_restart_fingerprint_leaves_the_mark_of_a_restart_out() -> None:
    restarted = a_template(annotations={RESTARTED_AT: "2026-01-01T00:00:00Z"})
    assert fingerprint(restarted) != fingerprint(a_template())
    assert restart_fingerprint(restarted) == restart_fingerprint(a_template())
    noted = a_template(annotations={RESTARTED_AT: "2026-01-01T00:00:00Z", "note": "x"})
    assert restart_fingerprint(noted) == restart_fingerprint(a_template(annotations={"note": "x"}))
    assert restart_fingerprint(noted) != restart_fingerprint(a_template())


def test_a_template_without_other_labels_loses_the_empty_map() -> None:
    assert without_hash({"metadata": {"labels": {HASH_LABEL: "x"}}}) == {"metadata": {}}
    assert without_hash({"spec": {}}) == {"spec": {}, "metadata": {}}


def test_differences_name_containers_and_variables_as_people_do() -> None:
    new = a_template()
    new["spec"]["containers"][0]["image"] = "shop:2"
    new["spec"]["containers"][0]["env"] = [{"name": "B", "value": "2"}]
    new["spec"]["containers"].pop()
    new["spec"]["replicas"] = 2
    assert list(differences(a_template(), new)) == [
        'spec.containers[web].env[A]: {"name":"A","value":"1"} -> (absent)',
        'spec.containers[web].env[B]: (absent) -> {"name":"B","value":"2"}',
        "spec.containers[web].image: shop:1 -> shop:2",
        'spec.containers[log]: {"name":"log","image":"log:1"} -> (absent)',
        "spec.replicas: (absent) -> 2",
    ]


def test_differences_of_plain_lists_go_by_position_and_long_values_are_cut() -> None:
    assert list(differences({"args": ["a", "b"]}, {"args": ["a", "c", "d"]})) == [
        "args[1]: b -> c",
        "args[2]: (absent) -> d",
    ]
    (line,) = differences({"a": "x" * 100}, {"a": None})
    assert line == f"a: {'x' * 77}... -> (absent)"


@given(templates)
def test_a_template_does_not_differ_from_itself(template: dict[str, Any]) -> None:
    assert list(differences(template, template)) == []
