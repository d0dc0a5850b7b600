"""What is to be done about a command line; found out once for each, and remembered."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from imap4.check.options import HelpWanted, Options, UsageError, parse_arguments
from imap4.hostnames import family_of
from imap4.text import usage_line
from imap4.worker.jobs.command_line import split
from imap4.worker.jobs.ours import PACKAGE, Ours, beside
from imap4.worker.jobs.templates import Templates

_MAX_PLANS = 100_000


class Done(NamedTuple):
    """How something that is no check ended, as if it had been a program."""

    code: int = 0
    """The exit code."""
    output: bytes = b""
    errors: bytes = b""


Doing = Callable[[float, Callable[[float], object]], Done]
"""Does something in the process. It is given when the job came, in seconds since the epoch, and what lets the
others run for so many seconds."""


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
    doing: Doing | None = None
    """For what is no check, and is done here all the same."""

    @property
    def here(self) -> bool:
        """Whether no program is run."""
        return self.options is not None or self.answer is not None or self.doing is not None


class Handler(Protocol):
    """Knows commands that are no checks and can be done here."""

    def plan(self, command: bytes, naemon: bool) -> Plan | None:
        """What to do; None where it is not the handler's business.

        Called at each job, so its plan is as cheap as it can be; nothing of it is kept.
        """


class Planner:
    """Command lines -> plans."""

    def __init__(
        self, plugins: Iterable[str], naemon: bool = False, handlers: Sequence[Handler] = ()
    ) -> None:
        """
        Args:
            plugins: more paths of programs that are this plugin.
            naemon: whether the core is Naemon.
            handlers: asked in their order.
        """
        self._naemon = naemon
        self._handlers = handlers
        self._plans: dict[bytes | tuple[str, ...], Plan] = {}
        paths = (PACKAGE.parent / "check_imap4.py", *beside("check_imap4"), *map(Path, plugins))
        self._plugin = Ours(paths, [*PACKAGE.glob("*.py"), *(PACKAGE / "check").rglob("*.py")])

    def plan(self, command: bytes, environment: bytes | None) -> Plan:
        """Decide; cheap for what was decided before."""
        plan = self._plans.get(command)
        if plan is None:
            for handler in self._handlers:
                found = handler.plan(command, self._naemon)
                if found is not None:
                    return Plan(found.program) if environment and not _only_macros(environment) else found
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[command] = self._decide(command)
        if not plan.here:
            return plan
        if not self._plugin.is_ours(plan.program) or (environment and not _only_macros(environment)):
            return Plan(plan.program)
        return plan

    @property
    def as_started(self) -> bool:
        """Whether the plugin on the disk is still the one that this process has loaded."""
        return self._plugin.as_started

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
