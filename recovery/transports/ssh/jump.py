"""The way to a machine through jump hosts: each is verified and logged in to, one through the other.

As OpenSSH's ProxyJump does it: each host opens a TCP connection to the next one for us (``direct-tcpip``,
RFC 4254, 7.2), and what goes over it is encrypted for the next one. A jump host sees neither what is done on
the machine nor any credential but its own.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence

import paramiko

from imap4.deadline import Deadline
from imap4.hostnames import to_ascii
from recovery.errors import ConnectFailed, DeadlineExceeded, RecoveryError
from recovery.model import Credential, Hop, Target
from recovery.transports.scrubbed import scrubber_for
from recovery.transports.ssh.connection import (
    CONNECT_SECONDS,
    DEFAULT_PORT,
    Connection,
    Stream,
    open_connection,
    place,
    text_of,
)
from recovery.transports.ssh.known_hosts import KnownHosts
from recovery.transports.ssh.login import log_in

# RFC 4254, 5.1: the reasons why a channel is not opened.
_PROHIBITED, _CONNECT_FAILED = 1, 2
_CHUNK = 65536


class Way:
    """The jump hosts that we are logged in to, the first one first; without any, it is the network itself."""

    def __init__(self) -> None:
        self._hops: list[tuple[Hop, Connection]] = []

    @classmethod
    def open(cls, hops: Sequence[Hop], deadline: Deadline, known_hosts: Sequence[str] | None) -> Way:
        """Log in to all of ``hops``.

        Raises:
            RecoveryError: as :func:`reach`; the text says which of them it was.
        """
        way = cls()
        try:
            for number, hop in enumerate(hops, 1):
                with naming(number, len(hops)):
                    way.add(hop, reach(hop.target, hop.credential, way, deadline, known_hosts))
        except BaseException:
            way.close()
            raise
        return way

    def add(self, hop: Hop, connection: Connection) -> None:
        """Go on from ``hop``."""
        self._hops.append((hop, connection))

    def place(self, target: Target, default: int = DEFAULT_PORT) -> str:
        """``target`` at the end of this way, for messages."""
        return place(target, target.port or default, ", ".join(hop.target.machine for hop, _ in self._hops))

    def stream_to(self, target: Target, port: int, deadline: Deadline) -> Stream | None:
        """A connection to ``target`` through the last jump host; None where there is none on the way.

        Raises:
            ConnectFailed: the jump host refuses to forward, or does not reach the target.
        """
        if not self._hops:
            return None
        hop, connection = self._hops[-1]
        limit = min(CONNECT_SECONDS, deadline.left)
        if limit <= 0:
            raise DeadlineExceeded(f"{self.place(target, port)}: no time was left to connect")
        to = (target.address or to_ascii(target.machine), port)
        try:
            # The source is said for the other side's log (RFC 4254, 7.2); it is nobody's business.
            return connection.open_channel("direct-tcpip", to, ("127.0.0.1", 0), timeout=limit)
        except paramiko.ChannelException as error:
            raise _refused(error, hop, connection, self.place(target, port), f"{to[0]}:{to[1]}") from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            why = text_of(error)
            if "imeout" in why:
                why = f"no answer from there within {limit:.0f} s"
            raise ConnectFailed(
                f"{self.place(target, port)}: no connection: the jump host {hop.target.machine}: {why}",
                passing=not connection.is_active(),
            ) from None

    def socket_to(self, target: Target, port: int, deadline: Deadline) -> socket.socket:
        """As :meth:`stream_to`, as a socket of the kernel's, for what knows no other.

        No port is opened for it, so that nobody else can use it.
        """
        channel = self.stream_to(target, port, deadline)
        assert isinstance(channel, paramiko.Channel), "a way without jump hosts has no channels"
        ours, theirs = socket.socketpair()
        for args in ((channel, theirs), (theirs, channel)):
            threading.Thread(target=_pump, args=args, name="jump-pump", daemon=True).start()
        return ours

    def close(self) -> None:
        """Leave all of them, the last one first; never raises."""
        while self._hops:
            with contextlib.suppress(Exception):
                self._hops.pop()[1].close()


@contextlib.contextmanager
def naming(number: int, count: int) -> Iterator[None]:
    """Say in errors which jump host it was."""
    try:
        yield
    except RecoveryError as error:
        which = f"jump host {number} of {count}" if count > 1 else "jump host"
        error.args = (f"{which}: {error}", *error.args[1:])
        raise


def reach(
    target: Target,
    credential: Credential,
    way: Way,
    deadline: Deadline,
    known_hosts: Sequence[str] | None,
) -> Connection:
    """Connect by ``way``, verify the host key, log in; nothing secret is sent before the key is verified.

    Raises:
        ConnectFailed, HostKeyRejected, LoginFailed, DeadlineExceeded: with what to do about it.
    """
    port, where = target.port or DEFAULT_PORT, way.place(target)
    keys = KnownHosts.read(target.machine, port, known_hosts)
    connection = open_connection(target, keys, deadline, way.stream_to(target, port, deadline), where)
    try:
        host_key = connection.get_remote_server_key()
        certificate = host_key.public_blob.key_blob if host_key.public_blob else None
        keys.check(host_key.asbytes(), certificate)
        log_in(connection, credential, where, deadline)
    except BaseException:
        connection.close()
        raise
    return connection


def _refused(
    error: paramiko.ChannelException, hop: Hop, connection: Connection, where: str, to: str
) -> ConnectFailed:
    """Why a jump host did not connect us, and what to do."""
    machine = hop.target.machine
    said = scrubber_for(hop.credential).text(connection.ear.refusal())
    quoted = f" ({said})" if said else ""
    if error.code == _PROHIBITED:
        return ConnectFailed(
            f"{where}: the jump host {machine} refuses to forward connections to {to}{quoted}: its "
            "sshd_config (AllowTcpForwarding, PermitOpen, DisableForwarding) or the key's line in "
            "authorized_keys (restrict, permitopen) forbids it"
        )
    if error.code == _CONNECT_FAILED:
        why = said.lower() or "it did not say why"
        return ConnectFailed(
            f"{where}: no connection: the jump host {machine} does not reach {to}: {why}",
            passing="refused" in why,
        )
    said = f"{error.text}{quoted}"
    return ConnectFailed(f"{where}: the jump host {machine} opened no connection to {to}: {said}")


def _pump(source: Stream, sink: Stream) -> None:
    """Pass on what comes until its end, which is passed on too."""
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        sink.shutdown(socket.SHUT_WR)
