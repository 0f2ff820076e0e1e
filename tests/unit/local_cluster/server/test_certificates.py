from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from serinus.local_cluster.server import certificates
from serinus.local_cluster.server.serving import https
from serinus.local_cluster.state_folder import StateFolder
from serinus.process import SystemClock

_YEAR_MS = 365 * 86_400_000


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    made = StateFolder(tmp_path / "state")
    made.create()
    certificates.ensure(made, SystemClock().now_ms())
    return made


def _shake_hands(folder: StateFolder, name: str) -> str:
    """Return the TLS version that a client gets who trusts the cluster's authority alone."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        plain, _ = listener.accept()
        try:
            with https.tls_context(folder).wrap_socket(plain, server_side=True) as secure:
                secure.recv(1)
        except (ssl.SSLError, OSError):
            plain.close()

    thread = threading.Thread(target=serve)
    thread.start()
    context = ssl.create_default_context(cafile=str(folder.ca_certificate))
    try:
        with (
            socket.create_connection(listener.getsockname()) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            return str(secure.version())
    finally:
        thread.join(5)
        listener.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "kubernetes.default.svc"])
def test_a_client_that_trusts_the_authority_can_connect(folder: StateFolder, name: str) -> None:
    assert _shake_hands(folder, name) == "TLSv1.3"


def test_another_name_is_not_covered(folder: StateFolder) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(folder, "example.org")


def test_keys_are_readable_by_their_owner_only(folder: StateFolder) -> None:
    assert {p.stat().st_mode & 0o777 for p in folder.path.iterdir()} == {0o600}
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_a_fresh_pair_is_kept_and_an_expiring_one_is_made_again_by_the_same_authority(
    folder: StateFolder,
) -> None:
    now = SystemClock().now_ms()
    before = folder.server_certificate.read_bytes()
    authority = folder.ca_certificate.read_bytes()
    certificates.ensure(folder, now)
    assert folder.server_certificate.read_bytes() == before
    certificates.ensure(folder, now + _YEAR_MS)
    renewed = folder.server_certificate.read_bytes()
    assert renewed != before
    assert folder.ca_certificate.read_bytes() == authority
    x509.load_pem_x509_certificate(renewed).verify_directly_issued_by(
        x509.load_pem_x509_certificate(authority)
    )
