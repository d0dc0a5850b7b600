"""Certificates and TLS servers, made when the tests run."""

from __future__ import annotations

import datetime
import ssl
import subprocess
from pathlib import Path

import trustme


class Authority:
    """A certification authority with its files in a folder of the test's."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._authority = trustme.CA()
        self.file = str(folder / f"{name}.pem")
        self._authority.cert_pem.write_to_path(self.file)
        self.folder = folder / name
        """As ``openssl rehash`` makes it."""
        self.folder.mkdir()
        self._authority.cert_pem.write_to_path(str(self.folder / "ca.pem"))
        subprocess.run(["openssl", "rehash", str(self.folder)], check=True)

    def server(self, *names: str, days: float = 100.52, begun: float = -1.0) -> ssl.SSLContext:
        """A server's side of TLS.

        Args:
            names: names and addresses in its certificate; none mean ``localhost`` and ``127.0.0.1``.
            days: when the certificate ends, in days from now.
            begun: when it begins, in days from now.
        """
        now = datetime.datetime.now(datetime.UTC)
        certificate = self._authority.issue_cert(
            *(names or ("localhost", "127.0.0.1")),
            not_before=now + datetime.timedelta(min(begun, days - 1)),
            not_after=now + datetime.timedelta(days),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    def client_files(self, folder: Path) -> tuple[str, str]:
        """A client's certificate and its key, as two files."""
        certificate = self._authority.issue_cert("monitor.example.test")
        paths = str(folder / "client.pem"), str(folder / "client.key")
        certificate.cert_chain_pems[0].write_to_path(paths[0])
        certificate.private_key_pem.write_to_path(paths[1])
        Path(paths[1]).chmod(0o600)
        return paths

    def require_client_certificate(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """Let a server take only clients with a certificate of this authority."""
        self._authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def self_signed(folder: Path) -> tuple[str, ssl.SSLContext]:
    """A certificate that signed itself: its file, and the server's side of TLS."""
    certificate, key = str(folder / "self.pem"), str(folder / "self.key")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", names, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
