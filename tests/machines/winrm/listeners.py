"""Endpoints ready to be used: accounts made up for this run, a certificate authority, HTTP and HTTPS."""

from __future__ import annotations

import contextlib
import os
import secrets
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.machines.winrm.endpoint import Endpoint, fingerprint
from tests.machines.winrm.logon import Accounts
from tests.machines.winrm.shells import Program, Shells

HOST = "winrm.example.org"
"""The name that the endpoints' certificates are made out to."""


@dataclass(frozen=True)
class Site:
    """What all endpoints of a run share."""

    folder: Path
    account: str
    password: str
    authority: trustme.CA
    ca_file: Path
    client_pem: Path
    """A client certificate and its key in one file."""
    client_der: bytes

    def accounts(self) -> Accounts:
        """The accounts, with nothing counted yet."""
        return Accounts(
            passwords={self.account: self.password},
            certificates={fingerprint(self.client_der): self.account},
        )

    @contextlib.contextmanager
    def http(self, program: Program) -> Iterator[Endpoint]:
        """A listener as on port 5985."""
        with Endpoint(self.accounts(), Shells(program)).listening() as endpoint:
            yield endpoint

    @contextlib.contextmanager
    def https(self, program: Program, name: str = HOST) -> Iterator[Endpoint]:
        """A listener as on port 5986, with Basic and client certificates switched on."""
        issued = self.authority.issue_cert(name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        self.authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        accounts = self.accounts()
        accounts.basic = True
        certificate = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
        endpoint = Endpoint(accounts, Shells(program), tls=context, certificate=certificate)
        with endpoint.listening():
            yield endpoint


def make_site(folder: Path) -> Site:
    """Make accounts and certificates up, and tell pyspnego's NTLM acceptor of the accounts."""
    account, password = f"svc-{secrets.token_hex(3)}", f"P%ss wörd:{secrets.token_urlsafe(12)}"
    # The acceptor splits its lines at colons, so this one has none.
    password = password.replace(":", "_")
    # One file for the whole process: pyspnego reads where it is from the environment.
    users = Path(os.environ.setdefault("NTLM_USER_FILE", str(folder / "ntlm-users")))
    with users.open("a", encoding="utf-8") as file:
        file.write(f"STANDIN:{account}:{password}\n:{account}:{password}\n")
    users.chmod(0o600)
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    client = authority.issue_cert("operator@example.org")
    client_pem = folder / "client.pem"
    client.private_key_and_cert_chain_pem.write_to_path(str(client_pem))
    client_pem.chmod(0o600)
    return Site(
        folder=folder,
        account=account,
        password=password,
        authority=authority,
        ca_file=ca_file,
        client_pem=client_pem,
        client_der=ssl.PEM_cert_to_DER_cert(client.cert_chain_pems[0].bytes().decode()),
    )
