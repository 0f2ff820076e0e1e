"""Running a credential plugin: a child process that prints an ExecCredential.

Contract: kubernetes.io/docs/reference/access-authn-authz/authentication, "client-go credential
plugins".
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from serinus import errors, process
from serinus.clock import Instant
from serinus.kube import timestamps
from serinus.kube.config.connection import ClientCertificate, Connection, ExecPlugin

_STOP_GRACE_MS = 1000


class ExecCredential(msgspec.Struct, frozen=True):
    """What a plugin printed: a token, or a certificate, or both."""

    token: str | None
    certificate: ClientCertificate | None
    expires: Instant | None

    def __repr__(self) -> str:
        return f"ExecCredential(expires={self.expires})"


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: str | None = None


class _Printed(msgspec.Struct, frozen=True, rename="camel"):
    kind: str
    api_version: str
    status: _Status | None = None


async def run(
    plugin: ExecPlugin, connection: Connection, environment: Mapping[str, str]
) -> ExecCredential:
    """Run the plugin once and return what it printed.

    Raises:
        InvalidInput: the program is missing, or what it printed is not an ExecCredential.
        Unauthorized: it ran and failed; what it wrote to stderr was shown as it came.
    """
    subject = f"exec plugin {plugin.command!r} of user {connection.user!r}"
    interactive = _interactive(plugin, subject)
    info = _exec_info(plugin, connection, interactive=interactive)
    env = {**environment, **dict(plugin.env), "KUBERNETES_EXEC_INFO": info}
    try:
        child = await process.spawn(
            [plugin.command, *plugin.args],
            env=env,
            stdin=None if interactive else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,
            own_session=not interactive,
        )
    except OSError as e:
        problem = f"cannot be run: {e.strerror}"
        hint = f"\n{plugin.install_hint}" if plugin.install_hint else ""
        raise errors.InvalidInput(subject, [problem + hint]) from e
    try:
        printed, _ = await child.communicate()
    except asyncio.CancelledError:
        if interactive:
            # It shares our process group, so only itself may be told to go.
            child.terminate()
        else:
            await process.stop(child, grace_ms=_STOP_GRACE_MS)
        raise
    if child.returncode != 0:
        hint = f"\n{plugin.install_hint}" if plugin.install_hint else ""
        raise errors.Unauthorized(
            f"{subject} failed with exit code {child.returncode}: run it by hand to see why{hint}"
        )
    return parse(printed, plugin, subject)


def parse(printed: bytes, plugin: ExecPlugin, subject: str) -> ExecCredential:
    """Read what a plugin printed; it must speak the version that it was asked for."""
    try:
        answer = msgspec.json.decode(printed, type=_Printed)
    except msgspec.DecodeError as e:
        raise errors.InvalidInput(subject, [f"did not print an ExecCredential: {e}"]) from e
    problems = []
    if answer.kind != "ExecCredential":
        problems.append(f"kind: {answer.kind!r} is not ExecCredential")
    if answer.api_version != plugin.api_version:
        words = f"{answer.api_version!r} is not the {plugin.api_version} that was asked for"
        problems.append(f"apiVersion: {words}")
    status = answer.status or _Status()
    chain, key = status.client_certificate_data, status.client_key_data
    if not status.token and not chain:
        problems.append("status: neither token nor clientCertificateData")
    if bool(chain) != bool(key):
        problems.append("status: clientCertificateData and clientKeyData go together")
    expires = None
    if status.expiration_timestamp:
        try:
            expires = timestamps.parse(status.expiration_timestamp)
        except errors.InvalidInput as e:
            problems.append(f"status.expirationTimestamp: {e}")
    if problems:
        raise errors.InvalidInput(subject, problems)
    pair = ClientCertificate(chain.encode(), key.encode()) if chain and key else None
    return ExecCredential(status.token or None, pair, expires)


def _interactive(plugin: ExecPlugin, subject: str) -> bool:
    has_terminal = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    if plugin.interactive_mode == "Always" and not has_terminal:
        problem = "needs a terminal (interactiveMode: Always), and standard input is none"
        raise errors.InvalidInput(subject, [problem])
    return plugin.interactive_mode != "Never" and has_terminal


def _exec_info(plugin: ExecPlugin, connection: Connection, *, interactive: bool) -> str:
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.provide_cluster_info:
        cluster = {
            "server": connection.server,
            "tls-server-name": connection.tls_server_name,
            "insecure-skip-tls-verify": connection.insecure or None,
            "certificate-authority-data": _base64(connection.ca),
            "proxy-url": connection.proxy_url,
            "config": plugin.cluster_config,
        }
        spec["cluster"] = {key: value for key, value in cluster.items() if value is not None}
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    return os.fsdecode(msgspec.json.encode(info))


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
