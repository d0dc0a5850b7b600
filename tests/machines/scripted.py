"""A server on loopback that behaves as a script tells it, one connection after the other.

A script is a function that gets a Peer. Used for everything that no real server can be made to do.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self.socket = sock
        self.stopped = stopped
        self._buffer = b""

    def send(self, data: str | bytes) -> None:
        """Send; a text's line ends are its own."""
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def line(self) -> str:
        """The client's next line without its end; empty where it has closed."""
        while b"\n" not in self._buffer:
            data = self.socket.recv(4096)
            if not data:
                return ""
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode().removesuffix("\r")

    def read(self, size: int) -> bytes:
        """So many bytes; fewer where the client has closed."""
        while len(self._buffer) < size and (data := self.socket.recv(4096)):
            self._buffer += data
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def command(self) -> tuple[str, str]:
        """The client's next command: its tag, and the rest."""
        tag, _, rest = self.line().partition(" ")
        return tag, rest

    def logout(self) -> None:
        """Answer LOGOUT as the RFCs want it."""
        tag, command = self.command()
        if command.upper() == "LOGOUT":
            self.send(f"* BYE logging out\r\n{tag} OK LOGOUT completed\r\n")

    def wait(self) -> None:
        """Do nothing until the test is over, or the client has closed."""
        self.socket.settimeout(0.1)
        while not self.stopped.is_set():
            try:
                if not self.socket.recv(4096):
                    return
            except TimeoutError:
                continue

    def pause(self, seconds: float) -> None:
        """Let time pass, unless the test is over."""
        self.stopped.wait(seconds)

    def drip(self, data: bytes, every: float = 0.1) -> None:
        """Send one byte after the other for as long as the client stays."""
        while not self.stopped.is_set():
            for byte in data:
                self.socket.sendall(bytes([byte]))
                if self.stopped.wait(every):
                    return

    def flood(self, data: bytes) -> None:
        """Send without end, as fast as the client reads."""
        while not self.stopped.is_set():
            self.socket.sendall(data)

    def reset(self) -> None:
        """Close with a TCP reset."""
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands as the server."""
        self.socket = context.wrap_socket(self.socket, server_side=True)


Script = Callable[[Peer], None]


class ScriptedServer:
    """Listens on an address of the loopback network and runs the script for every connection."""

    def __init__(
        self, script: Script, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=64)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.resets = 0
        """Connections that the client ended with a reset instead of closing them."""
        self._script = script
        self._tls = tls
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> ScriptedServer:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        end = time.monotonic() + 5
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(30)
        peer = Peer(sock, self._stopped)
        try:
            if self._tls is not None:
                peer.start_tls(self._tls)
            self._script(peer)
        except ConnectionResetError:
            self.resets += 1
        except (OSError, ValueError):
            pass  # the client has gone, or did not like what it got
        finally:
            with contextlib.suppress(OSError):
                peer.socket.close()


def good(peer: Peer) -> None:
    """A server as it should be."""
    peer.send("* OK IMAP4rev1 ready\r\n")
    peer.logout()


@contextlib.contextmanager
def closed_port(host: str = "127.0.0.1") -> Iterator[int]:
    """A port that refuses connections: bound, so that nobody else gets it, but not listening."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        yield sock.getsockname()[1]
