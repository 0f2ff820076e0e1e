"""The krew manifest: as a template below deploy/, and filled in for archives that are there.

.venv/bin/python -m scripts.krew ADDRESS FOLDER

prints the manifest for the archives of FOLDER, which ADDRESS will serve. An archive
`serinus-VERSION-OS-ARCH.tar.gz` holds the program `kubectl-serinus` and LICENSE.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import yaml

import serinus

PLATFORMS = (("linux", "amd64"), ("linux", "arm64"), ("darwin", "amd64"), ("darwin", "arm64"))
PROGRAM = "kubectl-serinus"
_ADDRESS, _SUM = "ADDRESS", "SHA256"


def archive(os: str, arch: str) -> str:
    """Return the name of the archive of a platform."""
    return f"serinus-{serinus.__version__}-{os}-{arch}.tar.gz"


def template() -> str:
    """Return the manifest with words in place of what only a published archive has."""
    return _manifest(_ADDRESS, dict.fromkeys(PLATFORMS, _SUM))


def filled(address: str, folder: Path) -> str:
    """Return the manifest of the archives in a folder.

    Raises:
        FileNotFoundError: the archive of a platform is missing.
    """
    sums = {
        platform: hashlib.sha256((folder / archive(*platform)).read_bytes()).hexdigest()
        for platform in PLATFORMS
    }
    return _manifest(address.rstrip("/"), sums)


def _manifest(address: str, sums: dict[tuple[str, str], str]) -> str:
    manifest: dict[str, Any] = {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "serinus"},
        "spec": {
            "version": f"v{serinus.__version__}",
            "shortDescription": "Canary releases for plain Deployments",
            "description": "Try a new version of a Deployment on a share of the traffic, step by "
            "step, then promote it without a second rollout, or go back.\n",
            "platforms": [
                {
                    "selector": {"matchLabels": {"os": os, "arch": arch}},
                    "uri": f"{address}/{archive(os, arch)}",
                    "sha256": sums[os, arch],
                    "bin": PROGRAM,
                    "files": [{"from": name, "to": "."} for name in (PROGRAM, "LICENSE")],
                }
                for os, arch in PLATFORMS
            ],
        },
    }
    return yaml.safe_dump(manifest, sort_keys=False, width=96)


if __name__ == "__main__":
    sys.stdout.write(filled(sys.argv[1], Path(sys.argv[2])))
