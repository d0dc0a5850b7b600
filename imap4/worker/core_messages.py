"""The messages between Nagios Core or Naemon and a worker process. Pure: bytes in, bytes out.

The protocol is the one of nagioscore's lib/worker.c and base/workers.c: a message is pairs
``key=value``, each ended by NUL, and ends with the four bytes ``01 00 00 00``. Naemon has kept it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

DELIMITER = b"\1\0\0\0"

DEFAULT_TIMEOUT = 60.0
"""Seconds for a job whose ``timeout`` is missing or 0, as the core's own workers have it."""

TIMED_OUT = 62
"""ETIME: the core reads this ``error_code`` as "timed out"."""

_NUMBER = re.compile(rb"\s*\+?([0-9]+)")


class ProtocolError(Exception):
    """The core said something that this protocol does not know."""


class Job(NamedTuple):
    """What the core wants done."""

    request: bytes
    """The pairs to be repeated in the answer: all but ``env``."""
    command: bytes | None
    """None where the message has no command."""
    timeout: float
    """Seconds from the job's arrival until it must be answered."""
    environment: bytes | None
    """Lines ``NAME=value``; None unless the core has enable_environment_macros."""


def register(name: str, plugin: str, max_jobs: int) -> bytes:
    """The message that makes its sender a worker for one plugin.

    ``pid`` is left out: a core that reloads ends the process that it names.

    Args:
        name: for the core's log; without ``;``, ``=`` and NUL.
        plugin: a command's first word, or its base name.
        max_jobs: how many jobs at a time; Nagios ignores it, Naemon keeps to it.
    """
    return f"@wproc register name={name};max_jobs={max_jobs};plugin={plugin}".encode() + b"\0"


def registered(data: bytes) -> bytes | None:
    """What follows the core's consent.

    Args:
        data: everything that came since the registration.

    Returns:
        Bytes that belong to the first job already; None where the answer is not complete yet.

    Raises:
        ProtocolError: the core refuses.
    """
    answer, end, rest = data.partition(b"\0")
    # A core's answers are short; what goes on is something else at that socket.
    if not end and len(answer) < 4096:
        return None
    if answer != b"OK":
        text = answer[:80].decode("utf-8", "replace").strip()
        raise ProtocolError(f"the core refuses the registration: {text}")
    return rest


def split_messages(data: bytes) -> tuple[list[bytes], bytes]:
    """Cut a stream into whole messages, without their delimiters, and the rest."""
    *messages, rest = data.split(DELIMITER)
    return messages, rest


def parse_job(message: bytes) -> Job | None:
    """Read a message from the core.

    Returns:
        None where it has no ``job_id``, so that no answer could name it.
    """
    # The environment comes last, and is the only value that can be long.
    echo, found, tail = message.partition(b"\0env=")
    pairs = dict(pair.partition(b"=")[::2] for pair in echo.split(b"\0") if pair)
    if b"job_id" not in pairs:
        return None
    environment = None
    if found:
        environment, _, after = tail.partition(b"\0")
        if after:
            echo += b"\0" + after.removesuffix(b"\0")
            pairs.update(pair.partition(b"=")[::2] for pair in after.split(b"\0") if pair)
    # As strtoul(3) reads it: white space, a plus, digits, and whatever follows is passed by.
    number = _NUMBER.match(pairs.get(b"timeout", b""))
    timeout = float(number[1]) if number else 0.0
    return Job(
        echo.removesuffix(b"\0") + b"\0", pairs.get(b"command"), timeout or DEFAULT_TIMEOUT, environment
    )


def finished(
    job: Job, start: float, stop: float, wait_status: int, output: bytes, errors: bytes = b""
) -> bytes:
    """The answer to a job that ran to its end.

    Args:
        start: seconds since the epoch, as ``stop``.
        wait_status: as wait(2) gives it: the exit code times 256, or the signal's number.
    """
    # ``type`` is in the request's pairs already: Nagios takes no answer for a check without it.
    return b"%bwait_status=%d\0start=%.6f\0stop=%.6f\0runtime=%.6f\0exited_ok=1\0outerr=%b\0outstd=%b\0%b" % (
        job.request,
        wait_status,
        start,
        stop,
        max(0.0, stop - start),
        printable(errors) if errors else b"",
        printable(output),
        DELIMITER,
    )


def timed_out(job: Job, start: float, stop: float, output: bytes = b"", errors: bytes = b"") -> bytes:
    """The answer to a job whose time-out was over; the core then has its own text and state for it."""
    return (
        b"%bwait_status=0\0start=%.6f\0stop=%.6f\0runtime=%.6f\0exited_ok=0\0error_code=%d\0"
        b"outerr=%b\0outstd=%b\0%b"
    ) % (
        job.request,
        start,
        stop,
        max(0.0, stop - start),
        TIMED_OUT,
        printable(errors),
        printable(output),
        DELIMITER,
    )


def refused(job: Job, reason: str) -> bytes:
    """The answer to a job that makes no sense."""
    return job.request + b"error_msg=" + printable(reason.encode()) + b"\0" + DELIMITER


class Answer(NamedTuple):
    """What a worker has answered, for those who take the core's part."""

    wait_status: int
    """As wait(2) gives it."""
    output: bytes
    errors: bytes
    timed_out: bool


def parse_answer(message: bytes) -> Answer:
    """Read an answer, with or without its delimiter.

    Where the job was refused, ``errors`` says why and the status is that of a program that cannot be run.
    """
    pairs = dict(pair.partition(b"=")[::2] for pair in message.removesuffix(DELIMITER).split(b"\0") if pair)
    if b"error_msg" in pairs:
        return Answer(3 << 8, b"", pairs[b"error_msg"], False)
    timed_out = pairs.get(b"exited_ok") != b"1"
    return Answer(
        int(pairs.get(b"wait_status", b"0")), pairs.get(b"outstd", b""), pairs.get(b"outerr", b""), timed_out
    )


def printable(text: bytes) -> bytes:
    """``text`` up to its first NUL, as the core's own workers cut it, and without the delimiter's 01."""
    if b"\0" in text or b"\1" in text:
        return text.partition(b"\0")[0].replace(b"\1", b" ")
    return text


def parse_environment(lines: bytes) -> dict[bytes, bytes]:
    """The variables of a job, read as the core's workers read them: ``NAME`` goes up to the next ``=``."""
    variables: dict[bytes, bytes] = {}
    while lines:
        name, equals, lines = lines.partition(b"=")
        if not equals:
            break
        variables[name], _, lines = lines.partition(b"\n")
    return variables
