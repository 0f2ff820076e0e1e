"""The credentials of a connection while it is in use: read again, renewed, never logged."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl

from serinus import errors
from serinus.clock import Clock, Instant
from serinus.kube.config import exec_plugin, tls
from serinus.kube.config.connection import ClientCertificate, Connection
from serinus.kube.config.exec_plugin import ExecCredential

_TOKEN_FILE_AGE_MAX_MS = 60_000
"""A kubelet renews a pod's token long before its end; client-go reads it again each minute, too."""


class Credentials:
    """Hand out headers and TLS context for each request."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._lock = asyncio.Lock()
        self._context: tuple[ClientCertificate | None, ssl.SSLContext] | None = None
        self._file_token: tuple[Instant, str] | None = None
        self._exec: ExecCredential | None = None
        self._certificate = connection.certificate

    async def headers(self) -> dict[str, str]:
        """Return the headers that say who we are.

        Raises:
            InvalidInput: an exec plugin is missing or prints nonsense.
            Unauthorized: there is no way to learn a token.
        """
        token = await self._token()
        connection = self._connection
        if token is not None:
            return {"Authorization": f"Bearer {token}"}
        if connection.username:
            pair = f"{connection.username}:{connection.password or ''}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {}

    async def ssl_context(self) -> ssl.SSLContext:
        """Return the TLS context, made again only when the client certificate has changed."""
        credential = await self._from_plugin()
        certificate = self._certificate
        if credential is not None and credential.certificate is not None:
            certificate = credential.certificate
        if self._context is None or self._context[0] != certificate:
            self._context = (certificate, tls.context(self._connection, certificate))
        return self._context[1]

    def renew(self) -> bool:
        """Forget what was read or printed, after a 401; return whether another try makes sense."""
        self._file_token = None
        had = self._exec is not None
        self._exec = None
        return self._read_certificate() or had or self._connection.token_file is not None

    def _read_certificate(self) -> bool:
        """Read the client certificate again; return whether it is another one now."""
        files = self._connection.certificate_files
        if files is None:
            return False
        try:
            read = ClientCertificate(*(file.read_bytes() for file in files))
        except OSError:
            return False
        changed, self._certificate = read != self._certificate, read
        return changed

    async def _token(self) -> str | None:
        connection = self._connection
        if connection.token_file is not None:
            return self._read_token() or connection.token
        if connection.token is not None or connection.username:
            return connection.token
        credential = await self._from_plugin()
        return None if credential is None else credential.token

    def _read_token(self) -> str:
        now = self._clock.now_ms()
        known = self._file_token
        if known is not None and now - known[0] < _TOKEN_FILE_AGE_MAX_MS:
            return known[1]
        path = self._connection.token_file
        try:
            token = path.read_text().strip() if path is not None else ""
        except OSError as e:
            if known is not None:
                return known[1]
            raise errors.Unauthorized(f"cannot read the token file {path}: {e.strerror}") from e
        self._file_token = (now, token)
        return token

    async def _from_plugin(self) -> ExecCredential | None:
        connection = self._connection
        plugin = connection.exec_plugin
        # A token or password that is given goes before the plugin (client-go, auth/exec/exec.go).
        if plugin is None or connection.token or connection.token_file or connection.username:
            return None
        async with self._lock:
            known = self._exec
            if known is None or (
                known.expires is not None and known.expires <= self._clock.now_ms()
            ):
                known = await exec_plugin.run(plugin, connection, os.environ)
                self._exec = known
            return known
