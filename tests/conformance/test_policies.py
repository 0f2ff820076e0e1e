"""Admission policies in the API server itself: what a hold by policy rests on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from serinus.errors import Invalid, NotFound
from tests.conformance.cluster import Cluster, Object, needs
from tests.conformance.manifests import CANARY_IMAGE, STABLE_IMAGE, config_map, deployment
from tests.conformance.workloads import observed, running, sizes, with_image

OURS = "serinus"
PAUSE = "Object{spec: Object.spec{paused: true}}"


def mutating(cluster: Cluster, expression: str, *conditions: str) -> dict[str, Object]:
    """Return a policy on Deployments of the case's namespace, with its binding, by kind."""
    spec = {
        "matchConstraints": constraints("apps", "deployments", "UPDATE"),
        "matchConditions": conditions_for(cluster, *conditions),
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        "mutations": [
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
        ],
    }
    name = {"name": f"policy-{cluster.namespace}"}
    return {
        "mutatingadmissionpolicies": {"metadata": name, "spec": spec},
        "mutatingadmissionpolicybindings": {
            "metadata": name,
            "spec": {"policyName": name["name"]},
        },
    }


def validating(cluster: Cluster, action: str, expression: str) -> dict[str, Object]:
    """Return a policy on ConfigMaps of the case's namespace, with its binding, by kind."""
    spec = {
        "matchConstraints": constraints("", "configmaps", "CREATE"),
        "matchConditions": conditions_for(cluster),
        "validations": [{"expression": expression, "messageExpression": "'no: ' + object.data.a"}],
    }
    name = {"name": f"policy-{cluster.namespace}"}
    return {
        "validatingadmissionpolicies": {"metadata": name, "spec": spec},
        "validatingadmissionpolicybindings": {
            "metadata": name,
            "spec": {"policyName": name["name"], "validationActions": [action]},
        },
    }


def constraints(group: str, resource: str, operation: str) -> Object:
    rule = {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": [operation],
        "resources": [resource],
    }
    return {"resourceRules": [rule]}


def conditions_for(cluster: Cluster, *more: str) -> list[Object]:
    expressions = (f"request.namespace == '{cluster.namespace}'", *more)
    return [{"name": f"n{i}", "expression": each} for i, each in enumerate(expressions)]


@contextlib.asynccontextmanager
async def installed(cluster: Cluster, objects: dict[str, Object]) -> AsyncIterator[None]:
    """Keep cluster-wide objects for as long as the block lasts."""
    try:
        for kind, body in objects.items():
            await cluster.create(kind, body)
        yield
    finally:
        for kind, body in objects.items():
            with contextlib.suppress(NotFound):
                await cluster.delete(kind, body["metadata"]["name"])


HOLDING = (
    PAUSE,
    f"request.options.?fieldManager.orValue('') != '{OURS}'",
    "object.spec.template != oldObject.spec.template",
)


async def in_force(cluster: Cluster, name: str = "probe") -> None:
    """Wait until the policy of the case is in force, tried on a Deployment of its own."""
    await cluster.create("deployments", deployment(name, replicas=0, labels={"app": name}))

    async def paused() -> None:
        changed = await cluster.patch(
            "deployments",
            name,
            with_image(CANARY_IMAGE),
            type="strategic",
            field_manager="someone",
            dry_run=True,
        )
        assert changed["spec"].get("paused") is True

    await cluster.eventually(paused)


@needs("mutating-policies")
async def test_a_policy_pauses_a_deployment_in_the_write_that_changes_its_template(
    cluster: Cluster,
) -> None:
    await running(cluster)
    async with installed(cluster, mutating(cluster, *HOLDING)):
        await in_force(cluster)
        changed = deployment(image=CANARY_IMAGE)
        written = await cluster.apply("deployments", changed, manager="someone", force=True)
        assert written["spec"]["paused"] is True
        await observed(cluster, "shop")
        assert await sizes(cluster) == {STABLE_IMAGE: 3}


@needs("mutating-policies")
async def test_a_policy_does_not_see_who_writes_under_the_excepted_name(cluster: Cluster) -> None:
    await running(cluster)
    async with installed(cluster, mutating(cluster, *HOLDING)):
        await in_force(cluster)
        patch = {"spec": {"template": {"metadata": {"labels": {"more": "yes"}}}}}
        written = await cluster.patch("deployments", "shop", patch, field_manager=OURS)
        assert "paused" not in written["spec"]


@needs("mutating-policies")
async def test_a_policy_overrules_the_same_field_in_the_write_itself(cluster: Cluster) -> None:
    await running(cluster)
    async with installed(cluster, mutating(cluster, *HOLDING)):
        await in_force(cluster)
        body = deployment(image=CANARY_IMAGE, paused=False)
        written = await cluster.replace("deployments", body, field_manager="someone")
        assert written["spec"]["paused"] is True


@needs("mutating-policies")
async def test_an_apply_that_changes_nothing_is_none_under_a_policy(cluster: Cluster) -> None:
    await running(cluster)
    async with installed(cluster, mutating(cluster, *HOLDING)):
        await in_force(cluster)
        body = deployment(image=CANARY_IMAGE)
        held = await cluster.apply("deployments", body, manager="someone", force=True)
        settled = await observed(cluster, "shop")
        again = await cluster.apply("deployments", body, manager="someone", force=True)
        assert again["metadata"]["generation"] == held["metadata"]["generation"]
        assert again["metadata"]["resourceVersion"] == settled["metadata"]["resourceVersion"]
        assert again["spec"]["paused"] is True


@needs("mutating-policies")
async def test_what_a_policy_set_in_the_write_of_another_belongs_to_nobody(
    cluster: Cluster,
) -> None:
    await running(cluster)
    async with installed(cluster, mutating(cluster, *HOLDING)):
        await in_force(cluster)
        patch = {"spec": {"template": {"metadata": {"labels": {"more": "yes"}}}}}
        written = await cluster.patch("deployments", "shop", patch, field_manager="someone")
        owners = [
            entry["manager"]
            for entry in written["metadata"]["managedFields"]
            if "f:paused" in entry["fieldsV1"].get("f:spec", {})
        ]
        assert written["spec"]["paused"] is True
        assert owners == []


@needs("mutating-policies")
async def test_a_policy_with_a_broken_expression_is_refused(cluster: Cluster) -> None:
    broken = mutating(cluster, "Object{spec: Object.spec{paused: }}")
    with pytest.raises(Invalid, match="Syntax error"):
        async with installed(cluster, broken):
            pass


@needs("validating-policies")
async def test_a_policy_that_denies_refuses_the_write_with_its_words(cluster: Cluster) -> None:
    policy = validating(cluster, "Deny", "object.data.a != 'bad'")
    async with installed(cluster, policy):

        async def refused() -> None:
            try:
                await cluster.create("configmaps", config_map("tried", {"a": "bad"}), dry_run=True)
            except Invalid as refusal:
                assert "no: bad" in str(refusal)  # noqa: PT017 - it is waited for
            else:
                raise AssertionError("it was let in")

        await cluster.eventually(refused)
        await cluster.create("configmaps", config_map("good", {"a": "good"}))


@needs("validating-policies")
async def test_a_policy_that_warns_lets_the_write_pass_with_its_words(cluster: Cluster) -> None:
    policy = validating(cluster, "Warn", "object.data.a != 'bad'")
    async with installed(cluster, policy):

        async def warned() -> None:
            cluster.warnings.clear()
            await cluster.create("configmaps", config_map("tried", {"a": "bad"}), dry_run=True)
            assert any("no: bad" in words for words in cluster.warnings), cluster.warnings

        await cluster.eventually(warned)
