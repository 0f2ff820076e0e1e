"""The go.mod of another version, and where the programs come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.errors import RefusedError
from tests.control_plane import build

UPSTREAM = """\
module k8s.io/kubernetes

go 1.25.0

require (
	go.etcd.io/etcd/client/v3 v3.6.5
	k8s.io/api v0.0.0
	k8s.io/klog/v2 v2.130.1
	k8s.io/utils v0.0.0-20250604170112-4c0f3b243397
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/sample-controller => ./staging/src/k8s.io/sample-controller
)
"""


def programs(folder: Path) -> Path:
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def test_staging_modules_are_replaced_by_their_published_versions() -> None:
    assert build.go_mod("1.35.4", UPSTREAM) == (
        "module serinus.dev/tests/control_plane\n\ngo 1.25.0\n\n"
        "require (\n\tgo.etcd.io/etcd/server/v3 v3.6.5\n\tk8s.io/kubernetes v1.35.4\n)\n\n"
        "replace (\n"
        "\tk8s.io/api => k8s.io/api v0.35.4\n"
        "\tk8s.io/sample-controller => k8s.io/sample-controller v0.35.4\n"
        ")\n"
    )


def test_a_go_mod_of_another_kind_is_refused() -> None:
    with pytest.raises(RefusedError, match="is not as known"):
        build.go_mod("9.9.9", "module example.com\n\ngo 1.25.0\n")


def test_the_pinned_version_is_the_default() -> None:
    assert build.wanted_version({}) == build.pinned_version()
    assert build.wanted_version({"KUBERNETES_VERSION": "v1.35.4"}) == "1.35.4"


def test_the_pinned_modules_agree_with_the_version() -> None:
    text = (Path(build.__file__).parent / "go.mod").read_text()
    published = "v0." + build.pinned_version().split(".", 1)[1]
    replaced = [line.split()[-1] for line in text.splitlines() if " => " in line]
    assert replaced
    assert set(replaced) == {published}


def test_named_assets_are_taken_as_they_are(tmp_path: Path) -> None:
    found = build.find({"KUBEBUILDER_ASSETS": str(programs(tmp_path))})
    assert found is not None
    assert found.api_server == tmp_path / "kube-apiserver"


def test_assets_that_lack_a_program_are_refused(tmp_path: Path) -> None:
    (programs(tmp_path) / "etcd").unlink()
    with pytest.raises(RefusedError, match="does not hold"):
        build.find({"KUBEBUILDER_ASSETS": str(tmp_path)})


def test_programs_are_cached_by_version(tmp_path: Path) -> None:
    env = {"XDG_CACHE_HOME": str(tmp_path), "KUBERNETES_VERSION": "1.35.4"}
    assert build.find(env) is None
    folder = tmp_path / "serinus" / "control-plane" / "1.35.4"
    folder.mkdir(parents=True)
    programs(folder)
    assert build.find(env) == build.Binaries(folder, "1.35.4")


def test_a_cache_from_before_kube_proxy_is_built_again(tmp_path: Path) -> None:
    folder = tmp_path / "serinus" / "control-plane" / "1.35.4"
    folder.mkdir(parents=True)
    (programs(folder) / "kube-proxy").unlink()
    env = {"XDG_CACHE_HOME": str(tmp_path), "KUBERNETES_VERSION": "1.35.4"}
    assert build.find(env) is None


def test_assets_may_lack_kube_proxy(tmp_path: Path) -> None:
    (programs(tmp_path) / "kube-proxy").unlink()
    found = build.find({"KUBEBUILDER_ASSETS": str(tmp_path)})
    assert found is not None
    assert found.kube_proxy is None


def test_without_go_the_refusal_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusedError, match=r"needs Go.*KUBEBUILDER_ASSETS") as refused:
        build.find_or_build({"XDG_CACHE_HOME": str(tmp_path)})
    assert refused.value.reason == "NoGo"
