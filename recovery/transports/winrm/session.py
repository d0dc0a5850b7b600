"""pywinrm, made to keep its promises: nothing unencrypted is sent or believed, and it goes nowhere else.

What is closed here, and why it has to be:

- After a failed first connection over HTTP, pywinrm's session exists without encryption, and its next
  message would go in the clear, even with ``message_encryption='always'``.
- It takes an unencrypted answer in a sealed conversation, so that anybody in between could forge a result.
- requests follows redirects, honours ``http_proxy``, and reads ``.netrc``.
"""

from __future__ import annotations

import requests
import winrm.transport
from winrm.exceptions import WinRMError
from winrm.protocol import Protocol
from winrm.transport import Transport

from imap4.packages import missing
from recovery.errors import LoginFailed, UsageError
from recovery.model import Credential
from recovery.transports.winrm.errors import AnsweredInTheClear
from recovery.transports.winrm.wire import Wire


class SealedTransport(Transport):
    """pywinrm's transport over one :class:`Wire`; over HTTP, every message is sealed or not sent."""

    def __init__(self, endpoint: str, wire: Wire, **settings: object) -> None:
        super().__init__(endpoint=endpoint, proxy=None, ca_trust_path=None, **settings)  # type: ignore[arg-type]
        self._wire = wire
        self._must_seal = not endpoint.startswith("https://")

    def build_session(self) -> requests.Session:
        if self.session is None:
            self._wire.harden(super().build_session())
        assert self.session is not None
        return self.session

    def setup_encryption(self, session: requests.Session) -> None:
        """The first exchange, with an empty message; it goes over the wire as all others do."""
        self._wire.harden(session)
        super().setup_encryption(session)

    def send_message(self, message: str | bytes) -> bytes:
        self.build_session()
        if self._must_seal and self.encryption is None:
            raise WinRMError("no message is sent unencrypted")
        return super().send_message(message)

    def _get_message_response_text(self, response: requests.Response) -> bytes:
        sealed = "encrypted" in (response.headers.get("Content-Type") or "")
        if self.encryption is not None and not sealed:
            if response.ok:
                raise AnsweredInTheClear
            # An error page of HTTP itself: its status counts, its text does not.
            return b""
        return super()._get_message_response_text(response)


def make_protocol(endpoint: str, credential: Credential, wire: Wire, spn: str | None = None) -> Protocol:
    """pywinrm's protocol over ``wire``, ready to log in at its first message.

    Args:
        spn: the machine's service principal for Kerberos; None is ``HTTP/`` and the endpoint's host.

    Raises:
        LoginFailed: the credential cannot be sent by its method.
        UsageError: the method needs a package that is not there.
    """
    method = credential.method.removeprefix("winrm-")
    if method == "credssp" and not winrm.transport.HAVE_CREDSSP:
        raise UsageError(f"credential {credential.name}: {missing('requests_credssp')}")
    settings: dict[str, object] = {
        "username": account_for(credential),
        "password": "" if credential.password is None else credential.password.reveal(),
        "auth_method": method,
        "message_encryption": "auto" if endpoint.startswith("https://") else "always",
        "service": (spn or "HTTP").partition("/")[0],
        "kerberos_hostname_override": (spn or "").partition("/")[2] or None,
        # Below version 5 somebody in the middle could use the login (CVE-2018-0886).
        "credssp_minimum_version": 5,
        "read_timeout_sec": Protocol.DEFAULT_READ_TIMEOUT_SEC,
    }
    if method == "certificate":
        # pywinrm wants to see files; the wire has already loaded the certificate.
        settings |= {"cert_pem": "/dev/null", "cert_key_pem": "/dev/null"}
    if method == "basic":
        _check_latin(credential)
    # What is given here only satisfies the constructor; the transport is replaced before it is used.
    protocol = Protocol(endpoint, transport="ntlm", username="-", password="")
    protocol.transport = SealedTransport(endpoint, wire, **settings)
    return protocol


def account_for(credential: Credential) -> str:
    """The account as the method's library wants it.

    ``.\\name`` is an account of the machine itself: Windows takes a name without a domain as that first.
    """
    account = credential.account.removeprefix(".\\")
    if credential.method == "winrm-kerberos" and "@" in account:
        name, _, realm = account.rpartition("@")
        return f"{name}@{realm.upper()}"
    return account


def _check_latin(credential: Credential) -> None:
    password = "" if credential.password is None else credential.password.reveal()
    try:
        (credential.account + password).encode("latin-1")
    except UnicodeEncodeError:
        raise LoginFailed(
            f"credential {credential.name}: HTTP Basic cannot carry the characters of this password; use "
            "winrm-ntlm"
        ) from None
