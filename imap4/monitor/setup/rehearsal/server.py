"""An IMAP server on loopback that is well, or refuses connections."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

ADDRESS = "127.0.0.1"
_PATIENCE = 10.0


class Server:
    """One server. It keeps its port while it is broken, so that nobody else answers there."""

    def __init__(self) -> None:
        self._socket = self._bound(0)
        self._thread: threading.Thread | None = None
        self.served = 0
        """How many tests went through to their LOGOUT."""
        self.port: int = self._socket.getsockname()[1]

    @staticmethod
    def _bound(port: int) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((ADDRESS, port))
        return made

    def mend(self) -> None:
        """Answer from now on."""
        self._socket.listen(16)
        self._thread = threading.Thread(target=self._serve, args=(self._socket,), daemon=True)
        self._thread.start()

    def break_(self) -> None:
        """Refuse connections from now on: the port is bound, but nobody listens."""
        # A socket that listens cannot stop to: another one takes the port over, once the thread has let go.
        self.close()
        self._socket = self._bound(self.port)

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._thread is not None:
            self._thread.join(_PATIENCE)
            self._thread = None

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        """Greet, and take LOGOUT (RFC 3501, sections 7.1 and 6.1.3)."""
        with suppress(OSError), connection:
            connection.settimeout(_PATIENCE)
            connection.sendall(b"* OK a server for a rehearsal\r\n")
            with connection.makefile("rb") as lines:
                tag, _, command = lines.readline(1000).strip().partition(b" ")
            connection.sendall(b"* BYE until later\r\n" + tag + b" OK done\r\n")
            self.served += command.upper() == b"LOGOUT"
