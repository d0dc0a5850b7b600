"""Chains of certificates as a test wants them: each one's validity, names and extensions."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Issued(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


def issue(
    name: str,
    by: Issued | None = None,
    days: float = 100.52,
    begun: float = -30,
    authority: bool = False,
    names: bool = True,
    old: bool = False,
    key: Key | None = None,
) -> Issued:
    """A certificate.

    Args:
        name: its common name.
        by: who signs it; itself where there is none.
        days: its end, in days from now.
        begun: its beginning, the same.
        authority: whether it may sign others.
        names: whether it has ``localhost`` and ``127.0.0.1`` as subjectAltName.
        old: as company authorities of twenty years ago made them: no key identifiers, no key usage,
            basicConstraints that are not critical.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin, end = now + datetime.timedelta(min(begun, days - 1)), now + datetime.timedelta(days)
    signer = by.key if by else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if authority or not old:
        constraints = x509.BasicConstraints(ca=authority, path_length=None)
        builder = builder.add_extension(constraints, critical=not old)
    if names and not authority:
        there: list[x509.GeneralName] = [x509.DNSName("localhost")]
        there.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(there), critical=False)
    if not old:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def write(path: Path, *issued: Issued) -> str:
    """Put certificates into one file; its path."""
    path.write_text("".join(each.pem for each in issued))
    return str(path)


def write_with_key(path: Path, *chain: Issued) -> str:
    """Put a chain and the first one's key into one file; its path."""
    key = chain[0].key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.touch(0o600)
    path.write_bytes("".join(each.pem for each in chain).encode() + key)
    return str(path)


def serving(folder: Path, *chain: Issued) -> ssl.SSLContext:
    """The server's side of TLS, which sends this chain, its own certificate first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = folder / f"chain-{chain[0].certificate.serial_number}.pem"
    context.load_cert_chain(write_with_key(path, *chain))
    return context
