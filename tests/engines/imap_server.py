"""A fast IMAP4 server for many clients: ``python imap_server.py [--tls CERTIFICATE KEY] PORT [PORT ...]``.

A port of 0 is any. It prints its ports on one line, and on SIGUSR1 how many sessions it has ended. It is what
the checks are measured against, so it is spare: one thread, epoll, no parsing but for the tag.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import signal
import socket
import ssl
import sys

_GREETING = b"* OK IMAP4rev1 ready\r\n"
_ended = itertools.count()


def serve(ports: list[int], context: ssl.SSLContext | None = None) -> None:
    """Serve until killed; TLS from the start where there is a context."""
    epoll = select.epoll()
    listeners = {}
    for port in ports:
        listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        listener.setblocking(False)
        listeners[listener.fileno()] = listener
        epoll.register(listener, select.EPOLLIN)
    print(*(listener.getsockname()[1] for listener in listeners.values()), flush=True)
    clients: dict[int, socket.socket] = {}
    while True:
        for descriptor, _ in epoll.poll():
            if descriptor in listeners:
                _accept(listeners[descriptor], epoll, clients, context)
            else:
                _answer(descriptor, clients)


def _accept(
    listener: socket.socket,
    epoll: select.epoll,
    clients: dict[int, socket.socket],
    context: ssl.SSLContext | None,
) -> None:
    for _ in range(64):
        try:
            client, _ = listener.accept()
            client.setblocking(False)
            if context is not None:
                client = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
            else:
                client.send(_GREETING)
        except OSError:
            return
        clients[client.fileno()] = client
        epoll.register(client, select.EPOLLIN)


def _answer(descriptor: int, clients: dict[int, socket.socket]) -> None:
    client = clients[descriptor]
    try:
        if isinstance(client, ssl.SSLSocket) and client.version() is None:
            client.do_handshake()
            client.send(_GREETING)
        data = client.recv(4096)
    except ssl.SSLWantReadError:
        return
    except OSError:
        data = b""
    if data:
        # RFC 9051 section 6.1.3: the server closes the connection, as Dovecot does.
        with contextlib.suppress(OSError):
            client.send(b"* BYE logging out\r\n" + data.split()[0] + b" OK LOGOUT completed\r\n")
            if isinstance(client, ssl.SSLSocket):
                client.unwrap()
    clients.pop(descriptor).close()
    next(_ended)


def _tell(*_: object) -> None:
    # A counter's repr is count(N): reading it so does not move it.
    print(repr(_ended)[6:-1], flush=True)


def main(words: list[str]) -> None:
    signal.signal(signal.SIGUSR1, _tell)
    context = None
    if words[0] == "--tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(words[1], words[2])
        words = words[3:]
    serve([int(word) for word in words], context)


if __name__ == "__main__":
    main(sys.argv[1:])
