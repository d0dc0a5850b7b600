"""Who is on a connection: Basic, Negotiate (NTLM and, where GSSAPI is there, Kerberos), CredSSP, certificate.

Windows authenticates the connection, not the request. A wrong password is counted, as account lockout does.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

_BOUNDARY = b"--Encrypted Boundary"
_PROTOCOLS = {
    "Negotiate": b"application/HTTP-SPNEGO-session-encrypted",
    "Kerberos": b"application/HTTP-Kerberos-session-encrypted",
    "CredSSP": b"application/HTTP-CredSSP-session-encrypted",
}
_CERTIFICATE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_KERBEROS_OID = b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
_LIMIT_OF_A_CREDSSP_PART = 16384


@dataclass
class Accounts:
    """The accounts of the machine, its authentication methods, and how often each was refused."""

    passwords: Mapping[str, str]
    """Password by name, ``DOMAIN\\name`` or ``name``; used for Basic. NTLM's are in NTLM_USER_FILE."""
    certificates: Mapping[bytes, str] = field(default_factory=dict)
    """Account by SHA-256 of the client certificate in DER."""
    methods: tuple[str, ...] = ("Negotiate", "Kerberos", "CredSSP")
    basic: bool = False
    closed: bool = False
    """Refuse everybody, as a member of a domain does that finds no controller."""
    acceptor: Callable[[], Any] = lambda: None
    """Makes the server's end of Kerberos, where there is one."""
    refused: int = 0
    """How many full logon attempts were refused."""
    accepted: int = 0


@dataclass(frozen=True)
class Answer:
    """What to do with a request: go on as ``user``, or send ``status`` with ``headers``."""

    user: str | None
    headers: tuple[tuple[str, str], ...] = ()


class Logon:
    """The authentication of one connection."""

    def __init__(self, accounts: Accounts, *, server_certificate: bytes | None, peer: bytes | None) -> None:
        self._accounts = accounts
        self.peer = peer
        self._bindings = None
        if server_certificate is not None:
            digest = hashlib.sha256(server_certificate).digest()
            self._bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + digest)
        self._context: Any = None
        self._scheme = ""
        self.user: str | None = None

    @property
    def seals(self) -> bool:
        """Whether this connection has a key for sealed messages."""
        return self.user is not None and self._context is not None

    def check(self, authorization: str) -> Answer:
        """Take one request's Authorization header (or "")."""
        scheme, _, token = authorization.partition(" ")
        if not authorization:
            return Answer(self.user) if self.seals else self._ask()
        if authorization == _CERTIFICATE:
            return self._certificate()
        if scheme == "Basic":
            return self._basic(token)
        if scheme in self._accounts.methods:
            return self._step(scheme, base64.b64decode(token))
        return self._ask()

    def _ask(self) -> Answer:
        offers = [("WWW-Authenticate", method) for method in self._accounts.methods]
        if self._accounts.basic:
            offers.append(("WWW-Authenticate", 'Basic realm="WSMAN"'))
        return Answer(None, tuple(offers))

    def _refuse(self) -> Answer:
        self._accounts.refused += 1
        self._context = None
        return self._ask()

    def _accept(self, user: str, *headers: tuple[str, str]) -> Answer:
        if self.user is None:
            self._accounts.accepted += 1
        self.user = user
        return Answer(user, headers)

    def _certificate(self) -> Answer:
        user = self._accounts.certificates.get(hashlib.sha256(self.peer or b"").digest())
        return self._refuse() if user is None else self._accept(user)

    def _basic(self, token: str) -> Answer:
        if not self._accounts.basic:
            return self._ask()
        name, _, password = base64.b64decode(token).decode("latin-1").partition(":")
        if name not in self._accounts.passwords or self._accounts.passwords[name] != password:
            return self._refuse()
        return self._accept(name)

    def _step(self, scheme: str, token: bytes) -> Answer:
        if self._context is None or self._context.complete or scheme != self._scheme:
            protocol = "credssp" if scheme == "CredSSP" else "negotiate"
            self._scheme, self.user = scheme, None
            self._context = self._accounts.acceptor() if self._is_kerberos(token) else None
            self._context = self._context or spnego.server(
                protocol=protocol, channel_bindings=None if scheme == "CredSSP" else self._bindings
            )
        try:
            out = self._context.step(token)
        except (SpnegoError, ValueError, struct.error):
            return self._refuse()
        if self._context.complete and self._accounts.closed:
            return self._refuse()
        header = ("WWW-Authenticate", f"{scheme} {base64.b64encode(out or b'').decode()}".rstrip())
        if not self._context.complete:
            return Answer(None, (header,))
        return self._accept(str(self._context.client_principal), *([header] if out else []))

    def _is_kerberos(self, token: bytes) -> bool:
        return token[:1] == b"\x60" and _KERBEROS_OID in token[:20]

    def unseal(self, content_type: str, body: bytes) -> bytes:
        """The SOAP message in a sealed body ([MS-WSMV] 2.2.9.1); ValueError where it is not one."""
        assert self._context is not None
        if not re.match(r"multipart/(x-multi-)?encrypted;", content_type):
            raise ValueError("not a sealed message")
        parts = [part for part in body.split(_BOUNDARY + b"\r\n") if part]
        message = b""
        for heading, part in zip(parts[::2], parts[1::2], strict=True):
            sealed = part.removesuffix(_BOUNDARY + b"--\r\n")
            sealed = sealed.removeprefix(b"\tContent-Type: application/octet-stream\r\n")
            length = struct.unpack("<i", sealed[:4])[0]
            piece = self._unwrap(sealed[4 : 4 + length], sealed[4 + length :])
            if len(piece) != int(heading.strip().split(b"Length=")[1]):
                raise ValueError("wrong length")
            message += piece
        return message

    def _unwrap(self, header: bytes, data: bytes) -> bytes:
        assert self._context is not None
        try:
            message: bytes = self._context.unwrap_winrm(header, data)
        except SpnegoError as error:
            raise ValueError(f"not sealed with this connection's key: {error}") from None
        return message

    def seal(self, message: bytes) -> tuple[str, bytes]:
        """The sealed form of a SOAP message: its content type and body."""
        assert self._context is not None
        protocol = _PROTOCOLS[self._scheme]
        size = _LIMIT_OF_A_CREDSSP_PART if self._scheme == "CredSSP" else len(message)
        pieces = [message[start : start + size] for start in range(0, len(message), max(size, 1))]
        body = b""
        for piece in pieces:
            sealed = self._context.wrap_winrm(piece)
            body += (
                _BOUNDARY + b"\r\n\tContent-Type: " + protocol + b"\r\n"
                b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length="
                + str(len(piece) + sealed.padding_length).encode()
                + b"\r\n"
                + _BOUNDARY
                + b"\r\n\tContent-Type: application/octet-stream\r\n"
                + struct.pack("<i", len(sealed.header))
                + sealed.header
                + sealed.data
            )
        kind = "multipart/encrypted" if len(pieces) == 1 else "multipart/x-multi-encrypted"
        return f'{kind};protocol="{protocol.decode()}";boundary="Encrypted Boundary"', (
            body + _BOUNDARY + b"--\r\n"
        )

    def forget(self) -> None:
        """End the context."""
        with contextlib.suppress(AttributeError):
            self._context = None
