"""Certificates that a strict reading of RFC 5280 refuses are taken where their authority was named."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from imap4 import trust
from imap4.check.options import parse_arguments
from imap4.check.tls.handshake import make_context
from recovery.model import Credential, Target
from recovery.transports.winrm.wire import tls_context


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuers: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    """As an old authority makes them: without key identifiers and key usage."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=False)
    )
    if not ca:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(issuers, hashes.SHA256())


class Server:
    """A TLS server with such a certificate, for one connection after another."""

    def __init__(self, folder: Path) -> None:
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
        authority = _certificate("Old authority", keys[0], "Old authority", keys[0], ca=True)
        mine = _certificate("server", keys[1], "Old authority", keys[0], ca=False)
        self.ca_file = str(folder / "ca.pem")
        Path(self.ca_file).write_bytes(authority.public_bytes(Encoding.PEM))
        pem = folder / "server.pem"
        secret = keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem.touch(mode=0o600)
        pem.write_bytes(mine.public_bytes(Encoding.PEM) + secret)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                with plain, self._context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(1)
            except OSError:
                continue

    def shake_hands(self, context: ssl.SSLContext) -> None:
        """Connect, and verify the server."""
        with (
            socket.create_connection(self.listener.getsockname(), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1"),
        ):
            pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.listener.shutdown(socket.SHUT_RDWR)
    made.listener.close()


def test_an_old_authority_that_a_person_named_is_trusted(server: Server) -> None:
    server.shake_hands(trust.context(server.ca_file))
    target = Target("127.0.0.1", "127.0.0.1", 5986, ca_file=server.ca_file)
    credential = Credential(name="c", account="a", method="winrm-ntlm")
    server.shake_hands(tls_context(target, credential, server.ca_file))
    server.shake_hands(make_context(parse_arguments(["-H", "h", "--tls", "--ca-file", server.ca_file])))
    if sys.version_info >= (3, 13):
        with pytest.raises(ssl.SSLCertVerificationError):
            server.shake_hands(ssl.create_default_context(cafile=server.ca_file))


def test_nobody_else_is_trusted(server: Server) -> None:
    for context in (trust.context(None), make_context(parse_arguments(["-H", "h", "--tls"]))):
        with pytest.raises(ssl.SSLCertVerificationError):
            server.shake_hands(context)


def test_what_is_trusted_depends_on_no_version_of_python() -> None:
    strict = ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    assert trust.context(None).verify_flags & strict == 0
