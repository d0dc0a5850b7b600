"""The connection to the core: registers, reads jobs, writes answers, and comes back when it is lost."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable

from .. import wproc
from .dispatcher import Dispatcher
from .hub import Hub
from .journal import NOWHERE, Journal, Noted
from .settings import Settings
from .sockets import Socket

_REGISTRATION = 5.0
"""Seconds that the core gets to answer a registration."""

_RETRY, _RETRY_MAX = 0.25, 5.0
_READ = 256 * 1024
_MAX_MESSAGE = 16 * 1024 * 1024

_IN_PROCESS_ATTEMPTS = 2
"""How often a job is begun in a process before it is suspected of ending it, and run as a program."""

_MAX_ATTEMPTS = 5


class Link:
    """One worker's registration. Everything happens in the hub."""

    def __init__(
        self,
        hub: Hub,
        dispatcher: Dispatcher,
        journal: Journal,
        settings: Settings,
        held: int | None,
        tell: Callable[[bytes, int | None], None],
    ) -> None:
        """
        Args:
            held: descriptor of a connection that a predecessor has registered.
            tell: tells the supervisor ``H`` and a descriptor to hold, or ``R`` to release it.
        """
        self.connected = False
        self._hub = hub
        self._dispatcher = dispatcher
        self._journal = journal
        self._settings = settings
        self._held = held
        self._tell = tell
        self._socket: Socket | None = None
        self._answers: list[tuple[bytes, int]] = []
        self._generation = 0
        self._told = ""
        hub.each_round.append(self.flush)
        hub.spawn(self._run)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way: the connection can be closed without a loss."""
        return not (self._dispatcher.running or self._dispatcher.waiting or self._answers)

    def close(self) -> None:
        """Leave the core."""
        self._drop()

    def _run(self) -> None:
        """The task: connect, read until the end, again."""
        pause = _RETRY
        while True:
            try:
                sock, data = self._take_over() if self._held is not None else self._register()
            except (OSError, wproc.ProtocolError) as error:
                self._say(f"waiting for the core at {self._settings.core}: {error}")
                self._hub.pause(time.monotonic() + pause)
                pause = min(pause * 2, _RETRY_MAX)
                continue
            pause = _RETRY
            self._socket, self.connected = sock, True
            self._say(f"working for the core at {self._settings.core}")
            try:
                self._read(sock, data)
            except OSError as error:
                self._say(f"the core at {self._settings.core} is lost: {error}")
            else:
                self._say(f"the core at {self._settings.core} has closed the connection")
            self._drop()

    def _register(self) -> tuple[Socket, bytes]:
        sock = Socket(self._hub, socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(_REGISTRATION)
            sock.connect(self._settings.core)
            # The buffers let the core go on writing for a while where we do not get to read.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
            name = f"imap4-worker-{os.getpid()}"
            sock.sendall(wproc.register(name, self._settings.register, self._settings.limits.max_jobs))
            data = b""
            while (rest := wproc.registered(data)) is None:
                more = sock.recv(_READ)
                if not more:
                    raise wproc.ProtocolError("the core has closed the connection")
                data += more
        except BaseException:
            sock.close()
            raise
        self._journal.clear()
        self._dispatcher.statistics.registrations += 1
        self._tell(b"H", sock.fileno())
        return sock, rest

    def _take_over(self) -> tuple[Socket, bytes]:
        """Go on where the predecessor was ended."""
        assert self._held is not None
        sock = Socket.adopt(self._hub, self._held)
        self._held = None
        self._socket = sock
        unsent = self._journal.unsent
        if unsent:
            self._answers.append((unsent, NOWHERE))
        data = self._journal.unread
        for noted in self._journal.begin():
            self._dispatcher.statistics.taken_over += 1
            self._again(noted)
        return sock, data

    def _again(self, noted: Noted) -> None:
        job = wproc.parse_job(noted.message)
        if job is None:
            self._journal.strike(noted.slot)
        elif noted.attempts > _MAX_ATTEMPTS:
            self._answer(self._generation, noted.slot, wproc.refused(job, "workers have ended over it"))
        else:
            reply = self._replier(noted.slot)
            self._dispatcher.take(job, reply, noted.came, noted.attempts >= _IN_PROCESS_ATTEMPTS)

    def _read(self, sock: Socket, data: bytes) -> None:
        """Read jobs until the core closes. The jobs' probes are other tasks: nothing here waits."""
        journal = self._journal
        sock.settimeout(None)
        while True:
            if data:
                came = time.monotonic()
                messages, rest = wproc.split_messages(data)
                taken = [(message, journal.note(message)) for message in messages]
                journal.unread = rest if len(rest) < 256 * 1024 else b""
                journal.busy = len(rest) >= 256 * 1024
                for message, slot in taken:
                    self._take(message, slot, came)
                if len(rest) > _MAX_MESSAGE:
                    raise OSError("it sends a message without an end")
            else:
                rest = b""
            sock.wait_readable()
            journal.busy = True
            more = sock.recv_now(_READ)
            if more is None:
                journal.busy = len(rest) >= 256 * 1024
                data = rest
                continue
            if not more:
                return
            data = rest + more

    def _take(self, message: bytes, slot: int, came: float) -> None:
        job = wproc.parse_job(message)
        if job is None:
            self._journal.strike(slot)
            return
        self._dispatcher.take(job, self._replier(slot), came)

    def _replier(self, slot: int) -> Callable[[bytes], None]:
        generation = self._generation
        return lambda answer: self._answer(generation, slot, answer)

    def _answer(self, generation: int, slot: int, answer: bytes) -> None:
        """Queue an answer, unless the core that wants it is gone."""
        if generation == self._generation:
            self._answers.append((answer, slot))

    def flush(self) -> None:
        """Write what the core takes, and no more; called once a round."""
        if not self._answers or self._socket is None:
            return
        journal, answers = self._journal, self._answers
        data = b"".join([answer for answer, _ in answers])
        journal.busy = True
        sent = self._socket.send_now(data)
        if sent == len(data):
            for _, slot in answers:
                journal.strike(slot)
            answers.clear()
            journal.unsent = b""
        elif sent > 0:
            done = 0
            while sent >= len(answers[done][0]):
                sent -= len(answers[done][0])
                journal.strike(answers[done][1])
                done += 1
            answer, slot = answers[done]
            journal.strike(slot)
            answers[: done + 1] = [(answer[sent:], NOWHERE)]
            journal.unsent = answer[sent:]
        journal.busy = False

    def _drop(self) -> None:
        """Give the connection up. What was under way goes on, but nobody waits for it any more."""
        self.connected = False
        self._generation += 1
        self._answers.clear()
        self._journal.clear()
        if self._socket is not None:
            self._tell(b"R", None)
            self._socket.close()
            self._socket = None

    def _say(self, text: str) -> None:
        """Log a change, once."""
        if text != self._told:
            self._told = text
            print(f"imap4-worker[{os.getpid()}]: {text}", file=sys.stderr, flush=True)
