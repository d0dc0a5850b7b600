"""The one connection under a WinRM link: where it goes, how it is verified, and how long it may take.

pywinrm's ``read_timeout_sec`` is for each read of the socket, so that a peer that sends a byte a second
would hold it for ever. Here every read and write ends at the same deadline, an answer has a largest size,
and there is no second connection: NTLM, Kerberos and CredSSP authenticate the connection, and a message
sealed for one must never be tried on another.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from imap4 import secrets, trust
from imap4.deadline import Deadline
from recovery.errors import UsageError
from recovery.model import Credential, Secret, Target

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of the largest answer that is read; Windows' envelopes hold 500 KiB at most."""


class TooMuch(OSError):
    """The peer sent more than any WinRM service would."""


class Way(Protocol):
    """A way to a machine through jump hosts (``recovery.transports.ssh.jump``)."""

    def place(self, target: Target, default: int) -> str:
        """``target`` at the end of the way, for messages."""
        ...

    def socket_to(self, target: Target, port: int, deadline: Deadline) -> socket.socket:
        """A connection to ``target``; raises RecoveryError."""
        ...

    def close(self) -> None:
        """Leave all of its hosts; never raises."""
        ...


class Wire:
    """One connection to ``target``, and the deadline and limit of what goes on over it.

    Args:
        tls: how to verify the machine; None for HTTP (whose messages are then sealed).
        way: what it goes through; None is the network itself.
    """

    def __init__(
        self,
        target: Target,
        port: int,
        tls: ssl.SSLContext | None,
        deadline: Deadline,
        way: Way | None = None,
    ) -> None:
        self.deadline = deadline
        self.received = 0
        self.offers: str | None = None
        """The authentication methods that the machine named when it last refused."""
        self._fresh: socket.socket | None = None
        self._open(target, port, tls, way)

    def _open(self, target: Target, port: int, tls: ssl.SSLContext | None, way: Way | None) -> None:
        """Raises OSError: TimeoutError, ssl.SSLError and so on, each as it happened."""
        if way is None:
            plain = socket.create_connection((target.address, port), timeout=self.timeout())
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            plain = way.socket_to(target, port, self.deadline)
        try:
            if tls is None:
                bound: _PlainSocket | _TlsSocket = _PlainSocket(fileno=plain.detach())
            else:
                tls.sslsocket_class = _TlsSocket
                # The handshake's own limit: the socket's time-out covers it as a whole.
                plain.settimeout(self.timeout())
                wrapped = tls.wrap_socket(plain, server_hostname=target.machine)
                assert isinstance(wrapped, _TlsSocket)
                bound = wrapped
        except BaseException:
            plain.close()
            raise
        bound.wire = self
        self._fresh = bound

    def timeout(self) -> float:
        """Seconds that the next operation may take.

        Raises:
            TimeoutError: there are none left.
        """
        left = self.deadline.left
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def count(self, size: int) -> int:
        """Count what was received, and return it."""
        self.received += size
        if self.received > MAX_ANSWER:
            raise TooMuch(f"an answer of more than {MAX_ANSWER} bytes")
        return size

    def take(self) -> socket.socket:
        """The connection, for the HTTP client that asks first."""
        if self._fresh is None:
            raise ConnectionResetError("the connection was closed by the machine")
        fresh, self._fresh = self._fresh, None
        return fresh

    def close(self) -> None:
        """Close the connection where nobody took it."""
        if self._fresh is not None:
            self._fresh.close()
            self._fresh = None

    def harden(self, session: requests.Session) -> None:
        """Make ``session`` use this connection alone: no proxy, no redirect, no ``.netrc``."""
        if isinstance(session.get_adapter("https://"), _Adapter):
            return
        session.trust_env = False
        session.proxies = {}
        session.max_redirects = 0
        session.headers["Accept-Encoding"] = "identity"
        for prefix in ("http://", "https://"):
            session.mount(prefix, _Adapter(self))


class _Bound:
    """A socket whose operations end at its wire's deadline."""

    wire: Wire | None = None

    def _limit(self) -> None:
        if self.wire is not None:
            self.settimeout(self.wire.timeout())  # type: ignore[attr-defined]

    def recv_into(self, *args: Any, **settings: Any) -> int:
        self._limit()
        size: int = super().recv_into(*args, **settings)  # type: ignore[misc]
        return size if self.wire is None else self.wire.count(size)

    def send(self, *args: Any, **settings: Any) -> int:
        self._limit()
        return super().send(*args, **settings)  # type: ignore[misc,no-any-return]

    def sendall(self, *args: Any, **settings: Any) -> None:
        self._limit()
        super().sendall(*args, **settings)  # type: ignore[misc]


class _PlainSocket(_Bound, socket.socket):
    pass


class _TlsSocket(_Bound, ssl.SSLSocket):
    pass


class _Adapter(HTTPAdapter):
    """Hands the wire's connection to urllib3, which then neither resolves, connects nor verifies."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        wire = self._wire

        class Plain(HTTPConnection):
            def connect(self) -> None:
                self.sock = wire.take()

        class Tls(HTTPSConnection):
            def connect(self) -> None:
                self.sock = wire.take()
                self.is_verified = True

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = Tls

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}

    def cert_verify(self, *args: Any, **settings: Any) -> None:
        """Nothing: the machine was verified when the wire was opened."""

    def proxy_manager_for(self, *args: Any, **settings: Any) -> Any:
        raise requests.exceptions.ProxyError("WinRM is never spoken through a proxy")

    def send(self, request: requests.PreparedRequest, *args: Any, **settings: Any) -> requests.Response:
        self._wire.received = 0
        response = super().send(request, *args, **settings)
        if response.status_code == 401:
            self._wire.offers = response.headers.get("www-authenticate", "")
        return response


def tls_context(target: Target, credential: Credential, ca_file: str | None) -> ssl.SSLContext:
    """How to verify the machine, and who to be where the credential is a certificate.

    Args:
        ca_file: PEM certificates to trust, of authorities or of the machine itself, instead of the
            system's.

    Raises:
        UsageError: a file is missing or not what it should be.
    """
    try:
        context = trust.context(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca-file {ca_file}: {_reason(error)}") from None
    if credential.method == "winrm-certificate":
        # TLS 1.3 servers ask for the certificate after the handshake (RFC 8446, 4.6.2), as HTTP.sys does.
        context.post_handshake_auth = True
        with certificate_file(credential) as path:
            passphrase = (credential.passphrase or Secret("")).reveal()
            try:
                context.load_cert_chain(path, password=passphrase)
            except (OSError, ssl.SSLError) as error:
                raise UsageError(
                    f"credential {credential.name}: its PEM text must hold a certificate and its private "
                    f"key, and the passphrase must fit ({_reason(error)})"
                ) from None
    return context


@contextlib.contextmanager
def certificate_file(credential: Credential) -> Iterator[str]:
    """A path to the client certificate and its key, which the library wants; they never touch a disk.

    Raises:
        UsageError: the credential has none, or its file cannot be read or is open to others.
    """
    if credential.private_key_file:
        try:
            text = secrets.read(credential.private_key_file, "key file")
        except FileNotFoundError:
            raise UsageError(
                f"credential {credential.name}: there is no key file {credential.private_key_file}"
            ) from None
        except secrets.SecretError as error:
            raise UsageError(f"credential {credential.name}: {error}") from None
    elif credential.private_key:
        text = credential.private_key.reveal().encode()
    else:
        raise UsageError(
            f"credential {credential.name}: method winrm-certificate needs a certificate and its key"
        )
    with secrets.as_file(text) as path:
        yield path


def is_address(machine: str) -> bool:
    """Whether ``machine`` is an IP address."""
    try:
        ipaddress.ip_address(machine)
    except ValueError:
        return False
    return True


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "not readable as PEM"
    return (error.strerror or str(error)).lower()
