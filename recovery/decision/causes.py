"""Why a test failed, as its status line says it, and which of these causes a repair can mend. Pure.

``check_imap4`` prints one cause in brackets at the end of its status line. Other plugins print none.
Some status lines come from the monitoring engine itself, because the plugin was missing or hung; they
say nothing about the server, so they are told apart here as ``engine.*``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from imap4.causes import CAUSES, Cause
from recovery.errors import UsageError

NO_CAUSE = "none"
"""The cause of a status line that names none: another plugin than check_imap4."""


def _mendable(action: str) -> Iterator[str]:
    """The causes that an action mends by default; a phase of which it mends all, as ``phase.*``."""
    phases: dict[str, list[Cause]] = {}
    for cause in CAUSES.values():
        phases.setdefault(cause.name.partition(".")[0], []).append(cause)
    for phase, causes in phases.items():
        if len(causes) > 1 and all(action in cause.actions for cause in causes):
            yield f"{phase}.*"
        else:
            yield from (cause.name for cause in causes if action in cause.actions)


_AT_END = re.compile(r"\[([a-z]+\.[a-z_]+)\]\s*(?:\|.*)?$", re.DOTALL)
# The engines' own words: Nagios' base/checks.c, Naemon's checks_service.c, Icinga's pluginchecktask.cpp.
_ENGINE = (
    ("engine.timeout", re.compile(r"\(?(?:service|host) check timed out", re.I)),
    ("engine.timeout", re.compile(r"<(?:terminated by signal .*|timeout exceeded.*)>", re.I)),
    ("engine.timeout", re.compile(r"remote icinga instance .* is not connected", re.I)),
    ("engine.plugin", re.compile(r"\(?return code of -?\d+ .*out of bounds", re.I)),
    ("engine.plugin", re.compile(r"\(?(?:no output (?:on stdout|returned from))", re.I)),
    ("engine.plugin", re.compile(r"(?:execvpe?|posix_spawn|/bin/sh|sh: ).*(?:fail|not found|no such)", re.I)),
    ("engine.plugin", re.compile(r"error: service is not .*(?:fresh|result)", re.I)),
)


def cause_of(output: str) -> str:
    """The cause that a status line names, ``engine.*`` where the engine wrote it, else ``none``.

    Only the end of the first line counts, and perfdata after ``|`` is not looked at: a server's own
    text in the middle of the line cannot pretend to be a cause.
    """
    line = output.strip().split("\n", 1)[0]
    found = _AT_END.search(line.split("|", 1)[0])
    if found:
        return found[1]
    for cause, pattern in _ENGINE:
        if pattern.match(line):
            return cause
    return NO_CAUSE


@dataclass(frozen=True)
class CauseSet:
    """The causes that a recovery acts on: patterns, of which the last that matches decides."""

    patterns: tuple[tuple[bool, str], ...]

    @classmethod
    def default(cls, action: str) -> CauseSet:
        """What the table of causes says that ``action`` may mend."""
        return cls(tuple((True, pattern) for pattern in _mendable(action)))

    @classmethod
    def parse(cls, text: str, action: str) -> CauseSet:
        """Read a comma list: ``connect.*,greeting.bye`` instead of the default, ``+dns.timeout`` or
        ``-logout.*`` on top of it, ``any`` for every cause, ``none`` for a line without one.

        Args:
            action: whose default the changes are made to.

        Raises:
            UsageError: a pattern matches no cause there is.
        """
        words = [word.strip() for word in text.split(",") if word.strip()]
        if not words:
            raise UsageError("the list is empty; write any, or causes such as connect.*,greeting.bye")
        relative = [word[0] in "+-" for word in words]
        if any(relative) and not all(relative):
            raise UsageError(f"{text!r} mixes a list with +changes to the default; use one of them")
        patterns = list(cls.default(action).patterns) if relative[0] else []
        for word in words:
            pattern = word.lstrip("+-")
            pattern = "*" if pattern == "any" else pattern
            if not any(fnmatchcase(cause, pattern) for cause in CAUSES):
                raise UsageError(f"{pattern!r} is no cause; causes are {', '.join(CAUSES)}")
            patterns.append((word[0] != "-", pattern))
        return cls(tuple(patterns))

    def __contains__(self, cause: str) -> bool:
        answer = False
        for wanted, pattern in self.patterns:
            if fnmatchcase(cause, pattern):
                answer = wanted
        return answer

    def __str__(self) -> str:
        return ",".join(pattern if wanted else f"-{pattern}" for wanted, pattern in self.patterns)
