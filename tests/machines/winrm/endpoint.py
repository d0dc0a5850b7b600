"""A WinRM endpoint on loopback: HTTP or HTTPS, real authentication, sealed messages, shells, misbehaviour."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.machines.winrm import shells, soap
from tests.machines.winrm.logon import Accounts, Logon
from tests.machines.winrm.trouble import Trouble


@dataclass
class Exchange:
    """What a trouble may touch: the connection, and the event that says the test is over."""

    socket: socket.socket
    stopped: threading.Event
    go_on: bool = False

    def send(self, data: bytes) -> None:
        """Send raw bytes; quietly stops where the client has gone."""
        try:
            self.socket.sendall(data)
        except OSError:
            self.stopped = threading.Event()
            self.stopped.set()


@dataclass
class Endpoint:
    """The listener of one machine, what it was asked, and where it misbehaves."""

    accounts: Accounts
    shells: shells.Shells
    tls: ssl.SSLContext | None = None
    certificate: bytes | None = None
    """The server certificate in DER, for channel bindings."""
    troubles: dict[str, Trouble] = field(default_factory=dict)
    """By action (Create ... Delete), ``Logon`` for every request before it is authenticated, ``Accept``."""
    faults: dict[str, soap.Fault] = field(default_factory=dict)
    """By action: the fault to answer with."""
    once: dict[str, list[soap.Fault]] = field(default_factory=dict)
    """By action: faults that are answered with first, one each."""
    late_certificate: bool = False
    """Ask for the client's certificate only when a request has come, as TLS 1.3 servers do."""
    answer_unsealed: bool = False
    """Answer sealed requests in the clear, as somebody in the middle would."""
    actions: list[str] = field(default_factory=list)
    """Every action in order, as it was asked for."""
    unencrypted: int = 0
    """How many SOAP messages came unencrypted over HTTP."""
    connections: int = 0
    host: str = "127.0.0.1"
    port: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    _server: _Server | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[Endpoint]:
        """Serve until the block ends."""
        self.open_again()
        try:
            yield self
        finally:
            self.shut()

    def open_again(self) -> None:
        """Listen, on the port that it had before if it had one."""
        self._server = _Server((self.host, self.port), self)
        self.port = self._server.server_address[1]
        self.stopped = threading.Event()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def shut(self) -> None:
        """Go away, as a machine does that goes down: shells end, connections are cut."""
        self.stopped.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.drop_all()
        self.shells.end_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.sockets: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        sock, peer = super().get_request()
        # Else each answer, sent as head and body, waits 40 ms for the client's acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.endpoint.connections += 1
        return sock, peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""

    def shutdown_request(self, request: Any) -> None:
        """Close, and send no FIN first: a trouble may want an RST."""
        self.close_request(request)

    def drop_all(self) -> None:
        """End every connection, as a machine that goes down does."""
        for sock in list(self.sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Microsoft-HTTPAPI/2.0"
    sys_version = ""
    server: _Server

    def setup(self) -> None:
        endpoint = self.server.endpoint
        self.endpoint = endpoint
        if "Accept" in endpoint.troubles and not self._trouble("Accept"):
            raise ConnectionAbortedError
        peer = None
        if endpoint.tls is not None:
            self.request = endpoint.tls.wrap_socket(self.request, server_side=True)
            peer = self.request.getpeercert(True)
        self.server.sockets.add(self.request)
        self.logon = Logon(endpoint.accounts, server_certificate=endpoint.certificate, peer=peer)
        super().setup()

    def finish(self) -> None:
        """The TLS socket is ours to close; the server knows only the one beneath."""
        with contextlib.suppress(OSError):
            super().finish()
        self.server.sockets.discard(self.request)
        self.request.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        """One exchange."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.startswith("/wsman"):
            self._send(404, b"")
            return
        if self.endpoint.late_certificate and self.logon.peer is None:
            self._ask_for_certificate()
        if self.logon.user is None and not self._trouble("Logon"):
            return
        answer = self.logon.check(self.headers.get("Authorization") or "")
        if answer.user is None:
            self._send(401, b"", *answer.headers)
        elif not body:
            self._send(200, b"", *answer.headers)
        else:
            self._answer(body, answer.user, answer.headers)

    def _ask_for_certificate(self) -> None:
        """Authentication after the handshake (RFC 8446, 4.6.2): the client answers while it waits for us."""
        assert isinstance(self.request, ssl.SSLSocket)
        self.request.verify_client_post_handshake()
        self.request.settimeout(0.2)
        for _ in range(50):
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                self.request.do_handshake()
                self.request.recv(1)
            self.logon.peer = self.request.getpeercert(True)
            if self.logon.peer:
                break
        self.request.settimeout(None)

    def _answer(self, body: bytes, user: str, headers: tuple[tuple[str, str], ...]) -> None:
        content_type = self.headers.get("Content-Type") or ""
        sealed = self.logon.seals and content_type.startswith("multipart/")
        try:
            message = self.logon.unseal(content_type, body) if sealed else body
            if not sealed and self.endpoint.tls is None:
                # AllowUnencrypted is false on every Windows that nobody weakened.
                self.endpoint.unencrypted += 1
                raise ValueError("unencrypted")
            request = soap.read(message)
        except ValueError:
            self._send(500, b"")
            return
        self.endpoint.actions.append(request.action)
        if not self._trouble(request.action):
            return
        status, reply = self._reply(request, user, len(message))
        if sealed and not self.endpoint.answer_unsealed:
            kind, reply = self.logon.seal(reply)
        else:
            kind = "application/soap+xml;charset=UTF-8"
        self._send(status, reply, ("Content-Type", kind), *headers)

    def _reply(self, request: soap.Request, user: str, size: int) -> tuple[int, bytes]:
        try:
            if size > shells.MAX_ENVELOPE:
                raise soap.Fault(soap.ENCODING_LIMIT, "w:EncodingLimit", "The request was too large.")
            if once := self.endpoint.once.get(request.action):
                raise once.pop(0)
            if fault := self.endpoint.faults.get(request.action):
                raise fault
            return 200, self.endpoint.shells.answer(request, user)
        except soap.Fault as fault:
            return 500, soap.faulted(fault, request.message_id)

    def _trouble(self, where: str) -> bool:
        """Run the trouble that a test put there; whether to go on as usual."""
        trouble = self.endpoint.troubles.get(where)
        if trouble is None:
            return True
        exchange = Exchange(self.request, self.endpoint.stopped)
        trouble(exchange)
        self.close_connection = not exchange.go_on
        return exchange.go_on

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def fingerprint(certificate: bytes) -> bytes:
    """What :class:`Accounts` knows a client certificate in DER by."""
    return hashlib.sha256(certificate).digest()
