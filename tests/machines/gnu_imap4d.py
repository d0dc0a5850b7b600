"""A GNU Mailutils imap4d of the tests' own: private configuration, users and ports."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import trustme

from tests.machines.ports import free_port, start, stop, wait_for_server

IMAP4D = "/usr/sbin/imap4d"
DOMAIN = "example.test"
USER = f"eve@{DOMAIN}"

_CONFIGURATION = """
mode daemon;
foreground yes;
pidfile {folder}/pid;
logging {{ syslog no; }};
virtdomain {{ passwd-dir {folder}/domains; }};
auth {{ authentication "virtdomain:generic"; authorization "virtdomain"; }};
{more}
server 127.0.0.1:{port} {{
  tls-mode ondemand;
  tls {{ ssl-certificate-file {folder}/server.pem; ssl-key-file {folder}/server.key; }};
}}
server 127.0.0.1:{tls_port} {{
  tls-mode connection;
  tls {{ ssl-certificate-file {folder}/server.pem; ssl-key-file {folder}/server.key; }};
}}
server 127.0.0.1:{required_port} {{
  tls-mode required;
  tls {{ ssl-certificate-file {folder}/server.pem; ssl-key-file {folder}/server.key; }};
}}
"""


class Imap4d(NamedTuple):
    """A running imap4d."""

    port: int
    """STARTTLS is offered here."""
    tls_port: int
    required_port: int
    """Nothing but STARTTLS is taken here."""
    ca_file: str
    """What signed its certificate for ``localhost`` and ``127.0.0.1``."""
    password: str
    """Of USER, made up for this run."""


@contextlib.contextmanager
def imap4d(more: str = "", passwords: Mapping[str, str] | None = None) -> Iterator[Imap4d]:
    """Start an imap4d in the foreground, and stop it.

    Args:
        more: further configuration.
        passwords: further users of the domain, by name.
    """
    with tempfile.TemporaryDirectory(prefix="imap4d-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        password = secrets.token_hex(12)
        _write_users(folder, {"eve": password, **(passwords or {})})
        _write_certificate(folder)
        ports = free_port(), free_port(), free_port()
        configuration = folder / "imap4d.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                folder=folder,
                more=more,
                port=ports[0],
                tls_port=ports[1],
                required_port=ports[2],
            )
        )
        log = folder / "log"
        process = start([IMAP4D, f"--config-file={configuration}", "--foreground"], log)
        try:
            for port in ports:
                wait_for_server(process, "127.0.0.1", port, log)
            yield Imap4d(*ports, str(folder / "ca.pem"), password)
        finally:
            stop(process)


def _write_users(folder: Path, passwords: Mapping[str, str]) -> None:
    """A virtual domain is a passwd(5) file; imap4d becomes its users to open their mail."""
    (folder / "domains").mkdir()
    mail = folder / "mail"
    mail.mkdir()
    mail.chmod(0o777)
    uid, gid = os.getuid() or 65534, os.getgid() or 65534
    lines = [
        f"{user}:{_hashed(password)}:{uid}:{gid}::{mail}:/bin/sh\n" for user, password in passwords.items()
    ]
    (folder / "domains" / DOMAIN).write_text("".join(lines))


def _hashed(password: str) -> str:
    command = ["openssl", "passwd", "-6", "-stdin"]
    done = subprocess.run(command, input=password.encode(), capture_output=True, check=True)
    return done.stdout.decode().strip()


def _write_certificate(folder: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "server.key"))
    # imap4d wants the key to be readable for nobody else.
    (folder / "server.key").chmod(0o600)
    (folder / "server.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
