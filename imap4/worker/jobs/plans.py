"""What is to be done about a command line; found out once for each, and remembered."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from imap4.check.options import HelpWanted, Options, UsageError, parse_arguments
from imap4.hostnames import family_of
from imap4.text import usage_line
from imap4.worker.jobs.command_line import split
from imap4.worker.jobs.templates import Templates

_MAX_PLANS = 100_000
_LOOK_AGAIN = 1.0
"""Seconds for which a plugin's file is taken to be as it was."""


class Plan(NamedTuple):
    """What to do. With neither options nor an answer, the command is run as a program."""

    program: bytes
    """The command's first word."""
    options: Options | None = None
    """For a check that is run here."""
    answer: tuple[int, bytes] | None = None
    """Exit code and output, where they are the same every time: the command line is wrong."""
    names: bool = False
    """Whether the resolver is asked."""
    files: bool = False
    """Whether files are read before the test."""
    templates: Templates | None = None


class Planner:
    """Command lines -> plans."""

    def __init__(self, plugins: Iterable[str], naemon: bool = False) -> None:
        """
        Args:
            plugins: more paths of programs that are this plugin.
            naemon: whether the core is Naemon.
        """
        self._naemon = naemon
        self._plans: dict[bytes | tuple[str, ...], Plan] = {}
        self._programs = _Programs(plugins)

    def plan(self, command: bytes, environment: bytes | None) -> Plan:
        """Decide; cheap for what was decided before."""
        plan = self._plans.get(command)
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[command] = self._decide(command)
        if plan.options is None and plan.answer is None:
            return plan
        if not self._programs.is_ours(plan.program) or (environment and not _only_macros(environment)):
            return Plan(plan.program)
        return plan

    @property
    def as_started(self) -> bool:
        """Whether the plugin on the disk is still the one that this process has loaded."""
        return self._programs.as_started

    def plan_arguments(self, arguments: tuple[str, ...]) -> Plan:
        """As :meth:`plan`, for the arguments of a program that is this plugin."""
        plan = self._plans.get(arguments)
        if plan is None:
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[arguments] = _decide(b"", arguments)
        return plan

    def _decide(self, command: bytes) -> Plan:
        words = split(command, self._naemon)
        # To Nagios a first word with ``=`` is a variable (lib/runcmd.c); the program must see it.
        if not words or b"=" in words[0]:
            return Plan(b"")
        as_program = Plan(words[0])
        try:
            arguments = [word.decode() for word in words[1:]]
        except UnicodeDecodeError:
            return as_program
        # The plugin would read its arguments in another encoding than we did.
        if not command.isascii() and sys.getfilesystemencoding() != "utf-8":
            return as_program
        return _decide(words[0], arguments)


def _decide(program: bytes, arguments: Sequence[str]) -> Plan:
    as_program = Plan(program)
    try:
        options = parse_arguments(arguments)
    except UsageError as error:
        return Plan(program, answer=(3, usage_line("IMAP4", error).encode("utf-8", "replace")))
    except HelpWanted:
        return as_program  # its text is as wide as the terminal
    except Exception:
        return as_program  # the plugin will know what to say
    if not _runs_here(options):
        return as_program
    return Plan(
        program,
        options,
        names=options.unix_path is None and family_of(options.host) is None,
        files=options.login or options.tls != "none",
        templates=Templates(options),
    )


def _runs_here(options: Options) -> bool:
    """Whether the check can be run among others in one process."""
    # A pattern with repeats can take long on a text that was made for it, and all others would wait.
    slow_pattern = options.expect is not None and any(sign in options.expect for sign in "*+?{")
    return options.password_fd is None and not slow_pattern and not options.no_worker


def _only_macros(environment: bytes) -> bool:
    """Whether the variables are the core's own, which the check does not look at."""
    lines = environment.split(b"\n")
    return all(line.startswith((b"NAGIOS_", b"NAEMON_")) for line in lines if line)


class _Programs:
    """Which programs are this very plugin, so that answering for them is no lie."""

    def __init__(self, more: Iterable[str]) -> None:
        package = Path(__file__).parents[2]
        beside = (Path(program).parent / "check_imap4" for program in (sys.argv[0], sys.executable))
        paths = (package.parent / "check_imap4.py", *beside, *map(Path, more))
        self._ours = {os.path.realpath(path) for path in paths if os.path.exists(path)}
        self._code = sorted(map(str, [*package.glob("*.py"), *(package / "check").rglob("*.py")]))
        self._loaded = self._state()
        self._known: dict[bytes, bool] = {}
        self._known_until = 0.0
        self._upgraded = False

    def is_ours(self, word: bytes) -> bool:
        """Whether this first word of a command runs this plugin, as it was when we were started."""
        self._look_again()
        known = self._known.get(word)
        if known is None:
            known = self._known[word] = self._look(os.fsdecode(word))
        return known

    @property
    def as_started(self) -> bool:
        """Whether nothing of it was upgraded under our feet."""
        self._look_again()
        return not self._upgraded

    def _look_again(self) -> None:
        now = time.monotonic()
        if now >= self._known_until:
            self._known.clear()
            self._known_until = now + _LOOK_AGAIN
            if self._state() != self._loaded:
                self._upgraded = True
                self._ours.clear()  # from now on, the new one is run

    def _look(self, word: str) -> bool:
        path = word if "/" in word else shutil.which(word)
        if not path or os.path.realpath(path) not in self._ours:
            return False
        return os.access(path, os.X_OK) and stat.S_ISREG(os.stat(path).st_mode)

    def _state(self) -> list[tuple[int, int] | None]:
        return [_identity(path) for path in (*sorted(self._ours), *self._code)]


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
