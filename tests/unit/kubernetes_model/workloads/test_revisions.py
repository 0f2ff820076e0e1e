from __future__ import annotations

from typing import Any

from serinus.kubernetes_model.requests import Object
from serinus.kubernetes_model.workloads.deployment import limits, revisions
from tests.unit.kubernetes_model.workloads.world import a_deployment, a_template


def annotated(**annotations: str) -> Object:
    deployment = a_deployment()
    deployment["metadata"]["annotations"] = annotations
    return deployment


def test_equal_templates_have_equal_hashes_whatever_the_order_of_their_keys() -> None:
    template = a_template("shop:1", tier="web")
    turned = {key: template[key] for key in reversed(template)}
    assert revisions.template_hash(template, None) == revisions.template_hash(turned, None)


def test_another_template_or_collision_count_gives_another_hash() -> None:
    template = a_template("shop:1")
    hashes = {
        revisions.template_hash(template, None),
        revisions.template_hash(template, 0),
        revisions.template_hash(template, 1),
        revisions.template_hash(a_template("shop:2"), None),
    }
    assert len(hashes) == 4


def test_templates_are_equal_but_for_the_hash_label_and_what_is_empty() -> None:
    template = a_template("shop:1")
    returned = revisions.with_hash_label(template, "5c9bbb8c6")
    returned["metadata"]["creationTimestamp"] = None
    returned["spec"] = {**returned["spec"], "securityContext": {}, "volumes": []}
    assert revisions.is_same_template(template, returned)
    assert not revisions.is_same_template(template, a_template("shop:2"))


def test_a_long_deployment_name_leaves_room_for_the_hash() -> None:
    name = revisions.replica_set_name("x" * 300, "5c9bbb8c6")
    assert len(name) == 253
    assert name.endswith("x-5c9bbb8c6")


def test_a_revision_never_goes_down() -> None:
    current = {revisions.REVISION: "7"}
    assert revisions.new_annotations(annotated(), current, 3)[revisions.REVISION] == "7"


def test_a_revision_that_is_no_number_is_left_as_it_is() -> None:
    current = {revisions.REVISION: "seven"}
    assert revisions.new_annotations(annotated(team="a"), current, 3) == {**current, "team": "a"}


def test_the_history_of_revisions_grows_and_forgets_the_oldest() -> None:
    annotations: dict[str, str] = {}
    for revision in range(1, 1000):
        annotations = revisions.new_annotations(annotated(), annotations, revision)
        if revision == 4:
            assert annotations[revisions.REVISION_HISTORY] == "1,2,3"
    history = annotations[revisions.REVISION_HISTORY]
    assert len(history) <= 2000
    assert history.endswith("997,998")
    assert not history.startswith("1,")


def test_size_annotations_that_cannot_be_read_count_as_missing() -> None:
    for text in ("many", "-1", "99999999999"):
        obj = annotated(**{revisions.DESIRED_REPLICAS: text})
        assert revisions.desired_replicas_of(obj) is None


def rolling(replicas: int, surge: int | str, unavailable: int | str) -> Object:
    strategy: dict[str, Any] = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }
    return a_deployment(replicas=replicas, strategy=strategy)


def test_percentages_are_rounded_up_for_surge_and_down_for_unavailability() -> None:
    deployment = rolling(10, "25%", "25%")
    assert (limits.max_surge(deployment), limits.max_unavailable(deployment)) == (3, 2)


def test_one_may_be_unavailable_when_both_round_to_nothing() -> None:
    deployment = rolling(10, "0%", "1%")
    assert (limits.max_surge(deployment), limits.max_unavailable(deployment)) == (0, 1)


def test_no_more_can_be_unavailable_than_there_are() -> None:
    assert limits.max_unavailable(rolling(2, 0, 5)) == 2
    assert limits.max_unavailable(rolling(0, 0, 5)) == 0


def test_recreate_has_neither_surge_nor_allowed_unavailability() -> None:
    deployment = a_deployment(strategy={"type": "Recreate"})
    assert (limits.max_surge(deployment), limits.max_unavailable(deployment)) == (0, 0)
