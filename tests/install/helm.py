"""Find helm, or build it from its published Go module into a cache outside the checkout.

`HELM` names a program; without it the one on PATH is taken, of version 3 or 4.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from serinus.errors import RefusedError
from serinus.process import spawn
from tests.conformance.cluster import Object

HELM = pytest.StashKey[Path | RefusedError]()
"""The program, or why there is none."""
VERSION = "3.21.4"
_PACKAGE = f"helm.sh/helm/v3/cmd/helm@v{VERSION}"
CHART = Path(__file__).parents[2] / "deploy" / "helm" / "serinus"
KUBERNETES = "1.36.3"
"""What charts are rendered for where no cluster is asked."""


def find_or_build(env: Mapping[str, str]) -> Path:
    """Return the program.

    Raises:
        RefusedError: Go is missing, or the build failed.
    """
    named = env.get("HELM") or shutil.which("helm")
    if named:
        return Path(named)
    root = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    program = root / "serinus" / "helm" / VERSION / "helm"
    if os.access(program, os.X_OK):
        return program
    go = shutil.which("go")
    if go is None:
        raise RefusedError("NoGo", "helm needs Go (https://go.dev/dl) to be built, or HELM=PROGRAM")
    program.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [go, "install", "-trimpath", "-ldflags=-s -w", _PACKAGE],
        # Away from any go.mod, and as a pure Go program.
        cwd=program.parent,
        env={**env, "CGO_ENABLED": "0", "GOBIN": str(program.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RefusedError("BuildFailed", f"helm could not be built:\n{done.stderr[-4000:]}")
    return program


class Helm:
    """Run helm on our chart."""

    def __init__(self, program: Path) -> None:
        self._program = program

    async def template(self, *arguments: str, namespace: str = "serinus-system") -> list[Object]:
        """Return the objects of the chart."""
        code, output = await self(
            "template",
            "serinus",
            str(CHART),
            f"--namespace={namespace}",
            f"--kube-version={KUBERNETES}",
            *arguments,
        )
        assert code == 0, output
        found: list[Any] = list(yaml.safe_load_all(output))
        return [each for each in found if each is not None]

    async def __call__(self, *arguments: str) -> tuple[int, str]:
        """Run a command to its end; return its code and what it said."""
        process = await spawn(
            [str(self._program), *arguments],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            die_with_parent=True,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()
