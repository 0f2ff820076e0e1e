"""The middleware is also a wheel of its own, and that wheel is enough."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import xxhash

from tests.middleware.servers import ROOT

USE = """
import json, sys
import serinus
from serinus.middleware import AsgiMiddleware, Plan, WsgiMiddleware, by_version, version
from serinus.assignment.bucket import bucket
assert serinus.__file__.startswith(sys.prefix), serinus.__file__
plan = Plan.from_environment({"SERINUS_PLAN": json.dumps({
    "salt": "shop/web/7d9f", "weight": 5,
    "rules": [{"name": "r", "when": "request.headers['x'].matches('^a')", "to": "canary"}],
})})
assert plan.problem is None, plan.problem
print(serinus.__version__, bucket("alice", "shop/web/7d9f"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT / "packages" / "middleware",
        check=True,
        capture_output=True,
    )
    (found,) = folder.iterdir()
    return found


def test_it_holds_the_sources_of_serinus_as_they_are(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {n: archive.read(n) for n in archive.namelist() if n.startswith("serinus/")}
    parts = {Path(name).parts[1] for name in held}
    assert parts == {"__init__.py", "errors.py", "py.typed", "assignment", "middleware", "rules"}
    for name, content in held.items():
        if not name.endswith("LICENSE"):
            assert content == (ROOT / "src" / name).read_bytes(), name
    for folder in ("assignment", "middleware", "rules"):
        sources = (ROOT / "src" / "serinus" / folder).rglob("*.py")
        assert {str(p.relative_to(ROOT / "src")) for p in sources} <= held.keys()


def test_it_needs_xxhash_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("dist-info/METADATA")]
        metadata = archive.read(name).decode()
    needs = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert [line for line in needs if "extra ==" not in line] == ["Requires-Dist: xxhash>=3.5"]


def test_it_works_in_an_environment_that_has_nothing_else(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
            *("--no-index", "--no-deps", "--target", str(packages), str(wheel)),
        ],
        check=True,
    )
    # What it needs, from where it is installed here: no network.
    shutil.copytree(Path(xxhash.__file__).parent, packages / "xxhash")
    done = subprocess.run([python, "-I", "-c", USE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1].isdigit()
