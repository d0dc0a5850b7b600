"""Proof from outside: a plugin command, run here until it exits with 0 or the time is up."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass

from imap4.deadline import Deadline
from recovery.actions.steps import Story, printable
from recovery.errors import UsageError
from recovery.model import Outcome, Verdict

_TRY_SECONDS = 60.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0


@dataclass(frozen=True)
class Verified:
    """How the last try of the command ended."""

    ok: bool
    line: str


def parse(command: str) -> list[str]:
    """The words of a ``--verify`` command; they are never given to a shell.

    Raises:
        UsageError: it is empty, or its quotes do not match.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{command!r}: {error}") from None
    if not words:
        raise UsageError("the command is empty")
    return words


def verify(command: str, deadline: Deadline, story: Story | None = None) -> Verified:
    """Run the plugin ``command`` until it exits with 0, with a growing pause, or ``deadline`` ends it.

    Raises:
        UsageError: see ``parse``.
    """
    words, pause = parse(command), _FIRST_PAUSE
    last = Verified(False, "no time was left for it")
    while deadline.left > 0.1:
        told = last
        last = _try(words, deadline.share(_TRY_SECONDS))
        if story and last != told:
            story.tell("verify", last.line)
        if last.ok:
            break
        time.sleep(min(pause, deadline.left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return last


def _try(words: list[str], deadline: Deadline) -> Verified:
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # A plugin speaks on standard output; an unread pipe for the rest would hold it up when full.
            stderr=subprocess.DEVNULL,
            # So that its children end with it at the time-out, by the process group.
            start_new_session=True,
        )
    except OSError as error:
        return Verified(False, f"{words[0]}: {error.strerror}")
    try:
        output, _ = process.communicate(timeout=deadline.left)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()
        return Verified(False, f"{words[0]}: no result within {deadline.seconds:.0f} s")
    lines = output.decode("utf-8", "replace").splitlines()
    return Verified(process.returncode == 0, printable(lines[0]) if lines else f"exit {process.returncode}")


def conclude(story: Story, summary: str, command: str | None, deadline: Deadline) -> Outcome:
    """The outcome of an action whose own proof is there: PROVEN, if ``command`` (if any) agrees."""
    if command is None:
        return story.end(Verdict.PROVEN, summary)
    verified = verify(command, deadline, story)
    story.verify = verified.line
    if verified.ok:
        # The status line up to its performance data, which is for graphs.
        return story.end(Verdict.PROVEN, f"{summary}, {verified.line.partition('|')[0].strip()}")
    return story.end(Verdict.NOT_PROVEN, f"{summary}, but verify still says: {verified.line}")
