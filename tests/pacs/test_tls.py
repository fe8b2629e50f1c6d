"""TLS: a PACS is trusted for its certificate's authority and name, and for nothing else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jobs.demo.pacs import Orthanc
from jobs.sources.base import PhotoUnreadable, SourceUnreachable
from jobs.sources.dicomweb import DicomwebReader
from tests.pacs.archives import listing_of, locator_of, peer_of
from tests.pacs.objects import photo_file, sop_uid
from tests.pacs.proxy import Proxy, proxy_running

LIMIT = 10**6


def _certificate(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None, address: str | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate and its key; without an issuer that of an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    authority, authority_key = issuer or (None, key)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(authority.subject if authority else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if address is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(authority_key, hashes.SHA256()), key


def _pem(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> tuple[Path, Path]:
    pem, key_pem = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, key_pem


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, tuple[x509.Certificate, ec.EllipticCurvePrivateKey]]:
    """The hospital's own authority: its PEM file, and what it signs with."""
    pair = _certificate("Hospital CA", None, None)
    return _pem(tmp_path, "ca", *pair)[0], pair


def _tls(folder: Path, pair, address: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_pem(folder, f"server-{address}", *_certificate("pacs", pair, address)))
    return context


@pytest.fixture
def encrypted(orthanc: Orthanc, authority, tmp_path: Path) -> Iterator[Proxy]:
    """Orthanc behind TLS, with a certificate of the hospital's authority."""
    assert orthanc.store(photo_file(1))
    with proxy_running(orthanc.port, _tls(tmp_path, authority[1], "127.0.0.1")) as proxy:
        yield proxy


def test_a_pacs_whose_authority_is_named_is_listed_and_read(orthanc, encrypted, authority):
    peer = peer_of(orthanc, encrypted.url, ca_file=authority[0])
    assert listing_of(peer).photos.keys() == {sop_uid(1)}
    assert DicomwebReader(peer).read(locator_of(1), LIMIT) == photo_file(1)


def test_a_certificate_of_an_authority_nobody_named_is_not_trusted(orthanc, encrypted):
    peer = peer_of(orthanc, encrypted.url)
    with pytest.raises(SourceUnreachable):
        listing_of(peer)
    with pytest.raises(PhotoUnreadable) as problem:
        DicomwebReader(peer).read(locator_of(1), LIMIT)
    assert problem.value.reason_code == "source_unreachable"
    assert encrypted.seen == [], "not even a request was sent, let alone a password"


def test_a_certificate_of_another_host_is_not_trusted(orthanc, authority, tmp_path):
    with proxy_running(orthanc.port, _tls(tmp_path, authority[1], "192.0.2.1")) as proxy:
        with pytest.raises(SourceUnreachable):
            listing_of(peer_of(orthanc, proxy.url, ca_file=authority[0]))
        assert proxy.seen == []
