"""All that is needed to speak to one API server, as values that show no secret when printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class ClientCertificate(msgspec.Struct, frozen=True):
    """A certificate chain and its private key, both PEM."""

    chain: bytes
    key: bytes

    def __repr__(self) -> str:
        return "ClientCertificate(...)"


class ExecPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """A program that prints credentials (client.authentication.k8s.io)."""

    command: str
    api_version: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    interactive_mode: str = "IfAvailable"
    install_hint: str = ""
    provide_cluster_info: bool = False
    cluster_config: Any = None
    """What the cluster entry holds for the plugin (extension client.authentication.k8s.io/exec)."""

    def __repr__(self) -> str:
        return f"ExecPlugin(command={self.command!r}, ...)"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One server, one user, one namespace; `as_user` and `as_groups` impersonate another."""

    server: str
    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = "default"
    source: str = ""
    """Where this was read, for messages."""
    ca: bytes | None = None
    insecure: bool = False
    tls_server_name: str | None = None
    proxy_url: str | None = None
    certificate: ClientCertificate | None = None
    certificate_files: tuple[Path, Path] | None = None
    """Where chain and key were read, to be read again when the server refuses them."""
    token: str | None = None
    token_file: Path | None = None
    username: str | None = None
    password: str | None = None
    exec_plugin: ExecPlugin | None = None
    as_user: str | None = None
    as_uid: str | None = None
    as_groups: tuple[str, ...] = ()
    as_extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    request_timeout_ms: int | None = None
    """A limit for each request but the streaming ones; None leaves it to the client."""

    @property
    def words(self) -> str:
        """Name the server and where its address was found, for messages."""
        if self.context and self.source:
            return f"{self.server} (context {self.context!r} of {self.source})"
        return f"{self.server} ({self.source})" if self.source else self.server

    def __repr__(self) -> str:
        return (
            f"Connection(server={self.server!r}, context={self.context!r}, "
            f"user={self.user!r}, namespace={self.namespace!r}, ...)"
        )
