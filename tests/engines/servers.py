"""IMAP4 servers on loopback that fail at will, one for each monitor, and who saw what."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence

OK, BYE, SILENT, MARKUP = "ok", "bye", "silent", "markup"
HOSTILE_BYE = (
    b"* BYE <script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    b"</td></table>|x=1 $HOME$ `id`\r\n"
)


class Scripted:
    """A server that treats the tests one after the other as a list says; after its end all is well.

    That makes an outage of a known number of failing tests, whenever the engine makes them.
    """

    def __init__(self, script: Sequence[str]) -> None:
        self._script = list(script)
        self._lock = threading.Lock()
        self.tests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and wait until nobody does: a thread in accept would take what is opened next."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes it
        self._thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                mode = self._script[self.tests] if self.tests < len(self._script) else OK
                self.tests += 1
            threading.Thread(target=self._serve, args=(connection, mode), daemon=True).start()

    @staticmethod
    def _serve(connection: socket.socket, mode: str) -> None:
        with connection, connection.makefile("rb") as lines:
            connection.settimeout(60)
            try:
                if mode == OK:
                    connection.sendall(b"* OK ready\r\n")
                    tag = lines.readline(1000).split(b" ")[0]
                    connection.sendall(b"* BYE bye\r\n" + tag + b" OK done\r\n")
                elif mode == BYE:
                    connection.sendall(b"* BYE no service today\r\n")
                elif mode == MARKUP:
                    connection.sendall(HOSTILE_BYE)
                lines.read(1000)
            except OSError:
                return
