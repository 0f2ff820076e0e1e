"""From merged kubeconfig files and the names that are asked for to one `Connection`."""

from __future__ import annotations

import base64
import binascii
import os
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

import msgspec

from serinus import errors
from serinus.kube.config import kubeconfig
from serinus.kube.config.connection import ClientCertificate, Connection, ExecPlugin
from serinus.kube.config.kubeconfig import ClusterEntry, Found, Kubeconfig, UserEntry

_EXEC_VERSIONS = (
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
)
_EXEC_MODES = ("Never", "IfAvailable", "Always")
_EXEC_EXTENSION = "client.authentication.k8s.io/exec"
_PROXY_SCHEMES = ("http", "https")


def resolve(
    merged: Kubeconfig, *, context: str | None, cluster: str | None, user: str | None
) -> Connection:
    """Return the connection of a context, with another cluster or user where one is named.

    Raises:
        InvalidInput: an entry is broken.
        UnknownName: nothing has that name.
    """
    where = os.pathsep.join(str(f) for f in merged.files)
    name = context or merged.current_context
    if not name:
        known = ", ".join(sorted(merged.contexts)) or "none"
        raise errors.InvalidInput(
            where, [f"current-context: not set; choose one with --context (known: {known})"]
        )
    found = merged.contexts.get(name)
    if found is None:
        raise errors.UnknownName("context", name, sorted(merged.contexts))
    cluster_entry = _named("cluster", cluster, found.entry.cluster, (merged.clusters, found))
    user_name = user or found.entry.user
    user_entry = (
        _named("user", user, found.entry.user, (merged.users, found)) if user_name else None
    )
    connection = _of_cluster(cluster_entry)
    if user_entry is not None:
        connection = _with_user(connection, user_entry, cluster_entry)
    return msgspec.structs.replace(
        connection,
        context=name,
        cluster=cluster or found.entry.cluster or "",
        user=user_name or "",
        namespace=found.entry.namespace or "default",
        source=str(found.file),
    )


def _named(
    word: str,
    asked: str | None,
    from_context: str | None,
    where: tuple[dict[str, Found[kubeconfig.EntryT]], Found[kubeconfig.ContextEntry]],
) -> Found[kubeconfig.EntryT]:
    known, context = where
    if asked is not None:
        if asked not in known:
            raise errors.UnknownName(word, asked, sorted(known))
        return known[asked]
    if not from_context:
        raise errors.InvalidInput("kubeconfig", [context.problem(word, "not set")])
    if from_context not in known:
        names = ", ".join(sorted(known)) or "none"
        words = f"no {word} is named {from_context!r} (known: {names})"
        raise errors.InvalidInput("kubeconfig", [context.problem(word, words)])
    return known[from_context]


def _of_cluster(found: Found[ClusterEntry]) -> Connection:
    entry, problems = found.entry, list[str]()
    server = (entry.server or "").strip()
    if not server:
        problems.append(found.problem("server", "not set"))
    elif "://" not in server:
        # client-go speaks plain HTTP without a scheme (rest/url_utils.go, DefaultServerURL).
        server = f"http://{server}"
    if server and not _is_url(server, ("http", "https")):
        problems.append(found.problem("server", f"{server!r} is not an http or https address"))
    proxy = entry.proxy_url or None
    if proxy and not _is_url(proxy, _PROXY_SCHEMES):
        words = f"{proxy!r} is not an http or https proxy (socks5 is not supported)"
        problems.append(found.problem("proxy-url", words))
    insecure = bool(entry.insecure_skip_tls_verify)
    fields = (entry.certificate_authority_data, entry.certificate_authority)
    ca = _data_or_file(found, "certificate-authority", fields, problems)
    if insecure and ca is not None:
        words = "cannot be used together with a certificate authority"
        problems.append(found.problem("insecure-skip-tls-verify", words))
    if problems:
        raise errors.InvalidInput("kubeconfig", problems)
    return Connection(
        server=server.rstrip("/"),
        ca=ca,
        insecure=insecure,
        tls_server_name=entry.tls_server_name or None,
        proxy_url=proxy,
    )


def _with_user(
    connection: Connection, found: Found[UserEntry], cluster: Found[ClusterEntry]
) -> Connection:
    entry, problems = found.entry, list[str]()
    if entry.auth_provider is not None:
        words = "no longer supported; log in with an exec plugin (users[].user.exec) instead"
        problems.append(found.problem("auth-provider", words))
    if (entry.token or entry.token_file) and entry.username:
        problems.append(found.problem("token", "cannot be used together with username"))
    fields = (entry.client_certificate_data, entry.client_certificate)
    chain = _data_or_file(found, "client-certificate", fields, problems)
    key = _data_or_file(found, "client-key", (entry.client_key_data, entry.client_key), problems)
    if (chain is None) != (key is None) and not problems:
        given, missing = ("certificate", "key") if key is None else ("key", "certificate")
        words = f"not set, though client-{given} is"
        problems.append(found.problem(f"client-{missing}", words))
    plugin = _exec_plugin(found, cluster, problems)
    token_file = found.resolve(entry.token_file) if entry.token_file else None
    if token_file is not None and not is_there(token_file):
        problems.append(found.problem("tokenFile", f"{token_file}: no such file"))
    if problems:
        raise errors.InvalidInput("kubeconfig", problems)
    return msgspec.structs.replace(
        connection,
        certificate=ClientCertificate(chain, key) if chain and key else None,
        certificate_files=_certificate_files(found),
        token=entry.token or None,
        token_file=token_file,
        username=entry.username or None,
        password=entry.password or None,
        exec_plugin=plugin,
        as_user=entry.as_user or None,
        as_uid=entry.as_uid or None,
        as_groups=entry.as_groups or (),
        as_extra=tuple((entry.as_user_extra or {}).items()),
    )


def _certificate_files(found: Found[UserEntry]) -> tuple[Path, Path] | None:
    entry = found.entry
    if entry.client_certificate_data or entry.client_key_data:
        return None
    if not entry.client_certificate or not entry.client_key:
        return None
    return found.resolve(entry.client_certificate), found.resolve(entry.client_key)


def _exec_plugin(
    found: Found[UserEntry], cluster: Found[ClusterEntry], problems: list[str]
) -> ExecPlugin | None:
    entry = found.entry.exec
    if entry is None:
        return None
    version = entry.api_version or ""
    if not entry.command:
        problems.append(found.problem("exec.command", "not set"))
    if version not in _EXEC_VERSIONS:
        words = f"{version!r} is not one of {', '.join(_EXEC_VERSIONS)}"
        problems.append(found.problem("exec.apiVersion", words))
    # Only v1beta1 has a default (client-go, clientcmd/api/v1/defaults.go).
    mode = entry.interactive_mode or ("IfAvailable" if version != _EXEC_VERSIONS[0] else "")
    if mode not in _EXEC_MODES:
        words = f"{mode!r} is not one of {', '.join(_EXEC_MODES)}"
        problems.append(found.problem("exec.interactiveMode", words))
    command = entry.command or ""
    return ExecPlugin(
        # A name alone is looked up in PATH; a path is relative to the file.
        command=str(found.resolve(command)) if os.sep in command else command,
        api_version=version,
        args=entry.args or (),
        env=tuple((v.name, v.value) for v in entry.env or ()),
        interactive_mode=mode,
        install_hint=(entry.install_hint or "").strip(),
        provide_cluster_info=bool(entry.provide_cluster_info),
        cluster_config=_extension(cluster.entry.extensions),
    )


def _extension(extensions: object) -> object:
    for item in extensions if isinstance(extensions, list) else ():
        if isinstance(item, dict) and item.get("name") == _EXEC_EXTENSION:
            return item.get("extension")
    return None


def _data_or_file(
    found: Found[kubeconfig.EntryT],
    field: str,
    data_and_file: tuple[str | None, str | None],
    problems: list[str],
) -> bytes | None:
    """Return PEM from the data field, which goes before the file, or from the file."""
    data, file = data_and_file
    if data:
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except binascii.Error as e:
            problems.append(found.problem(f"{field}-data", f"not base64: {e}"))
            return None
    if not file:
        return None
    try:
        return found.resolve(file).read_bytes()
    except OSError as e:
        problems.append(found.problem(field, f"{found.resolve(file)}: {e.strerror}"))
        return None


def _is_url(text: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_there(path: Path) -> bool:
    """Tell what is missing from what may not be seen; the latter is told when it is read."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
