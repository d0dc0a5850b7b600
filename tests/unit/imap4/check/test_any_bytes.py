"""Whatever a server sends, the verdict is one clean line, and never a false OK."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import check_imap4

LINES = st.sampled_from(
    [
        b"* OK ready\r\n",
        b"* OKAY\r\n",
        b"* PREAUTH\r\n",
        b"* BYE [ALERT] gone\r\n",
        b"a1 OK done\r\n",
        b"a1 NO\r\n",
        b"zz OK\r\n",
        b"+ go\r\n",
        b"* CAPABILITY IMAP4rev1\r\n",
        b"\r\n",
        b"\n",
        b"* OK|x=1 [connect.refused]\n",
    ]
)
STREAMS = st.lists(LINES | st.binary(max_size=40), max_size=6).map(b"".join)

PASSING = re.compile(rb"\* (OK|PREAUTH)( [^\n]*)?\r?\n", re.IGNORECASE)
STATUS = re.compile(
    r"IMAP4 (OK|WARNING|CRITICAL) - 127\.0\.0\.1:\d+ [^|\[\]<>$`'\"\x00-\x1f]+"
    r"( \[[a-z]+\.[a-z_]+\])? \| (\w+=\d+\.\d{6}s;;;0;2 ?)+\n"
)


class Replay:
    """Answers every connection with the bytes that are set, whatever the client says, and closes."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.data = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with sock:
                sock.sendall(self.data)
                sock.shutdown(socket.SHUT_WR)
                sock.settimeout(2)
                try:
                    while sock.recv(4096):
                        pass
                except OSError:
                    pass


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    server = Replay()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(STREAMS)
@example(b"* OK\r\n* BYE\r\na1 OK\r\n")
@example(b"* PREAUTH\n* BYE\na1 OK\n")
@example(b"* OK [CAPABILITY\r\n")
@example(b"* OK")
def test_verdict_on_any_bytes(replay: Replay, data: bytes) -> None:
    replay.data = data
    code, output = check_imap4.main(["-H", "127.0.0.1", "-p", str(replay.port), "-t", "2"])
    assert STATUS.fullmatch(output), output
    assert code == ("OK", "WARNING", "CRITICAL").index(output.split()[1])
    if not PASSING.match(data):
        assert code == 2
    if code == 0:
        assert re.search(rb"(?i)\* BYE", data)
        assert re.search(rb"(?i)a1 OK", data)
