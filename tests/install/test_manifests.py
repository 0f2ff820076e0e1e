"""What an installation is made of, without a cluster."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

import serinus
from serinus.install import crd, manifests, policy, roles
from serinus.install.cluster.finding import Installation
from serinus.install.kinds import INSTALLED, kind_of, shown
from serinus.install.settings import (
    CONTROLLER,
    CONTROLLER_NAMESPACE_ANNOTATION,
    NAMESPACE,
    Hold,
    Manifest,
    Settings,
)
from serinus.release.model import CommandVerb
from tests.tidy import sources

EVERYTHING = Settings(service_monitor=True)
CHOICES = {
    "as it comes": Settings(),
    "everything": EVERYTHING,
    "two namespaces": Settings(watch_namespaces=("pay", "shop")),
    "its own namespace": Settings(watch_namespaces=(NAMESPACE,)),
    "no controller": Settings(controller=False),
    "hold by field": Settings(hold=Hold.FIELD),
    "an older cluster": Settings(policy_version="v1beta1"),
}


def of_kind(settings: Settings, kind: str) -> list[Manifest]:
    return [m for m in manifests.objects(settings) if m["kind"] == kind]


def pod_spec(settings: Settings) -> dict[str, Any]:
    (found,) = of_kind(settings, "Deployment")
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("name", CHOICES)
def test_what_others_stand_on_comes_first_and_nothing_twice(name: str) -> None:
    made = manifests.objects(CHOICES[name])
    places = [_place(manifest) for manifest in made if manifest["kind"] not in _ROLES]
    assert places == sorted(places)
    assert len({shown(m) for m in made}) == len(made)


_ROLES = {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"}


def _place(manifest: Manifest) -> int:
    kinds = [kind.kind for kind in INSTALLED]
    # Each policy is followed by its binding.
    name = manifest["kind"].replace("Validating", "Mutating").removesuffix("Binding")
    return kinds.index(name if "Admission" in name else manifest["kind"])


@pytest.mark.parametrize("name", CHOICES)
def test_everything_says_whose_and_of_which_version_it_is(name: str) -> None:
    for manifest in manifests.objects(CHOICES[name]):
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/version"] == serinus.__version__
        assert labels["app.kubernetes.io/part-of"] == "serinus"
        assert labels["app.kubernetes.io/managed-by"] == "serinus-install"


@pytest.mark.parametrize("name", CHOICES)
def test_what_has_a_namespace_names_it(name: str) -> None:
    settings = CHOICES[name]
    known = {settings.namespace, *settings.watch_namespaces}
    for manifest in manifests.objects(settings):
        where = manifest["metadata"].get("namespace")
        assert (where in known) if kind_of(manifest).namespaced else where is None


def test_every_binding_gives_a_role_that_is_there() -> None:
    for settings in CHOICES.values():
        made = {
            (m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"])
            for m in manifests.objects(settings)
        }
        for binding in (
            *of_kind(settings, "RoleBinding"),
            *of_kind(settings, "ClusterRoleBinding"),
        ):
            role = binding["roleRef"]
            assert (role["kind"], binding["metadata"].get("namespace"), role["name"]) in made


def test_no_role_allows_everything() -> None:
    for settings in CHOICES.values():
        for role in (*of_kind(settings, "Role"), *of_kind(settings, "ClusterRole")):
            for rule in role["rules"]:
                words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
                assert "*" not in words
                assert words.isdisjoint({"secrets", "impersonate", "escalate", "bind"})


def test_a_viewer_may_write_nothing() -> None:
    verbs = {verb for _, _, text in roles.VIEWER_RULES for verb in text.split()}
    assert verbs == {"get", "list", "watch"}


def test_in_chosen_namespaces_the_controller_may_act_nowhere_else() -> None:
    settings = Settings(watch_namespaces=("pay", "shop"))
    bound = [
        binding["roleRef"]["name"]
        for binding in of_kind(settings, "ClusterRoleBinding")
        if binding["subjects"][0].get("name") == CONTROLLER
    ]
    assert bound == []
    places = {role["metadata"]["namespace"] for role in of_kind(settings, "Role")}
    assert places == {NAMESPACE, "pay", "shop"}


def test_the_controller_is_as_closed_as_a_pod_can_be() -> None:
    spec = pod_spec(EVERYTHING)
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= set(container)
    assert "hostNetwork" not in spec
    assert "volumes" not in spec
    namespace = manifests.objects(EVERYTHING)[0]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_image_is_of_this_version_unless_another_is_named() -> None:
    assert pod_spec(Settings())["containers"][0]["image"] == f"serinus:{serinus.__version__}"
    assert pod_spec(Settings(image="x/y:1"))["containers"][0]["image"] == "x/y:1"


def test_a_budget_is_never_in_the_way_of_an_empty_node() -> None:
    (budget,) = of_kind(Settings(), "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert "minAvailable" not in budget["spec"]


def test_the_definition_says_where_the_controller_is() -> None:
    meta = crd.definition(Settings(namespace="ops"))["metadata"]
    assert meta["annotations"] == {CONTROLLER_NAMESPACE_ANNOTATION: "ops"}
    assert "annotations" not in crd.definition(Settings(controller=False))["metadata"]


def test_the_hold_is_by_policy_or_there_is_none() -> None:
    kinds = {m["kind"] for m in manifests.objects(Settings(hold=Hold.FIELD))}
    assert not any("Admission" in kind for kind in kinds)


def test_an_older_cluster_gets_the_mutating_policy_in_its_own_version() -> None:
    made = manifests.objects(Settings(policy_version="v1beta1"))
    versions = {m["kind"]: m["apiVersion"] for m in made if "Admission" in m["kind"]}
    assert versions == {
        "MutatingAdmissionPolicy": f"{policy.GROUP}/v1beta1",
        "MutatingAdmissionPolicyBinding": f"{policy.GROUP}/v1beta1",
        "ValidatingAdmissionPolicy": f"{policy.GROUP}/v1",
        "ValidatingAdmissionPolicyBinding": f"{policy.GROUP}/v1",
    }


def test_the_verbs_named_in_the_warning_are_verbs() -> None:
    (warning,) = of_kind(Settings(), "ValidatingAdmissionPolicy")
    words = warning["spec"]["validations"][0]["messageExpression"]
    assert {"promote", "undo"} <= {verb.value for verb in CommandVerb if verb.value in words}


def test_the_rights_of_the_controller_stand_in_the_guide() -> None:
    page = (sources.ROOT / "docs" / "how-to" / "install-the-controller.md").read_text()
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|$", page, re.MULTILINE)
    said = {
        name: set(re.findall(r"create|update|patch|delete", verbs))
        for names, verbs in rows
        for name in re.findall(r"`([a-z./0-9]+)`", names)
    }
    for _, resources, verbs in roles.RELEASE_RULES:
        for resource in resources.split():
            assert said[resource] == set(verbs.split()) - {"get", "list", "watch"}, resource


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cli-only", "--image=x"], "--cli-only installs no controller"),
        (["--wait", "--timeout=soon"], "--timeout: 'soon' is no duration"),
        (["--with=magic"], "servicemonitor"),
        (["--hold=maybe"], "maybe"),
    ],
)
def test_choices_that_make_no_sense_exit_2(arguments: list[str], words: str) -> None:
    done = serinus_install(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.parametrize("form", [["--print"], ["-o", "yaml"], ["-o", "json"]])
def test_the_objects_are_printed_without_a_cluster(form: list[str]) -> None:
    done = serinus_install(*form, "--watch-namespace=shop", "--with=servicemonitor", "-n", "ops")
    assert (done.returncode, done.stderr) == (0, "")
    found = list(yaml.safe_load_all(done.stdout))
    printed = found[0]["items"] if form[-1] == "json" else found
    wanted = Settings(namespace="ops", watch_namespaces=("shop",), service_monitor=True)
    assert printed == msgspec.json.decode(msgspec.json.encode(manifests.objects(wanted)))


def serinus_install(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("serinus"), "install", *arguments],
        env={**os.environ, "KUBECONFIG": "/nowhere", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_difference_of_versions_says_which_one_to_upgrade() -> None:
    assert Installation(serinus.__version__, None).skew == ""
    assert Installation("99.1.0", None).skew.endswith("upgrade this program")
    assert Installation("0.0.9", None).skew.endswith("`serinus install` upgrades it")
    assert not Installation("", None).is_newer
