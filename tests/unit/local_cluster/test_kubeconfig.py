from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from serinus import errors
from serinus.local_cluster import kubeconfig
from serinus.local_cluster.state_folder import StateFolder


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    made = StateFolder(tmp_path / "state")
    made.create()
    made.ca_certificate.write_bytes(b"PEM")
    kubeconfig.write(made, "default", 16443)
    return made


def test_the_own_file_names_one_cluster_with_its_token(folder: StateFolder) -> None:
    content = yaml.safe_load(folder.kubeconfig.read_bytes())
    assert content["current-context"] == "serinus-default"
    assert content["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:16443"
    assert content["users"][0]["user"]["token"] == folder.token.read_text()
    assert folder.kubeconfig.stat().st_mode & 0o777 == 0o600


def test_merging_keeps_the_other_file_and_its_current_context(
    folder: StateFolder, tmp_path: Path
) -> None:
    other = tmp_path / "config"
    before = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "production",
        "clusters": [{"name": "production", "cluster": {"server": "https://example.org"}}],
        "users": [{"name": "me", "user": {}}],
        "contexts": [{"name": "production", "context": {"cluster": "production", "user": "me"}}],
    }
    other.write_text(yaml.safe_dump(before))
    assert kubeconfig.merge(folder.kubeconfig, other) == "serinus-default"
    kubeconfig.merge(folder.kubeconfig, other)
    merged = yaml.safe_load(other.read_text())
    assert merged["current-context"] == "production"
    assert [entry["name"] for entry in merged["contexts"]] == ["production", "serinus-default"]
    assert merged["clusters"][0] == before["clusters"][0]
    assert other.stat().st_mode & 0o777 == 0o600


def test_merging_into_nothing_makes_a_file_and_sets_its_context(
    folder: StateFolder, tmp_path: Path
) -> None:
    other = tmp_path / "new" / "config"
    kubeconfig.merge(folder.kubeconfig, other)
    assert yaml.safe_load(other.read_text())["current-context"] == "serinus-default"


def test_merging_into_what_is_no_kubeconfig_is_refused(folder: StateFolder, tmp_path: Path) -> None:
    other = tmp_path / "config"
    other.write_text("- a list\n")
    with pytest.raises(errors.InvalidInput, match="not a kubeconfig"):
        kubeconfig.merge(folder.kubeconfig, other)
    assert other.read_text() == "- a list\n"
