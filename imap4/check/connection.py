"""A connection that knows its deadline: connect, TLS, read a line, write, close safely."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from imap4.causes import Failed
from imap4.check.protocol import looks_like
from imap4.deadline import Deadline
from imap4.resolver import Address
from imap4.text import clean

if TYPE_CHECKING:
    import ssl

CLOSING_GRACE = 0.25
"""Seconds that a peer gets to close its side after us; it does not count as part of the test."""

HURRIED_GRACE = 0.1
"""The same where the test's time is already over."""

_RECEIVE = 4096
_MAX_DIALOGUE = 100
_MAX_SHOWN = 4096
"""Bytes of a line that are kept for ``-vvv``, which shows less."""

RESET = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE)


class Connection:
    """An open connection to one address.

    Every method works under the deadline that it was made with, and raises Failed with a cause that
    begins with the phase that it was called for.
    """

    def __init__(self, sock: socket.socket, address: Address, deadline: Deadline) -> None:
        self.address = address
        self.deadline = deadline
        self.dialogue: list[tuple[str, bytes]] = []
        """``C`` or ``S`` and the line, for ``-vvv``; at most 100, secrets left out."""
        self.scrub: Callable[[bytes], bytes] = bytes
        """Takes the secrets that were sent out of what is shown; set before they are."""
        self._socket = sock
        self._buffer = bytearray()
        self._greeted = False
        self._unproven = False
        """Whether TLS 1.3 has begun and nothing has come since: the server may refuse us yet."""

    @property
    def tls_socket(self) -> ssl.SSLSocket | None:
        """The socket, once it speaks TLS."""
        return self._socket if hasattr(self._socket, "cipher") else None  # type: ignore[return-value]

    def announce(self, version: int) -> None:
        """Send the PROXY protocol's header, with this end of the connection as the client."""
        from imap4.check.proxy import header

        sock = self._socket
        data = header(version, sock.family, sock.getsockname(), sock.getpeername())
        self.send("greeting", data, None if version == 1 else b"PROXY header, version 2\r\n")

    def start_tls(self, context: ssl.SSLContext, server_name: str | None) -> None:
        """Shake hands; ``tls.*`` causes."""
        from imap4.check.tls import handshake as tls

        self._socket = tls.wrap(context, self._socket, server_name)
        tls.shake_hands(self._socket, self.deadline)
        self._unproven = self._socket.version() == "TLSv1.3"  # asked now: where all is over, it is None

    def read_line(self, phase: str, limit: int) -> bytes:
        """Read one line, its end included.

        Args:
            phase: begins the cause of a failure.
            limit: bytes that the line may have.

        Raises:
            Failed: ``.timeout``, ``.closed``, ``.too_long``; ``connect.reset`` before the first line.
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0 and len(self._buffer) <= limit:
            searched = len(self._buffer)
            data = self._receive(phase)
            if not data:
                raise self._closed(phase)
            self._buffer += data
        if end < 0 or end >= limit:
            raise self._too_long(phase, limit)
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        self._note("S", line)
        self._greeted = True
        return line

    def send(self, phase: str, data: bytes, shown: bytes | None = None) -> None:
        """Write ``data``; the dialogue keeps ``shown`` in its place, for secrets."""
        self._note("C", data if shown is None else shown)
        self._socket.settimeout(self._time(phase))
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise self._timeout(phase) from None
        except OSError as error:
            # Where the peer hung up, what it said before tells more: that is for read_line to find. After
            # a TLS 1.3 handshake that may be why it refuses our certificate.
            if not self._is_gone(error):
                raise Failed(f"{phase}.closed", f"connection lost: {strerror(error)}") from None

    def injected(self) -> bool:
        """Whether anything is waiting that the server sent before it may have."""
        if self._buffer:
            return True
        self._socket.settimeout(0)
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def close(self) -> None:
        """End the connection without a reset where that can be: close_notify, FIN, read on until FIN.

        A peer that does not close its side, or leaves out its close_notify, is left after a short
        grace. Never raises.
        """
        grace = Deadline(HURRIED_GRACE if self.deadline.expired else CLOSING_GRACE)
        sock = self._socket
        with sock:
            try:
                if self.tls_socket is not None:
                    self._close_tls(grace)
                sock.shutdown(socket.SHUT_WR)
                for _ in range(64):
                    sock.settimeout(max(grace.left, 0.001))
                    if not sock.recv(_RECEIVE):
                        break
            except (OSError, ValueError):
                pass

    def _close_tls(self, grace: Deadline) -> None:
        assert self.tls_socket is not None
        self.tls_socket.settimeout(grace.left)
        try:
            self.tls_socket.unwrap()
        except (OSError, ValueError):
            # No close_notify from the peer, or none before the grace is over: both are fine.
            return

    def _receive(self, phase: str) -> bytes:
        self._socket.settimeout(self._time(phase))
        try:
            data = self._socket.recv(_RECEIVE)
            self._unproven = self._unproven and not data
            return data
        except TimeoutError:
            raise self._timeout(phase) from None
        except OSError as error:
            if not self._is_gone(error):
                raise self._lost(phase, error) from None
            if not self._greeted and not self._buffer:
                raise Failed("connect.reset", "connection reset before the greeting") from None
            raise self._refused() or Failed(f"{phase}.closed", f"connection reset{_before(phase)}") from None

    def _is_gone(self, error: OSError) -> bool:
        """Whether the peer has closed or reset the connection."""
        if error.errno in RESET:
            return True
        if self.tls_socket is None:
            return False
        from imap4.check.tls import handshake as tls

        return tls.hung_up(error)

    def _lost(self, phase: str, error: OSError) -> Failed:
        """The failure of a connection that ended for a reason of its own."""
        explained = None
        if self.tls_socket is not None:
            from imap4.check.tls import handshake as tls

            explained = tls.explained(error, self.tls_socket)
        return explained or Failed(f"{phase}.closed", f"connection lost: {strerror(error)}")

    def _closed(self, phase: str) -> Failed:
        half = f" after half a line: {self._said()}" if self._buffer else ""
        self._note("S", bytes(self._buffer))
        return self._refused() or Failed(f"{phase}.closed", f"connection closed{half or _before(phase)}")

    def _refused(self) -> Failed | None:
        """The failure where the server hung up instead of finishing a TLS 1.3 handshake after STARTTLS.

        The client is done with it before the server has looked at the client's certificate. A server that
        took it goes on with a ticket (RFC 8446 section 4.6.1); Courier closes without a word.
        """
        sock = self.tls_socket
        if sock is None or not (self._unproven and self._greeted):
            return None
        if sock.session is not None and sock.session.has_ticket:
            return None
        text = "the server closed the connection right after the TLS handshake"
        hint = "so do servers that want a client certificate (--client-cert); else see the server's log"
        return Failed("starttls.closed", text, hint=hint)

    def _too_long(self, phase: str, limit: int) -> Failed:
        self._note("S", bytes(self._buffer))
        if phase == "greeting":
            return Failed("greeting.too_long", f"no line end within {limit} bytes: {self._said()}")
        return Failed(f"{phase}.too_long", f"endless answer to {phase.upper()}: {self._said()}")

    def _time(self, phase: str) -> float:
        left = self.deadline.left
        if left <= 0:
            raise self._timeout(phase)
        return left

    def _timeout(self, phase: str) -> Failed:
        half = f", only half a line: {self._said()}" if self._buffer else ""
        waited_for = _AWAITED.get(phase, f"answer to {phase.upper()}")
        text = f"no {waited_for} within {self.deadline.seconds:g} s{half}"
        return Failed(f"{phase}.timeout", text, out_of_time=True)

    def _said(self) -> str:
        start = self.scrub(bytes(self._buffer))[:400]
        return (not self._greeted and looks_like(start)) or clean(start)

    def _note(self, who: str, line: bytes) -> None:
        if line and len(self.dialogue) < _MAX_DIALOGUE:
            self.dialogue.append((who, self.scrub(line)[:_MAX_SHOWN]))


_AWAITED = {"greeting": "greeting"}


def _before(phase: str) -> str:
    return f" before the {_AWAITED.get(phase, f'answer to {phase.upper()}')}"


def strerror(error: OSError) -> str:
    """What the operating system or OpenSSL says, for a line."""
    # OpenSSL's errors end with a place in Python's source.
    text = (error.strerror or str(error)).partition(" (_ssl.c:")[0]
    return clean(text[:1].lower() + text[1:])
