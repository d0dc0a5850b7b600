"""A real core's own worker process, spoken to as its core would: ``nagios4 --worker SOCKET``; or ours."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from imap4.worker.core_messages import DELIMITER, split_messages
from tests.engines import core

IMAP4_WORKER = (str(Path(sys.executable).with_name("imap4-worker")),)


def pairs(message: bytes) -> dict[str, bytes]:
    """A message's pairs; of two with one name, the last."""
    return {key.decode(): value for key, _, value in (pair.partition(b"=") for pair in message.split(b"\0"))}


def query_socket(path: str) -> socket.socket:
    """Where workers register."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.settimeout(20)
    return listener


class Registered:
    """Takes the core's part for the worker that registers next for the plugin, and has jobs for it."""

    def __init__(self, listener: socket.socket) -> None:
        self._others: list[socket.socket] = []
        """What registers for event handlers and silent notifications; it gets no jobs."""
        while True:
            self._socket, _ = listener.accept()
            self._socket.settimeout(20)
            self.registration = self._socket.recv(4096)
            self._socket.sendall(b"OK\0")
            if not self.registration.endswith((b";plugin=imap4-monitor\0", b";plugin=/bin/true\0")):
                break
            self._others.append(self._socket)
        self._rest = b""
        self._jobs = 0

    def close(self) -> None:
        """Leave the worker, as a core does that ends."""
        for each in (self._socket, *self._others):
            each.close()

    @property
    def registered_pid(self) -> int:
        """The process that has registered, by its name."""
        match = re.search(rb"name=imap4-worker-([0-9]+);", self.registration)
        assert match, self.registration
        return int(match[1])

    def send(self, *messages: bytes) -> None:
        """Send messages as they are, but for their ends."""
        self._socket.sendall(b"".join(message + DELIMITER for message in messages))

    def start(self, *commands: bytes, timeout: int = 10, extra: bytes = b"") -> range:
        """Hand out jobs; their numbers."""
        numbers = range(self._jobs, self._jobs + len(commands))
        self._jobs += len(commands)
        for number, command in zip(numbers, commands, strict=True):
            self.send(b"job_id=%d\0type=0\0command=%b\0timeout=%d\0%b" % (number, command, timeout, extra))
        return numbers

    def receive(self) -> list[dict[str, bytes]]:
        """The answers that come next; none where the worker has closed the connection."""
        data = self._socket.recv(65536)
        messages, self._rest = split_messages(self._rest + data)
        if not data:
            return []
        answers = [answer for answer in map(pairs, messages) if "log" not in answer]
        return answers or self.receive()

    def answers(self, numbers: range) -> list[dict[str, bytes]]:
        """The answers to these jobs, in the jobs' order; asserts that each comes once.

        Those of earlier jobs are passed by, as the core does: a worker that was killed just after it had
        sent one may send it again.
        """
        found: dict[int, dict[str, bytes]] = {}
        while len(found) < len(numbers):
            answers = self.receive()
            assert answers, "the worker has gone"
            for answer in answers:
                number = int(answer["job_id"])
                if number < numbers.start:
                    continue
                assert number in numbers
                assert number not in found
                found[number] = answer
        return [found[number] for number in numbers]

    def run(self, *commands: bytes, timeout: int = 10, extra: bytes = b"") -> list[dict[str, bytes]]:
        """Have all of them run at once; the answers in the commands' order."""
        return self.answers(self.start(*commands, timeout=timeout, extra=extra))


class CoreWorker(Registered):
    """A worker process of ours, with a socket for it alone to register on."""

    def __init__(self, folder: Path, command: list[str] | None = None, *, quiet: bool = True) -> None:
        path = str(folder / "qh.sock")
        with query_socket(path) as listener:
            os.chmod(path, 0o666)  # noqa: S103 - the worker may be another user's; the folder says who gets here
            self._process = subprocess.Popen(
                [*(command or core.WORKER), path],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL if quiet else None,
                cwd=folder,  # where shells that it starts write
            )
            super().__init__(listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._process.terminate()
        self._process.wait()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The worker, or its supervisor."""
        return self._process
