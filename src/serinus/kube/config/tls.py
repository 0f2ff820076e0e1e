"""TLS contexts as Kubernetes clients use them."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

from serinus import errors
from serinus.kube.config.connection import ClientCertificate, Connection


def context(connection: Connection, certificate: ClientCertificate | None) -> ssl.SSLContext:
    """Return the TLS context for a connection; a CA of its own replaces those of the system.

    Raises:
        InvalidInput: the CA or the client certificate is not usable PEM.
    """
    subject = f"TLS settings of {connection.words}"
    try:
        made = ssl.create_default_context(
            cadata=None if connection.ca is None else connection.ca.decode("ascii")
        )
    except (ssl.SSLError, UnicodeDecodeError) as e:
        raise errors.InvalidInput(subject, [f"certificate-authority: not usable PEM: {e}"]) from e
    # Python 3.13 asks for extensions that the CAs of many clusters lack; Go does not.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if connection.insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        try:
            with _as_file(certificate.chain + b"\n" + certificate.key) as path:
                # With no password given OpenSSL would ask for one on the terminal.
                made.load_cert_chain(path, password=lambda: "")
        except (ssl.SSLError, OSError) as e:
            raise errors.InvalidInput(
                subject, [f"client-certificate and client-key: not a usable PEM pair: {e}"]
            ) from e
    return made


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[Path]:
    """Keep a secret in a file for as long as OpenSSL needs to read it, with mode 0600."""
    handle, name = tempfile.mkstemp(prefix="serinus-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
