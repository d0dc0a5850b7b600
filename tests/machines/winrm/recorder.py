"""A relay on loopback that keeps every byte that crosses it: what somebody on the network would see."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Recording:
    """Both directions of every connection, in the order of arrival."""

    port: int = 0
    sent: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)

    @property
    def everything(self) -> bytes:
        return bytes(self.sent + self.answered)


@contextlib.contextmanager
def recorded(port: int) -> Iterator[Recording]:
    """Relay to ``port`` on 127.0.0.1 until the block ends."""
    recording = Recording()
    with socket.create_server(("127.0.0.1", 0)) as server:
        recording.port = server.getsockname()[1]
        threading.Thread(target=_accept, args=(server, port, recording), daemon=True).start()
        try:
            yield recording
        finally:
            # Wakes the thread that waits in accept().
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, port: int, recording: Recording) -> None:
    while True:
        try:
            near, _ = server.accept()
        except OSError:
            return
        far = socket.create_connection(("127.0.0.1", port))
        for source, sink, kept in ((near, far, recording.sent), (far, near, recording.answered)):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_copy, args=(source, sink, kept), daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            kept += data
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
