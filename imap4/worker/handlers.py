"""What a core runs at every failing test beside the check, done here instead of forked.

A mass outage is when a core has the most to do: with each failing test it runs the event handler
(``imap4-monitor pace``) and, between two alerts, a notification that tells nobody (``/bin/true``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from imap4.monitor.engines.nagios import pace_program
from imap4.worker.jobs.command_line import split
from imap4.worker.jobs.ours import PACKAGE, Ours, beside
from imap4.worker.jobs.plans import Doing, Done, Plan
from imap4.worker.settings import HANDLED

_MONITOR, _SILENCE = (name.encode() for name in HANDLED)


def handlers(monitors: Iterable[str] = ()) -> tuple[Pace, Silence]:
    """All that there are, for the names of ``HANDLED``.

    Args:
        monitors: more paths of programs that are this imap4-monitor.
    """
    return Pace(monitors), Silence()


class Silence:
    """The notification that tells nobody."""

    def plan(self, command: bytes, naemon: bool) -> Plan | None:
        """``/bin/true`` as it is rendered, and only where it is there: a core that misses it says so."""
        if command != _SILENCE or not os.access(_SILENCE, os.X_OK):
            return None
        return Plan(command, doing=lambda _came, _pause: Done())


class Pace:
    """The event handler, by the program's own code."""

    def __init__(self, more: Iterable[str]) -> None:
        code = [*PACKAGE.glob("*.py"), *(PACKAGE / "monitor").rglob("*.py")]
        self._asked: dict[str, float] = {}
        self._program = Ours([*beside("imap4-monitor"), *map(Path, more)], code)

    def plan(self, command: bytes, naemon: bool) -> Plan | None:
        """The handler as it is rendered; another use of the program is run as a program."""
        word = command.partition(b" ")[0]
        if word.rpartition(b"/")[2] != _MONITOR:
            return None
        words = split(command, naemon)
        as_program = Plan(word)
        # The program would read its arguments in another encoding than we do.
        if not command.isascii() and sys.getfilesystemencoding() != "utf-8":
            return as_program
        if words is None or words[:2] != [word, b"pace"] or not self._program.is_ours(word):
            return as_program
        request = pace_program.read(os.fsdecode(b"\0".join(words[2:])).split("\0"))
        return as_program if request is None else Plan(word, doing=self._pacing(request))

    def asked(self, arguments: Sequence[str]) -> tuple[Doing, list[str]] | None:
        """What to do for a program that is this one, and the engine's files that it is about.

        Args:
            arguments: those after ``pace``.

        Returns:
            None where the program is to do it itself.
        """
        request = pace_program.read(arguments) if self._program.as_started else None
        if request is None:
            return None
        return self._pacing(request), [path for path in (request.command_file, request.retention) if path]

    def _pacing(self, request: pace_program.Request) -> Doing:
        def pace(came: float, pause: Callable[[float], object]) -> Done:
            trouble = pace_program.perform(request, came, pause, self._asked)
            return Done(1, errors=f"{trouble}\n".encode("utf-8", "backslashreplace")) if trouble else Done()

        return pace
