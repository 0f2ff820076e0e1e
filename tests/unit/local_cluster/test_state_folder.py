from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from serinus import errors
from serinus.local_cluster import state_folder
from serinus.local_cluster.state_folder import ClusterRecord, StateFolder


def test_the_folder_is_named_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SERINUS_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder.default_path() == tmp_path / "serinus" / "local" / "default"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", "/home/bird")
    assert state_folder.default_path("two") == Path("/home/bird/.local/state/serinus/local/two")
    monkeypatch.setenv("SERINUS_STATE", "/elsewhere")
    assert state_folder.default_path() == Path("/elsewhere")


def test_an_open_folder_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    StateFolder(tmp_path / "state").create()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_the_token_is_made_once(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    token = folder.read_or_make_token()
    assert len(token) >= 40
    assert folder.read_or_make_token() == token
    assert StateFolder(tmp_path / "..").path != folder.path
    assert folder.token.stat().st_mode & 0o777 == 0o600


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert folder.read_record() is None
    folder.write_record(ClusterRecord("default", 16443))
    assert folder.read_record() == ClusterRecord("default", 16443)
    folder.record.write_text("{")
    with pytest.raises(errors.RefusedError, match="local reset"):
        folder.read_record()


def test_a_file_that_cannot_be_written_keeps_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    state_folder.write_private(path, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(errors.RefusedError, match="No space left"):
        state_folder.write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_folder_within_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(errors.RefusedError, match="--state-folder"):
        StateFolder(tmp_path / "file" / "state").create()
