"""External commands of Nagios and Naemon, written to the command file within a deadline.

The format is in Nagios Core's manual, "External Commands": ``[time] NAME;argument;argument``, one a line.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Callable, Iterable

from imap4.deadline import Deadline

Command = tuple[str | int, ...]
"""A command's name and its arguments."""


_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two attempts to write into a full pipe."""


class CommandFileError(Exception):
    """The engine did not take the commands: the text says which file, what happened and what to do."""


def line(command: Command, now: int) -> bytes:
    """One line of the command file. Only the last argument may hold a ``;`` (it is free text then)."""
    *first, last = (" ".join(str(each).split()) for each in command)
    joined = ";".join([*(each.replace(";", ",") for each in first), last])
    return f"[{now}] {joined}\n".encode("utf-8", "surrogateescape")


def send(
    path: str,
    commands: Iterable[Command],
    deadline: Deadline,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Write the commands, all of them together where they fit into the pipe at once.

    An engine that is not running, or that has stopped reading, must not hang a handler: the engine
    would kill it, and wait for it until then.

    Args:
        pause: waits for so many seconds, while the pipe is full.

    Raises:
        CommandFileError: the file is not a pipe that an engine reads, or the deadline has passed.
    """
    now = int(time.time())
    send_lines(path, b"".join(line(each, now) for each in commands), deadline, pause)


def send_lines(
    path: str, data: bytes, deadline: Deadline, pause: Callable[[float], object] = time.sleep
) -> None:
    """Write lines that ``line`` has made, as ``send`` does. PIPE_BUF bytes or less: all of them or none."""
    descriptor = -1
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        reason = error.strerror
        if error.errno == errno.ENXIO:
            reason = "no engine reads it"
        elif error.errno == errno.ENOENT:
            reason = "is not there; is the engine running, with check_external_commands=1?"
        raise CommandFileError(f"{path}: {reason}; nothing was sent") from None
    try:
        # What was opened counts: the name may lead elsewhere by now.
        if descriptor < 0 or not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            raise CommandFileError(f"{path}: is not an engine's command file (not a named pipe)")
        _write(path, descriptor, data, deadline, pause)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _write(
    path: str, descriptor: int, data: bytes, deadline: Deadline, pause: Callable[[float], object]
) -> None:
    """Write whole lines; one of at most PIPE_BUF bytes is never mixed with another writer's (pipe(7))."""
    lines = data.splitlines(keepends=True)
    moment = _FIRST_PAUSE
    while lines:
        count = len(lines)
        while count > 1 and sum(map(len, lines[:count])) > select.PIPE_BUF:
            count -= 1
        chunk = b"".join(lines[:count])
        if len(chunk) > select.PIPE_BUF:
            raise CommandFileError(f"{path}: a command of {len(chunk)} bytes is too long; it was not sent")
        try:
            os.write(descriptor, chunk)
            lines, moment = lines[count:], _FIRST_PAUSE
        except BlockingIOError:
            if deadline.expired:
                raise CommandFileError(
                    f"{path}: the engine has read nothing for {deadline.seconds:g} s; {len(lines)} not sent"
                ) from None
            # A pipe that is writable for poll(2) may still be too full for us: there is nothing to wait for.
            pause(min(moment, deadline.left))
            moment = min(2 * moment, _LONGEST_PAUSE)
        except BrokenPipeError:
            raise CommandFileError(f"{path}: the engine stopped reading; {len(lines)} not sent") from None
