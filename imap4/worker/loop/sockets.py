"""Sockets whose waits let other tasks run. To the probe they look like any socket with a time-out."""

from __future__ import annotations

import errno
import functools
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

from greenlet import getcurrent

from imap4.deadline import Deadline
from imap4.network import Network
from imap4.worker.loop.hub import FOREVER, HUNG_UP, READ, WRITE, Hub, Task
from imap4.worker.loop.threads import Pool

_T = TypeVar("_T")
_R = TypeVar("_R")


class _Waiting:
    """What plain sockets and TLS sockets share. Not set up by ``__init__``: ssl makes its sockets itself."""

    hub: Hub
    _task: Any = None
    _wanted = 0
    _limit: float | None = None

    def settimeout(self, seconds: float | None) -> None:
        """Kept here; the descriptor itself never blocks."""
        self._limit = seconds

    def gettimeout(self) -> float | None:
        """What ``settimeout`` was told."""
        return self._limit

    def on_events(self, events: int) -> None:
        """Epoll has seen something."""
        task = self._task
        if task is not None and events & self._wanted:
            self._task = None
            task.switch(True)

    def wait(self, events: int, until: float) -> None:
        """Let others run until there is an event; TimeoutError where the time is over first."""
        self._task, self._wanted = getcurrent(), events
        try:
            if not self.hub.pause(until):
                # As Python's own: without an errno, which a time-out of the kernel's would have.
                raise TimeoutError("timed out")
        finally:
            self._task = None

    def until(self) -> float:
        """When the operation that begins now must be done."""
        if self._limit is None:
            return FOREVER
        return time.monotonic() + self._limit


class Socket(_Waiting, socket.socket):
    """A plain socket."""

    _readable = False
    _ended = False
    _born = -1

    def __init__(self, hub: Hub, family: int, kind: int, descriptor: int | None = None) -> None:
        # Asked for here, it spares a system call.
        socket.socket.__init__(self, family, kind | socket.SOCK_NONBLOCK, 0, descriptor)
        self.hub = hub
        self.owner: Task = getcurrent()
        self.owner.sockets.add(self)
        self._watched = 0

    @classmethod
    def adopt(cls, hub: Hub, descriptor: int) -> Socket:
        """Make one of a connected Unix socket's descriptor."""
        sock = cls(hub, socket.AF_UNIX, socket.SOCK_STREAM, descriptor)
        socket.socket.setblocking(sock, False)
        sock._watched = descriptor
        hub.watch(descriptor, sock)
        return sock

    def wait_readable(self) -> None:
        """Let others run until ``recv_now`` may find something."""
        if not self._readable:
            self.wait(READ, FOREVER)

    def recv_now(self, size: int) -> bytes | None:
        """What is there; None where nothing is."""
        try:
            data = socket.socket.recv(self, size)
        except BlockingIOError:
            self._readable = False
            return None
        if len(data) < size and not self._ended:
            self._readable = False
        return data

    def peek_now(self, size: int) -> bytes | None:
        """What is there, left there; None where nothing is."""
        try:
            return socket.socket.recv(self, size, socket.MSG_PEEK)
        except BlockingIOError:
            self._readable = False
            return None

    def send_now(self, data: bytes) -> int:
        """How much of ``data`` was taken at once; 0 also where the peer is gone."""
        try:
            return socket.socket.send(self, data)
        except OSError:
            return 0

    def on_events(self, events: int) -> None:
        if self._born == self.hub.round:
            return  # an event of the descriptor's previous owner, who has closed it in this very round
        if events & READ:
            self._readable = True
            self._ended = self._ended or bool(events & HUNG_UP)
        super().on_events(events)

    def connect(self, address: Any) -> None:
        until = self.until()
        # Registered after connect(2): before it, epoll tells of a hang-up (EPOLLHUP) at once.
        code = self.connect_ex(address)
        self._watched = self.fileno()
        self.hub.watch(self._watched, self)
        self._born = self.hub.round
        while code in (errno.EINPROGRESS, errno.EALREADY):
            self.wait(WRITE, until)
            # Nothing but an error makes it worth asking.
            code = self.connect_ex(address) if self._ended else 0
        if code not in (0, errno.EISCONN):
            raise OSError(code, os.strerror(code))

    def recv(self, size: int, flags: int = 0) -> bytes:
        # Where epoll has not told of anything, asking the kernel would be in vain.
        if not self._readable and self._limit != 0:
            self.wait(READ, self.until())
        while True:
            try:
                data = socket.socket.recv(self, size, flags)
            except BlockingIOError:
                self._readable = False
                if self._limit == 0:
                    raise
                self.wait(READ, self.until())
                continue
            # Less than was asked for means that the kernel has no more, and will tell of more: epoll(7).
            if len(data) < size and not (flags or self._ended):
                self._readable = False
            return data

    def sendall(self, data: Any, flags: int = 0) -> None:
        sent = self._send(data)
        if sent < len(data):
            until, rest = self.until(), memoryview(data)[sent:]
            while rest:
                self.wait(WRITE, until)
                rest = rest[self._send(rest) :]

    def _send(self, data: Any) -> int:
        try:
            return socket.socket.send(self, data)
        except BlockingIOError:
            return 0

    def detach(self) -> int:
        self.owner.sockets.discard(self)
        return socket.socket.detach(self)

    def close(self) -> None:
        self.owner.sockets.discard(self)
        if self._watched:
            self.hub.unwatch(self._watched)
            self._watched = 0
        socket.socket.close(self)


def tls_socket(hub: Hub) -> type[ssl.SSLSocket]:
    """The class of sockets for ``SSLContext.sslsocket_class``."""

    class TlsSocket(_Waiting, ssl.SSLSocket):
        """Every operation is tried first, since TLS may have read ahead, and waits where it must."""

        def settimeout(self, seconds: float | None) -> None:
            # ssl.py makes its socket anew from the descriptor, and that takes it for a blocking one.
            if socket.socket.gettimeout(self) != 0:
                socket.socket.settimeout(self, 0)
            super().settimeout(seconds)

        def _until_done(self, operation: Callable[..., Any], *args: Any) -> Any:
            until = self.until()
            while True:
                try:
                    return operation(self, *args)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError) as error:
                    if self._limit == 0:
                        raise
                    self._take_over()
                    self.wait(WRITE if isinstance(error, ssl.SSLWantWriteError) else READ, until)

        def _take_over(self) -> None:
            """Epoll knows the descriptor from the plain socket already."""
            descriptor = self.fileno()
            if self.hub.watchers.get(descriptor) is not self:
                self.hub.watchers[descriptor] = self
                self.owner: Task = getcurrent()
                self.owner.sockets.add(self)

        def do_handshake(self, block: bool = False) -> None:
            self._until_done(ssl.SSLSocket.do_handshake)

        def recv(self, size: int = 1024, flags: int = 0) -> bytes:
            data: bytes = self._until_done(ssl.SSLSocket.recv, size, flags)
            return data

        def sendall(self, data: Any, flags: int = 0) -> None:
            rest = memoryview(data)
            while rest:
                rest = rest[self._until_done(ssl.SSLSocket.send, rest, flags) :]

        def unwrap(self) -> socket.socket:
            plain: socket.socket = self._until_done(ssl.SSLSocket.unwrap)
            return plain

        def close(self) -> None:
            descriptor = self.fileno()
            if self.hub.watchers.get(descriptor) is self:
                self.owner.sockets.discard(self)
                self.hub.unwatch(descriptor)
            ssl.SSLSocket.close(self)

    TlsSocket.hub = hub
    return TlsSocket


def network(hub: Hub, resolvers: Pool) -> Network:
    """The surroundings of a probe that runs as a task."""

    def apart(function: Callable[[], None], deadline: Deadline) -> None:
        resolvers.run(function, hub, time.monotonic() + deadline.left)

    def each(function: Callable[[_T], _R], items: list[_T]) -> list[_R]:
        results: dict[int, _R | BaseException] = {}
        caller: Task = getcurrent()
        caller.reusable = False
        waits = [caller]

        def one(index: int) -> None:
            try:
                results[index] = function(items[index])
            except BaseException as error:  # told to the caller, as a thread pool would
                results[index] = error
            if len(results) == len(items) and waits:
                woken = waits.pop()
                hub.post(lambda: woken.switch(True))

        for index in range(len(items)):
            hub.spawn(functools.partial(one, index), caller.kill_at)
        try:
            hub.pause(FOREVER)
        finally:
            waits.clear()
        found: list[_R] = []
        for _, result in sorted(results.items(), key=lambda item: item[0]):
            if isinstance(result, BaseException):
                raise result
            found.append(result)
        return found

    return Network(lambda family, kind: Socket(hub, family, kind), apart, each)
