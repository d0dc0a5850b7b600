"""A port behind which no SSH session comes about: one line that says so, and nothing on standard error."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

OPEN = """
import sys
from imap4.deadline import Deadline
from recovery.errors import RecoveryError
from recovery.model import Target
from recovery.transports.ssh.known_hosts import KnownHosts
from recovery.transports.ssh.connection import open_connection
target = Target("mail7", "127.0.0.1", int(sys.argv[1]))
try:
    open_connection(target, KnownHosts([], "mail7", target.port), Deadline(20))
except RecoveryError as error:
    print(error)
"""

INCOMPATIBLE = "Incompatible ssh peer (no acceptable kex algorithm); this host offers "


def _kexinit() -> bytes:
    """A server's first packet that knows no algorithm of this world (RFC 4253, sections 6 and 7.1)."""
    names = b"".join(struct.pack(">I", 4) + b"none" for _ in range(10))
    payload = bytes([20]) + bytes(16) + names + bytes(5)
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (lambda: b"HTTP/1.1 400 Bad Request\r\n\r\n", "Error reading SSH protocol banner"),
        (
            lambda: b"SSH-2.0-other\r\n" + _kexinit(),
            INCOMPATIBLE,
        ),
        (lambda: b"", ""),
    ],
    ids=["speaks HTTP", "no common algorithm", "closes at once"],
)
def test_it_is_one_line_without_a_traceback(says: Callable[[], bytes], why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(says())
                if why == INCOMPATIBLE:
                    peer.settimeout(20)
                    while peer.recv(4096):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        done = subprocess.run(
            [sys.executable, "-c", OPEN, str(port)], capture_output=True, text=True, timeout=60
        )
        thread.join(30)
    [line] = done.stdout.splitlines()
    assert line.startswith(f"mail7 (127.0.0.1 port {port}): connected, but no SSH session: {why}")
    assert done.stderr == ""
