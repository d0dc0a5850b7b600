"""Ports for servers that are told theirs, and waiting until a server is there."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody has now. The kernel gives the numbers in no order, so it stays free for a while."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def listening(host: str, port: int) -> bool:
    """Whether something takes connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it did not become true within ``seconds``; ``what`` says which.
    """
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


def wait_for_server(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    """Wait until a server that was started listens; fail with its log where it ended instead."""

    def ready() -> bool:
        assert process.poll() is None, f"server ended:\n{log.read_text(errors='replace')}"
        return listening(host, port)

    wait_until(ready, f"a server on {host} port {port}")


def start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own, what it prints going to ``log``."""
    with log.open("wb") as stream:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server that was started here, and its children."""

    def ended() -> bool:
        # Again and again: a server that has only just begun to start loses a signal.
        with contextlib.suppress(ProcessLookupError):  # it ended by itself, and was seen to
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        return process.poll() is not None

    try:
        wait_until(ended, "the end of a server")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
