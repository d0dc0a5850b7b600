"""The connection to the core: registers, reads jobs, writes answers, and comes back when it is lost."""

from __future__ import annotations

import collections
import contextlib
import functools
import os
import socket
import sys
import time
from collections.abc import Callable

from imap4.worker import core_messages
from imap4.worker.jobs.dispatcher import Dispatcher
from imap4.worker.journal import CLEAN, READ, READING, SENDING, UNSURE, Journal, Noted
from imap4.worker.loop.hub import Hub
from imap4.worker.loop.sockets import Socket
from imap4.worker.settings import Settings

_REGISTRATION = 5.0
"""Seconds that the core gets to answer a registration."""

_RETRY, _RETRY_MAX = 0.1, 0.5
"""Seconds between attempts to register: while nobody is registered, the core forks."""

_LOOK = 1.0
"""Seconds between two looks at the core's socket."""

_CLOSED = "has closed the connection"
_FORGOTTEN = (
    "has made its socket anew, as Naemon does at a reload, and has no more jobs for us; registering again"
)

_READ = 256 * 1024

_WHOLE = 16 * 1024
"""Bytes that Linux takes as a whole or not at all: unix_stream_sendmsg cuts at four pages and more."""

_AT_ONCE = 25
"""Jobs that are begun in a round, so that the others get their turns."""

_MAX_MESSAGE = 16 * 1024 * 1024

_IN_PROCESS_ATTEMPTS = 2
"""How often a job is begun in a process before it is suspected of ending it, and run as a program."""

_MAX_ATTEMPTS = 5


Identity = tuple[int, int, int]


def _identity(path: str) -> Identity | None:
    """What tells a socket from a later one of the same name; an inode's number alone is used again."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


class CoreConnection:
    """One of a worker's registrations. Everything happens in the hub."""

    def __init__(
        self,
        hub: Hub,
        dispatcher: Dispatcher,
        journal: Journal,
        settings: Settings,
        number: int,
        held: int | None,
        tell: Callable[[int, int | None], None],
    ) -> None:
        """
        Args:
            number: which of the settings' names it registers for.
            held: descriptor of a connection that a predecessor has registered.
            tell: tells the supervisor the number, and a descriptor to hold, or None to release it.
        """
        self._number = number
        self._name = settings.names[number]
        self.connected = False
        self._hub = hub
        self._dispatcher = dispatcher
        self._journal = journal
        self._settings = settings
        self._held = held
        self._tell = tell
        self._socket: Socket | None = None
        self._jobs: collections.deque[Callable[[], None]] = collections.deque()
        """Those that were read, to be begun."""
        self._answers: list[tuple[bytes, int]] = []
        self._generation = 0
        self._told = ""
        self._core: Identity | None = None
        """The socket that this registration was made at."""
        self._made_anew = False
        hub.each_round += [self._begin, self._flush]
        hub.spawn(self._run)
        hub.spawn(self._watch)

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer: the connection can be closed without a loss."""
        return self._socket is None or not (
            self._jobs or self._dispatcher.running or self._dispatcher.waiting or self._answers
        )

    def close(self) -> None:
        """Leave the core."""
        self._drop()

    def _run(self) -> None:
        """The task: connect, read until the end, again."""
        pause = _RETRY
        while True:
            try:
                sock, data, left = self._take_over() if self._held is not None else self._register()
            except (OSError, core_messages.ProtocolError) as error:
                refused = isinstance(error, core_messages.ProtocolError)
                self._say(f"waiting for the core at {self._settings.core}: {error}", alone=refused)
                self._hub.pause(time.monotonic() + pause)
                pause = min(pause * 2, _RETRY_MAX)
                continue
            pause = _RETRY
            self._socket, self.connected, self._made_anew = sock, True, False
            self._say(f"working for the core at {self._settings.core}")
            try:
                self._read(sock, data, left)
            except OSError as error:
                self._say(f"the core at {self._settings.core} is lost: {error}")
            else:
                self._say(f"the core at {self._settings.core} {_FORGOTTEN if self._made_anew else _CLOSED}")
            self._drop()

    def _watch(self) -> None:
        """The task: leave a core that has forgotten us.

        At a reload, Naemon forgets the workers that have registered, without closing their connections, and
        makes its socket anew (seen with 1.5).
        """
        while True:
            self._hub.pause(time.monotonic() + _LOOK)
            now = _identity(self._settings.core)
            # While there is no socket, there is nobody to register with.
            if self.connected and self._socket is not None and now is not None and now != self._core:
                self._core, self._made_anew = now, True
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)  # which the reader takes for the end

    def _register(self) -> tuple[Socket, bytes, list[Noted]]:
        sock = Socket(self._hub, socket.AF_UNIX, socket.SOCK_STREAM)
        core = _identity(self._settings.core)  # before: one that is made in between is seen later
        try:
            sock.settimeout(_REGISTRATION)
            # A Unix socket connects at once, or says that the core's queue is full.
            sock.connect(self._settings.core)
            # The buffers let the core go on writing for a while where we do not get to read.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
            name = f"imap4-worker-{os.getpid()}"
            sock.sendall(core_messages.register(name, self._name, self._settings.limits.max_jobs))
            data = b""
            while (rest := core_messages.registered(data)) is None:
                more = sock.recv(_READ)
                if not more:
                    raise core_messages.ProtocolError("the core has closed the connection")
                data += more
        except BaseException:
            sock.close()
            raise
        self._core = self._journal.core = core
        self._journal.clear()
        self._dispatcher.statistics.registered()
        self._tell(self._number, sock.fileno())
        return sock, rest, []

    def _take_over(self) -> tuple[Socket, bytes, list[Noted]]:
        """Go on where the predecessor was ended."""
        assert self._held is not None
        sock = self._socket = Socket.adopt(self._hub, self._held)
        self._held = None
        journal = self._journal
        # The predecessor's: a core that made its socket anew since then has forgotten this connection.
        self._core = journal.core
        left = journal.begin()
        data, new = journal.read_before()
        # Killed between noting what it saw and taking it from the socket: it is still there, and must not be
        # read twice. Where it was taken already, something else is there, or nothing.
        if journal.state == READING and sock.peek_now(len(new)) == new:
            sock.recv_now(len(new))
        return sock, data, left

    def _again(self, noted: Noted) -> None:
        self._dispatcher.statistics.taken_over += 1
        job = core_messages.parse_job(noted.message)
        if job is None:
            self._journal.strike(noted.slot)
        elif noted.attempts >= _MAX_ATTEMPTS:
            why = f"not tried again: {_MAX_ATTEMPTS} of imap4-worker's processes ended while they ran it"
            self._answer(self._generation, noted.slot, core_messages.refused(job, why))
        else:
            reply = self._replier(noted.slot)
            self._dispatcher.take(job, reply, noted.came, noted.attempts >= _IN_PROCESS_ATTEMPTS)

    def _read(self, sock: Socket, data: bytes, left: list[Noted]) -> None:
        """Read jobs until the core closes, as soon as they come: a core whose writes fill the connection
        tries again and again, does nothing else, and takes a processor for it.

        Args:
            data: what was read already.
            left: jobs of the predecessor.
        """
        journal = self._journal
        sock.settimeout(None)
        self._jobs.extend(functools.partial(self._again, noted) for noted in left)
        while True:
            came = time.monotonic()
            messages, rest = core_messages.split_messages(data)
            for message in messages:
                self._jobs.append(functools.partial(self._take, message, journal.note(message), came))
            journal.end_read(rest)
            if len(rest) > _MAX_MESSAGE:
                raise OSError("it sends a message without an end")
            new = None
            while new is None:
                sock.wait_readable()
                # Looked at, noted, and only then taken: whoever is killed in between leaves it whole.
                new = sock.peek_now(_READ)
            journal.begin_read(rest, new)
            if not new:
                return
            sock.recv_now(len(new))
            if journal.state == READING:
                journal.state = READ
            data = rest + new

    def _begin(self) -> None:
        """Begin some of the jobs that were read; called once a round."""
        for _ in range(min(_AT_ONCE, len(self._jobs))):
            self._jobs.popleft()()
        if self._jobs:
            self._hub.hurry()

    def _take(self, message: bytes, slot: int, came: float) -> None:
        job = core_messages.parse_job(message)
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

    def _flush(self) -> None:
        """Write what the core takes, and no more; called once a round."""
        sock, journal, answers = self._socket, self._journal, self._answers
        while answers and sock is not None:
            data, count = answers[0][0], 1
            while count < len(answers) and len(data) + len(answers[count][0]) <= _WHOLE:
                data += answers[count][0]
                count += 1
            before = journal.state
            # Whole writes alone may be repeated by a successor: half an answer, sent again, would be read as
            # another message.
            if before == CLEAN:
                journal.state = SENDING if len(data) <= _WHOLE else UNSURE
            sent = sock.send_now(data)
            if sent == len(data):
                for _, slot in answers[:count]:
                    journal.strike(slot)
                del answers[:count]
                journal.state = CLEAN if before in (CLEAN, UNSURE) else before
            elif sent:  # an answer that is too large to be written as a whole
                answers[0] = (data[sent:], answers[0][1])
                journal.state = UNSURE
                return
            else:
                journal.state = before
                return

    def _drop(self) -> None:
        """Give the connection up. What was under way goes on, but nobody waits for it any more."""
        self.connected = False
        self._generation += 1
        self._jobs.clear()
        self._answers.clear()
        self._journal.clear()
        if self._socket is not None:
            self._tell(self._number, None)
            self._socket.close()
            self._socket = None

    def _say(self, text: str, *, alone: bool = False) -> None:
        """Log a change, once; what befalls all registrations alike, the first one only."""
        if text != self._told and (alone or not self._number):
            name = f"{self._name}: " if self._number else ""
            print(f"imap4-worker[{os.getpid()}]: {name}{text}", file=sys.stderr, flush=True)
        self._told = text
