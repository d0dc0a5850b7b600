"""Ways to misbehave, on the socket and in HTTP. An endpoint runs one where a test put it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.machines.winrm.endpoint import Exchange

Trouble = Callable[["Exchange"], None]
"""Is handed the exchange instead of an answer; the connection ends after it."""


def reset(exchange: Exchange) -> None:
    """Cut the connection with RST."""
    exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close(exchange: Exchange) -> None:
    """Close without an answer."""


def silence(exchange: Exchange) -> None:
    """Never answer."""
    exchange.stopped.wait()


def trickle(exchange: Exchange) -> None:
    """A good HTTP head, then a byte of the body every 50 ms."""
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 100000\r\n\r\n")
    while not exchange.stopped.wait(0.05):
        exchange.send(b" ")


def trickle_head(exchange: Exchange) -> None:
    """A byte of the HTTP head every 50 ms."""
    exchange.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not exchange.stopped.wait(0.05):
        exchange.send(b"x")


def truncate(exchange: Exchange) -> None:
    """A chunked body that ends in its middle."""
    exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"400\r\n<s:Envelope"
    )


def flood(exchange: Exchange) -> None:
    """A body without an end, as fast as it goes."""
    exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nContent-Length: 99999999999\r\n\r\n"
    )
    while not exchange.stopped.is_set():
        exchange.send(b" " * 65536)


def answer(status: int, body: str = "", *headers: tuple[str, str]) -> Trouble:
    """A plain HTTP answer, as from something that is not WinRM, or from a proxy."""

    def run(exchange: Exchange) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body.encode())}"]
        lines += [f"{name}: {value}" for name, value in headers]
        exchange.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    return run


def after(count: int, then: Trouble) -> Trouble:
    """Let ``count`` exchanges pass before ``then``."""
    left = [count]
    lock = threading.Lock()

    def run(exchange: Exchange) -> None:
        with lock:
            left[0] -= 1
            passed = left[0] >= 0
        if passed:
            exchange.go_on = True
        else:
            then(exchange)

    return run
