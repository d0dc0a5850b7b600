"""A real MIT KDC on loopback, with a realm, an account and the endpoint's service principal of its own."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

REALM = "EXAMPLE.ORG"


def why_not() -> str:
    """Why there is no Kerberos on this machine; "" if there is."""
    import winrm.transport

    if not winrm.transport.HAVE_KERBEROS:
        return "pykerberos is not installed"
    for program in ("krb5kdc", "kdb5_util", "kadmin.local", "kinit"):
        if shutil.which(program, path="/usr/sbin:/usr/bin") is None:
            return f"{program} is not installed"
    return ""


@dataclass(frozen=True)
class Realm:
    """A running KDC."""

    account: str
    password: str


@contextlib.contextmanager
def realm(folder: Path, host: str, account: str, password: str) -> Iterator[Realm]:
    """A KDC for the block; the process's own Kerberos library uses it too."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "krb5.conf").write_text(
        f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
        f" dns_canonicalize_hostname = false\n rdns = false\n"
        f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n"
        f"[domain_realm]\n .example.org = {REALM}\n example.org = {REALM}\n"
    )
    (folder / "kdc.conf").write_text(
        f"[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n"
        f"[realms]\n {REALM} = {{\n  database_name = {folder}/principal\n  key_stash_file = {folder}/stash\n"
        f"  acl_file = {folder}/acl\n }}\n[logging]\n kdc = FILE:{folder}/kdc.log\n"
    )
    settings = {
        "KRB5_CONFIG": str(folder / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        "KRB5_KTNAME": str(folder / "keytab"),
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    path = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}

    def admin(*words: str, secret: str = "") -> None:
        subprocess.run(words, input=secret, env=path, check=True, capture_output=True, text=True)

    try:
        admin("kdb5_util", "create", "-s", "-W", "-r", REALM, secret="master\nmaster\n")  # noqa: S106
        admin("kadmin.local", "-q", f"addprinc {account}", secret=f"{password}\n{password}\n")
        admin("kadmin.local", "-q", f"addprinc -randkey HTTP/{host}")
        admin("kadmin.local", "-q", f"ktadd -k {folder}/keytab HTTP/{host}")
        process = subprocess.Popen(["krb5kdc", "-n"], env=path, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield Realm(f"{account}@{REALM}", password)
        finally:
            process.terminate()
            process.wait(10)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError("krb5kdc does not listen")


class Sealed(NamedTuple):
    """A sealed message, as pyspnego names its parts."""

    header: bytes
    data: bytes
    padding_length: int


class Acceptor:
    """The server's end of Kerberos, with the members of pyspnego's contexts that the endpoint uses."""

    def __init__(self) -> None:
        import kerberos

        self._kerberos: Any = kerberos
        _, self._context = kerberos.authGSSServerInit("HTTP")
        self.complete = False
        self.client_principal = ""

    def step(self, token: bytes) -> bytes:
        """Raises ValueError where the ticket is no good."""
        try:
            self._kerberos.authGSSServerStep(self._context, base64.b64encode(token).decode())
        except self._kerberos.GSSError as error:
            raise ValueError(str(error)) from None
        self.complete = True
        self.client_principal = self._kerberos.authGSSServerUserName(self._context)
        return base64.b64decode(self._kerberos.authGSSServerResponse(self._context) or "")

    def wrap_winrm(self, data: bytes) -> Sealed:
        """Seal a message."""
        sealed, header = self._kerberos.authGSSWinRMEncryptMessage(self._context, data)
        return Sealed(header, sealed, 0)

    def unwrap_winrm(self, header: bytes, data: bytes) -> bytes:
        """Open one; raises ValueError where it is not sealed with this context."""
        try:
            message: bytes = self._kerberos.authGSSWinRMDecryptMessage(self._context, data, header)
        except self._kerberos.GSSError as error:
            raise ValueError(str(error)) from None
        return message
