"""Build etcd, kube-apiserver, kube-controller-manager and kube-proxy from their Go modules.

`python -m tests.control_plane.build` prints the folder that holds them; the first run takes some
minutes. The binaries go to a cache outside the checkout, keyed by version. `KUBERNETES_VERSION`
chooses another version than the one that go.mod pins; `KUBEBUILDER_ASSETS` names a folder that
holds the programs already, and then nothing is built. kube-proxy may be missing there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from serinus.errors import RefusedError

_MODULE_FOLDER = Path(__file__).parent
_KUBERNETES = "k8s.io/kubernetes"
_ETCD = "go.etcd.io/etcd/server/v3"
# The package at the root of etcd's server module is its `main`.
_CONTROL_PLANE = {
    "etcd": _ETCD,
    "kube-apiserver": f"{_KUBERNETES}/cmd/kube-apiserver",
    "kube-controller-manager": f"{_KUBERNETES}/cmd/kube-controller-manager",
}
_KUBE_PROXY = "kube-proxy"
_PACKAGES = {**_CONTROL_PLANE, _KUBE_PROXY: f"{_KUBERNETES}/cmd/kube-proxy"}


class Binaries(msgspec.Struct, frozen=True):
    """Where the programs of a control plane are, and kube-proxy where there is one."""

    folder: Path
    version: str

    @property
    def minor(self) -> int:
        """The second number of the version."""
        return int(self.version.split(".")[1])

    @property
    def etcd(self) -> Path:
        return self.folder / "etcd"

    @property
    def api_server(self) -> Path:
        return self.folder / "kube-apiserver"

    @property
    def controller_manager(self) -> Path:
        return self.folder / "kube-controller-manager"

    @property
    def kube_proxy(self) -> Path | None:
        return self.folder / _KUBE_PROXY if self._has(_KUBE_PROXY) else None

    def complete(self) -> bool:
        """Return whether all programs of the control plane are there and may be run."""
        return all(self._has(name) for name in _CONTROL_PLANE)

    def _has(self, name: str) -> bool:
        return os.access(self.folder / name, os.X_OK)


def pinned_version() -> str:
    """Return the version of Kubernetes that go.mod pins, as in `1.36.3`."""
    text = (_MODULE_FOLDER / "go.mod").read_text()
    found = re.search(rf"^\s*{re.escape(_KUBERNETES)} v(\S+)", text, re.MULTILINE)
    if found is None:
        raise RefusedError("NoVersion", f"{_MODULE_FOLDER}/go.mod does not require {_KUBERNETES}")
    return found[1]


def wanted_version(env: Mapping[str, str]) -> str:
    """Return the version that `KUBERNETES_VERSION` asks for, else the pinned one."""
    return env.get("KUBERNETES_VERSION", "").removeprefix("v") or pinned_version()


def find(env: Mapping[str, str]) -> Binaries | None:
    """Return the programs that are there without building anything."""
    assets = env.get("KUBEBUILDER_ASSETS")
    if assets:
        named = Binaries(Path(assets), wanted_version(env))
        if not named.complete():
            raise RefusedError(
                "NoAssets", f"KUBEBUILDER_ASSETS={assets} does not hold {', '.join(_CONTROL_PLANE)}"
            )
        return named
    cached = Binaries(_cache_folder(env), wanted_version(env))
    return cached if cached.complete() and cached.kube_proxy else None


def find_or_build(env: Mapping[str, str]) -> Binaries:
    """Return the programs, building them when they are missing.

    Raises:
        RefusedError: Go is missing, or a build failed.
    """
    if found := find(env):
        return found
    go = shutil.which("go")
    if go is None:
        raise RefusedError(
            "NoGo",
            "the real control plane needs Go (https://go.dev/dl) to be built, or "
            "KUBEBUILDER_ASSETS naming a folder with etcd, kube-apiserver, kube-controller-manager",
        )
    target = _cache_folder(env)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _one_builder_at_a_time(target):
        if not find(env):
            _build(go, wanted_version(env), target)
    return Binaries(target, wanted_version(env))


def go_mod(version: str, upstream: str) -> str:
    """Return a go.mod for `version`, given that version's own go.mod.

    k8s.io/kubernetes asks for its staging modules at v0.0.0 and replaces them by folders, which
    only works inside its own repository; outside, each needs its published version v0.MINOR.PATCH.
    """
    staging = set(re.findall(r"^\s*(k8s\.io/\S+) v0\.0\.0(?=\s|$)", upstream, re.MULTILINE))
    staging |= set(re.findall(r"^\s*(?:replace )?(k8s\.io/\S+) => \./", upstream, re.MULTILINE))
    go = re.search(r"^go (\S+)", upstream, re.MULTILINE)
    etcd = re.search(r"^\s*go\.etcd\.io/etcd/client/v3 (v\S+)", upstream, re.MULTILINE)
    if go is None or etcd is None or not staging:
        raise RefusedError(
            "StrangeModule", f"the go.mod of {_KUBERNETES} v{version} is not as known"
        )
    published = "v0." + version.split(".", 1)[1]
    replaced = "".join(f"\t{name} => {name} {published}\n" for name in sorted(staging))
    return (
        f"module serinus.dev/tests/control_plane\n\ngo {go[1]}\n\n"
        f"require (\n\t{_ETCD} {etcd[1]}\n\t{_KUBERNETES} v{version}\n)\n\n"
        f"replace (\n{replaced})\n"
    )


def _cache_folder(env: Mapping[str, str]) -> Path:
    root = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "serinus" / "control-plane" / wanted_version(env)


@contextlib.contextmanager
def _one_builder_at_a_time(target: Path) -> Iterator[None]:
    with target.with_suffix(target.suffix + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(go: str, version: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{version}-", dir=target.parent) as temporary:
        output = Path(temporary) / "bin"
        output.mkdir()
        module = _MODULE_FOLDER
        if version != pinned_version():
            module = _module_for(go, version, Path(temporary) / "module")
        for name, package in _PACKAGES.items():
            print(f"building {name} of Kubernetes {version} ...", file=sys.stderr, flush=True)
            arguments = ["build", "-trimpath", "-buildvcs=false", "-ldflags", _link_flags(version)]
            _run([go, *arguments, "-o", str(output / name), package], module)
        shutil.rmtree(target, ignore_errors=True)
        output.rename(target)


def _module_for(go: str, version: str, folder: Path) -> Path:
    folder.mkdir()
    listing = _run([go, "mod", "download", "-json", f"{_KUBERNETES}@v{version}"], _MODULE_FOLDER)
    upstream = Path(json.loads(listing)["GoMod"]).read_text()
    (folder / "go.mod").write_text(go_mod(version, upstream))
    shutil.copy(_MODULE_FOLDER / "tools.go", folder)
    _run([go, "mod", "tidy"], folder)
    return folder


def _link_flags(version: str) -> str:
    major, minor, _ = version.split(".", 2)
    values = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return "-s -w " + " ".join(
        f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items()
    )


def _run(command: list[str], cwd: Path) -> str:
    env = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RefusedError("BuildFailed", f"`{' '.join(command)}` failed:\n{done.stderr[-4000:]}")
    return done.stdout


def main() -> int:
    """Build what is missing and print the folder."""
    try:
        print(find_or_build(os.environ).folder)
    except RefusedError as error:
        print(f"SKIPPED: {error}" if error.reason == "NoGo" else str(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
