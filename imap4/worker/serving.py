"""Serves programs of this machine that hand their work over: ``check_imap4``, where an engine forks it.

The other side, and the protocol, is ``imap4.handover.client``. Only the same user and root are served. What a
program would do otherwise than this process is declined at once, so that the program does it itself: what its
arguments name must be the same files here, what its libraries are told must be the same.
"""

from __future__ import annotations

import functools
import os
import socket
import struct
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
from imap4.worker.handlers import Pace
from imap4.worker.jobs.dispatcher import Dispatcher, Tested
from imap4.worker.jobs.plans import Plan, Planner
from imap4.worker.loop.hub import FOREVER, Hub, Killed, Task
from imap4.worker.loop.sockets import Socket

_ALIVE = 0.1
"""Seconds between two signs of life, at least, for who waits for an answer."""
_PATIENCE = 2.0
"""Seconds that a program gets to say what it wants."""
_LARGEST = 256 * 1024
"""Bytes of a request."""
_LATE = 1.0
"""Seconds after a check's maximum duration when it is given up; nobody waits for it any more."""
_LONGEST_HANDLER = 10.0
"""Seconds for an event handler; then nobody waits for it any more."""
_LOOK_AGAIN = 0.5
"""Seconds for which our own surroundings are taken to be as they were."""
_BACKLOG = 128
_CREDENTIALS = struct.Struct("iII")
_PEER_GROUPS = 59
"""SO_PEERGROUPS of Linux 4.13 and newer, which Python has no name for."""
_MOST_GROUPS = 256

_DECLINED = b"N"


def listen(path: str) -> socket.socket:
    """The socket at which programs ask, for all workers of a supervisor.

    Raises:
        OSError: it cannot be made, or something else than a socket is there.
        UntrustedFolder: others can write the folder, so that no program would ask there.
    """
    folders.refuse_shared(Path(path).parent)
    return status.listen(path, _BACKLOG)


class _Theirs:
    """What is told of the asker's side."""

    def __init__(self, arguments: list[str], files: list[str], groups: list[int]) -> None:
        self.groups = groups
        self._files = dict(
            zip([client.path_in(each) for each in arguments if "/" in each], files, strict=True)
        )

    def sees(self, path: str, ours: str, as_written: bool) -> bool:
        """Whether a path leads the asker to our file.

        Args:
            ours: the file's identity.
            as_written: whether what is written in it counts; a pipe is another one at every write, and
                what is not there may be told as well as what is.
        """
        if not ours:
            return not as_written and self._files.get(path) == client.NOTHING
        fields = None if as_written else 2
        return self._files.get(path, "").split(".")[:fields] == ours.split(".")[:fields]


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
            groups = _groups_of_peer(sock)
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
        request = _received(sock)
        kind, code, surroundings, files, *arguments = request.decode().split("\0")
        answer = None
        if code == self._code and surroundings == self._around():
            self._waiting[sock] = came
            theirs = _Theirs(arguments, files.split(), groups)
            if kind == "check" and self._planner.as_started:
                answer = self._checked(arguments, theirs)
            elif kind == "pace":
                answer = self._paced(arguments, theirs)
        if answer is None:
            self._dispatcher.statistics.declined += 1
        if sock.send_now(answer or _DECLINED) == 0:
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

    def _paced(self, arguments: list[str], theirs: _Theirs) -> bytes | None:
        """The answer to an event handler; None where it is not to be done here."""
        asked = self._pace.asked(arguments)
        if asked is None:
            return None
        doing, named = asked
        if not self._same(theirs, named, as_written=False):
            return None
        getcurrent().kill_at = time.monotonic() + _LONGEST_HANDLER
        done = doing(time.time(), lambda seconds: self._hub.pause(time.monotonic() + seconds))
        self._dispatcher.statistics.served += 1
        return client.answered(done.code, time.time(), done.errors)

    def _same(self, theirs: _Theirs, named: Sequence[str], as_written: bool = True) -> bool:
        """Whether the files that are named are the same here, and as open to who asks as to us."""
        if not named:
            return True
        if theirs.groups != sorted({*os.getgroups(), os.getegid()}):
            return False
        if not as_written:
            # An engine's own, of which the pipe is about to be opened here anyway.
            return all(theirs.sees(path, client.identity(path), as_written) for path in named)
        same: list[bool] = []

        def compare() -> None:
            same.append(all(theirs.sees(path, client.identity(path), as_written) for path in named))

        return self._dispatcher.apart(compare) and same[0]

    def _checked(self, arguments: list[str], theirs: _Theirs) -> bytes | None:
        """The answer to who wants a check; None where it is not to be run here."""
        plan = self._planner.plan_arguments(tuple(arguments))
        if plan.answer is not None:
            return client.answered(plan.answer[0], time.time(), plan.answer[1])
        options = plan.options
        if options is None:
            return None
        if not self._same(theirs, list(_named_files(options))):
            return None
        task: Task = getcurrent()
        task.kill_at = time.monotonic() + options.timeout + _LATE
        tested = self._dispatcher.test(plan)
        return None if tested is None else _told(plan, options, tested)


def _told(plan: Plan, options: Options, tested: Tested) -> bytes:
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


def _received(sock: Socket) -> bytes:
    """A whole request.

    Raises:
        OSError: it does not come.
        ValueError: it is none.
    """
    data = b""
    while True:
        part = sock.recv(65536)
        if not part:
            raise OSError("it is gone")
        data += part
        length = int.from_bytes(data[:4], "big")
        if length > _LARGEST:
            raise ValueError
        if len(data) >= 4 and len(data) >= 4 + length:
            return data[4:]


def _groups_of_peer(sock: Socket) -> list[int] | None:
    """The groups of who asks; None where it is neither root nor we."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, group = _CREDENTIALS.unpack(credentials)
    if user not in (0, os.geteuid()):
        return None
    try:
        more = sock.getsockopt(socket.SOL_SOCKET, _PEER_GROUPS, 4 * _MOST_GROUPS)
    except OSError:
        return [group]
    return sorted({group, *struct.unpack(f"{len(more) // 4}I", more)})
