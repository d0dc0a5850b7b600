"""An SSH connection before anybody has logged in: over TCP or through a jump host, up to the key exchange."""

from __future__ import annotations

import itertools
import logging
import socket

import paramiko

from imap4.deadline import Deadline
from imap4.text import clean
from recovery.errors import ConnectFailed, DeadlineExceeded
from recovery.model import Target
from recovery.transports.ssh.known_hosts import KnownHosts

# The library's thread logs tracebacks of what it raises as well; logging prints them where no handler is.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

DEFAULT_PORT = 22
CONNECT_SECONDS = 15.0
"""Longest wait for the TCP connection, and for each later phase up to the login."""

Stream = socket.socket | paramiko.Channel
"""What an SSH connection goes over."""

_NUMBERS = itertools.count()
# How the library's log calls what the other side offers (RFC 4253, 7.1), by our word for it.
_KINDS = {"kex": "kex algos", "host key": "server key", "cipher": "client encrypt", "mac": "client mac"}


class Ear(logging.Handler):
    """Keeps what the library says of one connection only in its log: what the other side offers, and its own
    words where it refuses to open a channel."""

    def __init__(self, connection: paramiko.Transport) -> None:
        super().__init__()
        self._lines: list[str] = []
        name = f"imap4.ssh.{next(_NUMBERS)}"
        self._log = logging.getLogger(name)
        self._log.propagate = False
        self._log.setLevel(logging.DEBUG)
        self._log.addHandler(self)
        connection.set_log_channel(name)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line; the newest ones are enough."""
        self._lines = [*self._lines[-99:], record.getMessage()[:4000]]

    def quiet(self) -> None:
        """From now on listen to what is worth a line only."""
        self._log.setLevel(logging.INFO)

    def offers(self, kind: str) -> str:
        """What the other side offers of a ``kind`` of algorithm; "" where that was not heard."""
        begins = f"{_KINDS[kind]}: "
        found = [line.removeprefix(begins) for line in self._lines if line.startswith(begins)]
        return clean(found[-1], 300) if found else ""

    def refusal(self) -> str:
        """The other side's own words about the last channel that it did not open; "" where it has none."""
        found = [line.partition("open FAILED: ")[2] for line in self._lines if "open FAILED: " in line]
        return clean(found[-1].rpartition(": ")[0], 200) if found else ""


class Connection(paramiko.Transport):
    """The library's connection, and what is heard of it."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self.ear = Ear(self)
        # The library's thread must not keep our process alive.
        self.daemon = True


def tcp(address: str, port: int, where: str, deadline: Deadline) -> socket.socket:
    """A TCP connection.

    Raises:
        ConnectFailed, DeadlineExceeded: there is none.
    """
    limit = min(CONNECT_SECONDS, deadline.left)
    if limit <= 0:
        raise DeadlineExceeded(f"{where}: no time was left to connect")
    try:
        sock = socket.create_connection((address, port), timeout=limit)
    except OSError as error:
        reason = f"no answer within {limit:.0f} s" if isinstance(error, TimeoutError) else text_of(error)
        passing = isinstance(error, ConnectionError)
        raise ConnectFailed(f"{where}: no SSH connection: {reason}", passing=passing) from None
    # Nagle's algorithm would hold small packets back until the last one is acknowledged (RFC 896).
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def place(target: Target, port: int, through: str = "") -> str:
    """The machine, its address and port, and the way to it, for messages."""
    # One that only a jump host looks up has no address here.
    known = f"{target.address} port {port}" if target.address else f"port {port}"
    return f"{target.machine} ({known}{through and f' through {through}'})"


def open_connection(
    target: Target, keys: KnownHosts, deadline: Deadline, stream: Stream | None = None, where: str = ""
) -> Connection:
    """An encrypted connection whose host key nobody has verified yet.

    Args:
        stream: what it goes over; None is a TCP connection to the target.
        where: the target in messages.

    Raises:
        ConnectFailed: no connection, or no SSH server behind it.
    """
    port = target.port or DEFAULT_PORT
    where = where or place(target, port)
    connection = Connection(stream or tcp(target.address, port, where, deadline))
    limit = max(0.1, min(CONNECT_SECONDS, deadline.left))
    connection.banner_timeout = connection.handshake_timeout = connection.auth_timeout = limit
    connection.channel_timeout = limit
    options = connection.get_security_options()
    # Else the machine shows the key that the library likes best, which may not be the one on file.
    options.key_types = keys.algorithms(options.key_types)
    try:
        connection.start_client(timeout=limit)
        # It returns without a word when its time is up.
        connection.get_remote_server_key()
    except (paramiko.SSHException, EOFError, OSError) as error:
        why = text_of(error)
        if why == "No existing session":
            why = f"no answer within {limit:.0f} s"
        connection.close()
        text = f"{where}: connected, but no SSH session: {why}"
        incompatible = isinstance(error, paramiko.ssh_exception.IncompatiblePeer)
        offers = _offers(str(error), options, connection.ear) if incompatible else ""
        raise ConnectFailed(text + offers, passing=not incompatible) from None
    connection.ear.quiet()
    return connection


def text_of(error: BaseException) -> str:
    """What a library's error says, for the middle of a line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).rstrip(".") or type(error).__name__


def _offers(missing: str, options: paramiko.transport.SecurityOptions, ear: Ear) -> str:
    """What both sides offer of the kind of algorithm that ``missing`` says is not shared (RFC 4253, 7.1)."""
    kinds = {
        "kex": options.kex,
        "host key": options.key_types,
        "cipher": options.ciphers,
        "mac": options.digests,
    }
    kind = next((kind for kind in kinds if kind in missing.lower()), "")
    if not kind:
        return ""
    theirs = ear.offers(kind)
    machine = f"the machine offers {theirs}" if theirs else "what the machine offers shows: ssh -vv"
    return f"; this host offers {', '.join(kinds[kind])}; {machine}"
