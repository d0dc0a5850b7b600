"""Runs a command as the core's own workers do: for every job that is not plainly a check of ours."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from typing import IO, NamedTuple

from imap4.worker.jobs.command_line import split

MAX_OUTPUT = 256 * 1024
"""Bytes of one stream that are kept. The core cuts at 8 KiB, and chokes on 1 MiB."""


class ProgramEnd(NamedTuple):
    """How a program ended."""

    wait_status: int
    """As wait(2) gives it."""
    output: bytes
    errors: bytes
    timed_out: bool = False


def execute(
    command: bytes, environment: dict[bytes, bytes], until: float, naemon: bool = False
) -> ProgramEnd:
    """Run a command line to its end, or kill its process group.

    Args:
        environment: variables that are added to this process' own.
        until: when it is killed, on the monotonic clock.

    Returns:
        What the core's own worker would answer, where the program cannot be run too.
    """
    words = split(command, naemon)
    if words is None:
        words = [b"/bin/sh", b"-c", command]
    elif not naemon:
        words, assigned = _without_assignments(words)
        environment = environment | assigned
    if not words:
        # The core's worker says so, to the letter, of a command of assignments alone.
        return ProgramEnd(1 << 8, b"", b"No command after variables.\n")
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environb | environment,
            # As the core does (setpgid in lib/runcmd.c): a time-out must end what the plugin started too.
            process_group=0,
        )
    except (OSError, ValueError) as error:
        # A NUL in a word is Python's ValueError; execve(2) could not even be asked. 22 is EINVAL.
        code = getattr(error, "errno", None) or 22
        text = f"execvp({os.fsdecode(words[0])}, ...) failed. errno is {code}: {os.strerror(code)}\n"
        return ProgramEnd((code & 0xFF) << 8, b"", os.fsencode(text))
    with process:
        return _follow(process, until)


def _without_assignments(words: list[bytes]) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Nagios takes every first word with a ``=`` for a variable."""
    assigned: dict[bytes, bytes] = {}
    for number, word in enumerate(words):
        name, equals, value = word.partition(b"=")
        if not equals:
            return words[number:], assigned
        assigned[name] = value
    return [], assigned


def _follow(process: subprocess.Popen[bytes], until: float) -> ProgramEnd:
    """Gather the output until the program ends; its children may go on, as they may with the core."""
    assert process.stdout is not None
    assert process.stderr is not None
    kept: dict[int, bytearray] = {}
    poller = select.poll()
    # The streams' end tells nothing of the program's: a child of its may hold them open. A pidfd becomes
    # readable when the process ends (pidfd_open(2)), and needs no SIGCHLD, which another thread would get.
    pidfd = os.pidfd_open(process.pid)
    try:
        poller.register(pidfd, select.POLLIN)
        for stream in (process.stdout, process.stderr):
            os.set_blocking(stream.fileno(), False)
            kept[stream.fileno()] = bytearray()
            poller.register(stream, select.POLLIN)
        ended = False
        while not ended and (left := until - time.monotonic()) > 0:
            # poll(2) counts in whole milliseconds: rounded down, the last one would be spent spinning.
            for descriptor, _ in poller.poll(left * 1000 + 1):
                if descriptor == pidfd:
                    ended = True
                elif not _gather(descriptor, kept[descriptor]):
                    poller.unregister(descriptor)
        if not ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    finally:
        os.close(pidfd)
    code = process.wait()
    output, errors = (_rest(stream, kept) for stream in (process.stdout, process.stderr))
    return ProgramEnd(-code if code < 0 else code << 8, output, errors, timed_out=not ended)


def _gather(descriptor: int, kept: bytearray) -> bool:
    """Read what is there; whether more may come."""
    try:
        data = os.read(descriptor, 65536)
    except BlockingIOError:
        return True
    except OSError:
        return False
    kept += data[: MAX_OUTPUT - len(kept)]
    return bool(data)


def _rest(stream: IO[bytes], kept: dict[int, bytearray]) -> bytes:
    """What was written before the end and not read yet."""
    data = kept[stream.fileno()]
    # A pipe holds 64 KiB, or 1 MiB where somebody asked for it (pipe(7)): 16 reads empty it. A child that
    # goes on writing must not keep us here.
    for _ in range(16):
        before = len(data)
        if not _gather(stream.fileno(), data) or len(data) == before:
            break
    return bytes(data)
