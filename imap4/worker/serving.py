"""Serves programs of this machine that hand their work over: ``check_imap4``, where an engine forks it.

The other side, and the protocol, is ``imap4.handover.client``. Only the same user and root are served. What a
program would do otherwise than this process is declined at once, so that the program does it itself: what its
arguments name must be the same files here, what its libraries are told must be the same.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from greenlet import getcurrent

from imap4 import folders
from imap4.check.options import Options
from imap4.check.record import line
from imap4.handover import client
from imap4.worker import status
from imap4.worker.askers import Asker, groups_of_peer, received
from imap4.worker.handlers import Pace
from imap4.worker.jobs.dispatcher import Dispatcher, Tested
from imap4.worker.jobs.plans import Planner
from imap4.worker.loop.hub import FOREVER, Hub, Killed, Task
from imap4.worker.loop.sockets import Socket

_ALIVE = 0.1
"""Seconds between two signs of life, at least, for who waits for an answer."""
_PATIENCE = 2.0
"""Seconds that a program gets to say what it wants."""
_LATE = 1.0
"""Seconds after a check's maximum duration when it is given up; nobody waits for it any more."""
_LONGEST_HANDLER = 10.0
"""Seconds for an event handler; then nobody waits for it any more."""
_LOOK_AGAIN = 0.5
"""Seconds for which our own surroundings are taken to be as they were."""
_BACKLOG = 128

_DECLINED = b"N"


def listen(path: str) -> socket.socket:
    """The socket at which programs ask, for all workers of a supervisor.

    Raises:
        OSError: it cannot be made, or something else than a socket is there.
        UntrustedFolder: others can write the folder, so that no program would ask there.
    """
    folders.refuse_shared(Path(path).parent)
    return status.listen(path, _BACKLOG)


class _Declined(Exception):
    """It is left to the program; the text says why, in few words, for ``imap4-worker status``."""


class Server:
    """One worker's. Everything happens in the hub and its tasks."""

    def __init__(
        self,
        hub: Hub,
        dispatcher: Dispatcher,
        planner: Planner,
        pace: Pace,
        listener: socket.socket,
        most: int,
    ) -> None:
        """
        Args:
            most: connections at a time; there is a descriptor for each.
        """
        self._hub = hub
        self._dispatcher = dispatcher
        self._planner = planner
        self._pace = pace
        self._listener = listener
        self._most = most
        self._open = 0
        self._code = client.code()
        self._surroundings = ""
        self._looked = -FOREVER
        self._waiting: dict[Socket, float] = {}
        """Who waits for an answer, and since when."""
        self._sign_at = 0.0
        hub.each_round.append(self._show_signs)
        hub.watch(listener.fileno(), self)

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._waiting

    def close(self) -> None:
        """Take no more requests. What is under way goes on."""
        if self._listener.fileno() >= 0:
            self._hub.unwatch(self._listener.fileno())
            self._listener.close()

    def on_events(self, _events: int) -> None:
        """Somebody asks. All workers are told; who comes first has it."""
        while True:
            try:
                # The descriptor alone: a socket of ours belongs to the task that is made for it.
                asker, _ = self._listener.accept()
            except OSError:  # nobody any more; or out of descriptors, and they go on by themselves
                return
            if self._open >= self._most:
                asker.close()
                continue
            self._open += 1
            descriptor = asker.detach()
            self._hub.spawn(functools.partial(self._serve, descriptor))

    def _serve(self, descriptor: int) -> None:
        """The task of one request."""
        sock = Socket.adopt(self._hub, descriptor)
        try:
            groups = groups_of_peer(sock)
            if groups is not None:
                self._answer(sock, groups)
        except (Killed, OSError, ValueError):  # too late, gone, or not understood: it knows what to do
            pass
        except Exception as error:
            print(f"imap4-worker[{os.getpid()}]: serving: {error!r}", file=sys.stderr, flush=True)
        finally:
            self._waiting.pop(sock, None)
            self._open -= 1
            sock.close()

    def _answer(self, sock: Socket, groups: list[int]) -> None:
        sock.settimeout(_PATIENCE)
        came = time.monotonic()
        request = received(sock)
        kind, code, surroundings, files, *arguments = request.decode().split("\0")
        try:
            if code != self._code:
                raise _Declined("another installation")
            if surroundings != self._around():
                raise _Declined("other surroundings")
            self._waiting[sock] = came
            theirs = Asker(arguments, files.split(), groups)
            answer = self._paced(arguments, theirs) if kind == "pace" else self._checked(arguments, theirs)
        except _Declined as declined:
            self._dispatcher.statistics.leave(str(declined))
            answer = _DECLINED
        if sock.send_now(answer) == 0:
            raise OSError("it is gone")

    def _around(self) -> str:
        now = time.monotonic()
        if now - self._looked >= _LOOK_AGAIN:
            self._surroundings, self._looked = client.surroundings(), now
        return self._surroundings

    def _show_signs(self) -> None:
        """Tell those who wait that we live; called once a round, which is twice a second at least."""
        if not self._waiting:
            return
        now = time.monotonic()
        if now >= self._sign_at:
            self._sign_at = now + _ALIVE
            for sock, since in self._waiting.items():
                if now - since >= _ALIVE:
                    sock.send_now(b"\0")

    def _paced(self, arguments: list[str], theirs: Asker) -> bytes:
        """The answer to an event handler."""
        asked = self._pace.asked(arguments)
        if asked is None:
            raise _Declined("upgraded, or not as rendered")
        doing, named = asked
        self._want_same(theirs, named, as_written=False)
        getcurrent().kill_at = time.monotonic() + _LONGEST_HANDLER
        done = doing(time.time(), lambda seconds: self._hub.pause(time.monotonic() + seconds))
        self._dispatcher.statistics.served += 1
        return client.answered(done.code, time.time(), done.errors)

    def _want_same(self, theirs: Asker, named: Sequence[str], as_written: bool = True) -> None:
        """See to it that the files that are named are the same here, and as open to who asks as to us."""
        if named and theirs.groups != sorted({*os.getgroups(), os.getegid()}):
            raise _Declined("other groups")
        same: list[bool] = []

        def compare() -> None:
            same.append(all(theirs.sees(path, client.identity(path), as_written) for path in named))

        if not (named and as_written):
            # An engine's own pipe is about to be opened here anyway.
            compare()
        elif not self._dispatcher.apart(compare):
            raise _Declined("no room")
        if not same[0]:
            raise _Declined("other files")

    def _checked(self, arguments: list[str], theirs: Asker) -> bytes:
        """The answer to who wants a check."""
        if not self._planner.as_started:
            raise _Declined("upgraded since the start")
        plan = self._planner.plan_arguments(tuple(arguments))
        if plan.answer is not None:
            return client.answered(plan.answer[0], time.time(), plan.answer[1])
        options = plan.options
        if options is None:
            raise _Declined("such options")
        self._want_same(theirs, list(_named_files(options)))
        task: Task = getcurrent()
        task.kill_at = time.monotonic() + options.timeout + _LATE
        tested = self._dispatcher.test(plan)
        if tested is None:
            raise _Declined("no room")
        return _told(options, tested)


def _told(options: Options, tested: Tested) -> bytes:
    now = time.time()
    folder = record = b""
    if options.record is not None:
        folder = options.record.encode()
        output = tested.output.decode("utf-8", "replace") if tested.code else ""
        record = line(options, tested.results, tested.code, output, now)
    return client.answered(tested.code, now, tested.output, folder, record, verbose=options.verbose > 0)


def _named_files(options: Options) -> Iterator[str]:
    """The files that a check reads. A relative path, or one of a process, is never the same as another's."""
    found = (options.ca_file, options.client_cert, options.client_key, options.password_file)
    for path in (*found, options.unix_path):
        if path is not None:
            yield path
