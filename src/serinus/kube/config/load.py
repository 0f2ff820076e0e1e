"""Finding the kubeconfig files, or the pod that we run in, and applying the flags."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from serinus import errors
from serinus.kube.config import kubeconfig
from serinus.kube.config.connection import Connection
from serinus.kube.config.resolve import is_there, resolve

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def load(  # noqa: PLR0913 - one argument for each of kubectl's flags
    paths: Path | str | Sequence[Path | str] | None = None,
    context: str | None = None,
    *,
    cluster: str | None = None,
    user: str | None = None,
    namespace: str | None = None,
    as_user: str | None = None,
    as_groups: Sequence[str] = (),
    request_timeout_ms: int | None = None,
    environment: Mapping[str, str] | None = None,
    service_account: Path = _SERVICE_ACCOUNT,
) -> Connection:
    """Return the connection that kubectl would use, or the pod's own where there is no kubeconfig.

    Args:
        paths: kubeconfig files that must be there; by default those of KUBECONFIG, else
            `~/.kube/config`, of which some may be missing.
        context: the context's name; by default the current one.
        cluster: a cluster's name, instead of the context's.
        user: a user's name, instead of the context's.
        namespace: instead of the context's.
        as_user: whom to impersonate.
        as_groups: with which groups; needs `as_user`.
        request_timeout_ms: a limit for each request that is not a stream.
        environment: instead of this process's own.
        service_account: the folder in which Kubernetes puts a pod's token.

    Raises:
        InvalidInput: a broken file, with its name and the path of the field, or no file at all.
        UnknownName: no context, cluster or user has that name; the message lists the known ones.
    """
    environment = os.environ if environment is None else environment
    files = _files(paths, environment)
    if files:
        merged = kubeconfig.read(files)
        connection = resolve(merged, context=context, cluster=cluster, user=user)
    elif (pod := _in_cluster(environment, service_account)) is not None:
        connection = pod
    else:
        looked = ", ".join(str(p) for p in _default_paths(environment))
        raise errors.InvalidInput(
            "kubeconfig", [f"none found (looked for {looked}): set KUBECONFIG or give --kubeconfig"]
        )
    if as_groups and not (as_user or connection.as_user):
        raise errors.InvalidInput("--as-group", ["needs --as: groups are impersonated with a user"])
    return msgspec.structs.replace(
        connection,
        namespace=namespace or connection.namespace,
        as_user=as_user or connection.as_user,
        as_groups=tuple(as_groups) or connection.as_groups,
        request_timeout_ms=request_timeout_ms,
    )


def _default_paths(environment: Mapping[str, str]) -> list[Path]:
    listed = environment.get("KUBECONFIG", "")
    if listed:
        # An entry may be empty, and may stand there twice.
        return [Path(p) for p in dict.fromkeys(listed.split(os.pathsep)) if p]
    home = environment.get("HOME")
    return [(Path(home) if home else Path.home()) / ".kube" / "config"]


def _files(
    paths: Path | str | Sequence[Path | str] | None, environment: Mapping[str, str]
) -> list[Path]:
    if paths is None:
        return [p for p in _default_paths(environment) if is_there(p)]
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    files = [Path(p).expanduser() for p in given]
    missing = [str(p) for p in files if not is_there(p)]
    if missing:
        raise errors.InvalidInput("kubeconfig", [f"{p}: no such file" for p in missing])
    return files


def _in_cluster(environment: Mapping[str, str], folder: Path) -> Connection | None:
    host = environment.get("KUBERNETES_SERVICE_HOST")
    port = environment.get("KUBERNETES_SERVICE_PORT")
    token_file = folder / "token"
    if not host or not port or not token_file.exists():
        return None
    ca, namespace = folder / "ca.crt", folder / "namespace"
    return Connection(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        source="the service account of this pod",
        ca=ca.read_bytes() if ca.exists() else None,
        token_file=token_file,
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )
