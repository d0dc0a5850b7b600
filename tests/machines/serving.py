"""A real imap4-worker that serves programs, without a core, and what it answers them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.machines.ports import start, stop, wait_until
from tests.machines.scripted import Peer, good

BIN = Path(sys.executable).parent
WORKER, PLUGIN = str(BIN / "imap4-worker"), str(BIN / "check_imap4")


class Run(NamedTuple):
    """What one run of a program gave."""

    code: int
    output: str
    """Standard output; measured times are ``T``."""
    errors: str


class Serving:
    """One that runs. Between it and the programs there is somebody who listens to its answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "check.sock"
        self.answers: list[bytes] = []
        """What the worker said, without its signs of life; empty where it said nothing."""
        self.asked = 0
        """How many programs have asked."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "between.sock"))
        self._listener.listen()
        self._thread = threading.Thread(target=self._pass_on)

    def __enter__(self) -> Serving:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _pass_on(self) -> None:
        while True:
            try:
                asker, _ = self._listener.accept()
            except OSError:
                return
            self.asked += 1
            answer = b""
            with asker, socket.socket(socket.AF_UNIX) as worker, contextlib.suppress(OSError):
                worker.connect(str(self.socket))
                worker.sendall(asker.recv(1024 * 1024))
                while part := worker.recv(1024 * 1024):
                    answer += part
                    asker.sendall(part)
            self.answers.append(answer.lstrip(b"\0"))

    @property
    def state(self) -> dict[str, Any]:
        """What ``imap4-worker status --json`` says."""
        data = b""
        with socket.socket(socket.AF_UNIX) as asker:
            asker.settimeout(20)
            asker.connect(str(self.folder / "status.sock"))
            while part := asker.recv(65536):
                data += part
        state: dict[str, Any] = json.loads(data)
        return state

    @property
    def workers(self) -> list[int]:
        """The processes that do the work."""
        return [each["pid"] for each in self.state["workers"]]

    def check(self, *arguments: str, **more: Any) -> Run:
        """The installed plugin, which is to ask here."""
        return checked(*arguments, ask=self.folder / "between.sock", **more)


def checked(
    *arguments: str,
    ask: Path | str = "off",
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = (PLUGIN,),
    **more: Any,
) -> Run:
    """Run the installed plugin; ``ask`` is where it asks for a worker."""
    environment = {"PATH": os.environ["PATH"], "IMAP4_WORKER": str(ask), **(env or {})}
    done = subprocess.run([*program, *arguments], capture_output=True, env=environment, timeout=120, **more)
    text = re.sub(r"\b[0-9]+\.[0-9]{3,6}", "T", done.stdout.decode())
    return Run(done.returncode, text, done.stderr.decode())


@contextlib.contextmanager
def serving(*options: str) -> Iterator[Serving]:
    """Start a worker; its folder is ours alone, as systemd makes it."""
    with tempfile.TemporaryDirectory(prefix="imap4-serving-") as name:
        os.chmod(name, 0o755)  # noqa: S103 - as RuntimeDirectory= makes it: others may look
        folder = Path(name)
        # Nothing that changes what OpenSSL does, which the programs would have to have, too.
        bare = ("/usr/bin/env", "-i", f"PATH={os.environ['PATH']}")
        socket_, core = ("--socket", f"{name}/status.sock"), ("--core", "")
        process = start([*bare, WORKER, *socket_, *core, *options], folder / "log")
        try:
            with Serving(folder) as there:
                wait_until(there.socket.is_socket, "the socket")
                wait_until(lambda: all(there.workers), "the workers")
                yield there
        finally:
            os.killpg(process.pid, signal.SIGCONT)  # a test may have frozen one
            stop(process)


def freezer(worker: Serving, freezing: threading.Event) -> Callable[[Peer], None]:
    """A server's script: it is well, and where ``freezing`` is set, it first stops the worker, once."""

    def script(peer: Peer) -> None:
        if freezing.is_set():
            freezing.clear()
            os.kill(worker.workers[0], signal.SIGSTOP)
        good(peer)

    return script
