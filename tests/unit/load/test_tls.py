"""The same client over TLS."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serinus.errors import InvalidInput
from serinus.load.outcome import ConnectionKind, Outcome
from tests.unit.load.loading import load
from tests.unit.load.servers import Visit, answer, polite, serving


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "pair.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server_tls(ca_file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(ca_file)
    return context


async def test_both_kinds_of_connections_work_over_tls(
    server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    async with serving(polite(), tls=server_tls) as server:
        report = await load(server.url, kinds=tuple(ConnectionKind), ca_file=str(ca_file))
    assert report.answered_count == 12
    assert report.population(ConnectionKind.KEEP_ALIVE).connections_count <= 2


async def test_an_answer_of_many_tls_records_is_read_to_its_end(
    server_tls: ssl.SSLContext,
) -> None:
    body = b"x" * 1_000_000

    async def handle(visit: Visit) -> None:
        while await visit.request():
            await visit.say(answer(body=body))

    async with serving(handle, tls=server_tls) as server:
        kinds = (ConnectionKind.KEEP_ALIVE,)
        report = await load(server.url, kinds=kinds, verify_tls=False, requests_max=6)
        assert server.visits == 3
    assert report.answered_count == 6


async def test_a_certificate_that_nobody_vouches_for_is_a_tls_failure(
    server_tls: ssl.SSLContext,
) -> None:
    async with serving(polite(), tls=server_tls) as server:
        report = await load(server.url, requests_max=3)
    assert report.count(Outcome.TLS_FAILED) == 3
    assert "self-signed" in report.examples["tlsFailed"]


async def test_any_certificate_will_do_without_verification(server_tls: ssl.SSLContext) -> None:
    async with serving(polite(), tls=server_tls) as server:
        report = await load(server.url, verify_tls=False)
    assert report.answered_count == 12


async def test_a_plain_server_behind_an_https_url_is_a_tls_failure() -> None:
    async def handle(visit: Visit) -> None:
        await visit.body(5)
        await visit.say(b"HTTP/1.1 400 This is plain HTTP\r\n\r\n")

    async with serving(handle) as server:
        report = await load(server.url.replace("http:", "https:"), requests_max=3)
    assert report.count(Outcome.TLS_FAILED) == 3


async def test_a_missing_ca_file_is_bad_input() -> None:
    with pytest.raises(InvalidInput, match=r"--ca-file.*/no/such/file"):
        await load("https://127.0.0.1:1/", ca_file="/no/such/file")
