"""A certificate authority for one cluster, and the server's certificate from it.

client-go sends a bearer token over TLS only, so even a sandbox on loopback needs certificates. They
are made once and kept; an expiring server certificate is made again from the same authority, so
that a kubeconfig handed out stays valid.
"""

from __future__ import annotations

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from serinus import errors
from serinus.clock import Instant
from serinus.local_cluster.state_folder import StateFolder, write_private

_DAY = dt.timedelta(days=1)
_CA_LIFE = 3650 * _DAY
_SERVER_LIFE = 365 * _DAY
_RENEW_BEFORE = 30 * _DAY
# A clock that was set back a little must not make a fresh certificate invalid.
_BACKDATE = dt.timedelta(hours=1)

DNS_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
IP_ADDRESSES = ("127.0.0.1", "::1")


def ensure(folder: StateFolder, now: Instant) -> None:
    """Make the authority and the server's certificate where they are missing or expiring."""
    moment = dt.datetime.fromtimestamp(now / 1000, dt.UTC)
    if not (folder.ca_certificate.exists() and folder.ca_key.exists()):
        _make_authority(folder, moment)
    elif folder.server_key.exists() and _is_fresh(folder, moment):
        return
    _make_server(folder, moment)


def _is_fresh(folder: StateFolder, moment: dt.datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(folder.server_certificate.read_bytes())
    except (OSError, ValueError):
        return False
    return certificate.not_valid_after_utc - _RENEW_BEFORE > moment


def _make_authority(folder: StateFolder, moment: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _common_name("serinus local cluster")
    certificate = (
        _builder(name, name, key.public_key(), (moment, _CA_LIFE))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(folder.ca_key, _private_pem(key))
    write_private(folder.ca_certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _make_server(folder: StateFolder, moment: dt.datetime) -> None:
    authority = x509.load_pem_x509_certificate(folder.ca_certificate.read_bytes())
    authority_key = serialization.load_pem_private_key(folder.ca_key.read_bytes(), None)
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise errors.RefusedError(
            "BrokenState", f"{folder.ca_key} is not an EC key; `serinus local reset` starts afresh"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in DNS_NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in IP_ADDRESSES]
    certificate = (
        _builder(
            _common_name("kube-apiserver"),
            authority.subject,
            key.public_key(),
            (moment, _SERVER_LIFE),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    write_private(folder.server_key, _private_pem(key))
    write_private(folder.server_certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    life: tuple[dt.datetime, dt.timedelta],
) -> x509.CertificateBuilder:
    moment, length = life
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _BACKDATE)
        .not_valid_after(moment + length)
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, text)])


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
