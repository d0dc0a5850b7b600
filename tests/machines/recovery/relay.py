"""A network between us and the machine that can lose packets or be cut."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading

from tests.machines.recovery.machine import ADDRESS


class Relay:
    """Passes one or more TCP connections on to ``port``, until it is told to do otherwise."""

    def __init__(self, port: int) -> None:
        self._server = socket.create_server((ADDRESS, 0))
        self.port: int = self._server.getsockname()[1]
        self._to = port
        self.hang_ups = 0
        """How many of the next connections are reset as soon as they are made."""
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._dropping = threading.Event()
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(OSError):
                near, _ = self._server.accept()
                if self.hang_ups:
                    self.hang_ups -= 1
                    # Nothing lingers: the other side is told by a reset.
                    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    near.close()
                    continue
                far = socket.create_connection((ADDRESS, self._to))
                self._pairs.append((near, far))
                threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while not self._dropping.is_set():
                for sock in select.select([near, far], [], [], 0.05)[0]:
                    data = sock.recv(65536)
                    if not data:
                        return
                    (far if sock is near else near).sendall(data)

    def lead_to(self, port: int) -> None:
        """Pass new connections on to another port, as an address that moves to another machine does."""
        self._to = port

    @property
    def connections(self) -> int:
        """How many connections were taken so far."""
        return len(self._pairs)

    def drop_packets(self) -> None:
        """From now on nothing passes, and nobody is told."""
        self._dropping.set()

    def cut(self) -> None:
        """Break all connections."""
        for pair in self._pairs:
            for sock in pair:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()

    def close(self) -> None:
        self._closed.set()
        self.cut()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
