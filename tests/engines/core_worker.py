"""A real core's own worker process, spoken to as its core would: ``nagios4 --worker SOCKET``."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from imap4.wproc import DELIMITER, split_messages

NAGIOS = "/usr/sbin/nagios4"
IMAP4_WORKER = (str(Path(sys.executable).with_name("imap4-worker")),)


def pairs(message: bytes) -> dict[str, bytes]:
    """A message's pairs; of two with one name, the last."""
    return {key.decode(): value for key, _, value in (pair.partition(b"=") for pair in message.split(b"\0"))}


class CoreWorker:
    """Takes the core's part: a socket for one worker to register on, and jobs for it."""

    def __init__(self, folder: Path, command: list[str] | None = None) -> None:
        path = str(folder / "qh.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            listener.settimeout(20)
            self._process = subprocess.Popen(
                [*(command or [NAGIOS, "--worker"]), path],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=folder,  # where shells that it starts write
            )
            self._socket, _ = listener.accept()
        self._socket.settimeout(20)
        self.registration = self._socket.recv(4096)
        self._socket.sendall(b"OK\0")
        self._rest = b""
        self._jobs = 0

    def __enter__(self) -> CoreWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait()

    def run(self, *commands: bytes, timeout: int = 10, extra: bytes = b"") -> list[dict[str, bytes]]:
        """Have all of them run at once; the answers in the commands' order."""
        first = self._jobs
        self._jobs += len(commands)
        for number, command in enumerate(commands, first):
            text = b"job_id=%d\0type=0\0command=%b\0timeout=%d\0" % (number, command, timeout)
            self._socket.sendall(text + extra + DELIMITER)
        answers: dict[int, dict[str, bytes]] = {}
        while len(answers) < len(commands):
            data = self._socket.recv(65536)
            assert data, "the worker has gone"
            messages, self._rest = split_messages(self._rest + data)
            for answer in map(pairs, messages):
                if "log" not in answer:
                    answers[int(answer["job_id"])] = answer
        return [answers[number] for number in range(first, self._jobs)]
