"""What a Nagios or Naemon has made of its objects: the file that it writes at each start."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = {"imap4-pace": "imap4-monitor", "imap4-check-": "check_imap4", "imap4-recovery-": "imap4-recovery"}
"""Which program a rendered command runs, by how the command's name begins."""


@dataclass(frozen=True)
class Escalation:
    """Whom notifications ``first`` to ``last`` (0: all that follow) of a service reach."""

    host: str
    service: str
    first: int
    last: int
    members: frozenset[str]
    """Contacts and contact groups."""


@dataclass(frozen=True)
class ObjectCache:
    """The objects that matter here."""

    commands: dict[str, list[str]]
    """Rendered commands: the words of their lines, by name."""
    services: frozenset[tuple[str, str]]
    """Host and service of each rendered monitor."""
    contacts: frozenset[str]
    """Names of contacts and of contact groups."""
    periods: frozenset[str] = frozenset()
    """Names of time periods."""
    escalations: tuple[Escalation, ...] = ()
    """Those of services, each expanded to one service."""

    def programs(self) -> Iterator[tuple[str, str]]:
        """What each rendered command runs: the program that it should be, and the path; each pair once."""
        found = set()
        for command, words in self.commands.items():
            program = next((each for begin, each in PROGRAMS.items() if command.startswith(begin)), None)
            # A repair's line begins with variables for its environment.
            before = words.index("exec") + 1 if program == "imap4-recovery" and "exec" in words else 0
            path = next(iter(words[before:]), None)
            if program and path and (program, path) not in found:
                found.add((program, path))
                yield program, path

    def reported(self) -> set[str | None]:
        """The command files that rendered repairs name; None among them for one that names none."""
        option = "--nagios-command-file"
        lines = [words for name, words in self.commands.items() if name.startswith("imap4-recovery-")]
        return {words[words.index(option) + 1] if option in words[:-1] else None for words in lines}

    def pace(self, option: str) -> str | None:
        """The value of an option of the rendered event handler; None where it has none."""
        words = self.commands.get("imap4-pace", [])
        return words[words.index(option) + 1] if option in words[:-1] else None


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line.replace("$$", "$"))
    except ValueError:
        return []


def _escalation(values: dict[str, str]) -> Escalation:
    members = f"{values.get('contacts', '')},{values.get('contact_groups', '')}"
    return Escalation(
        values.get("host_name", ""),
        values.get("service_description", ""),
        int(values.get("first_notification") or 0),
        int(values.get("last_notification") or 0),
        frozenset(each.strip() for each in members.split(",") if each.strip()),
    )


def read(path: Path) -> ObjectCache:
    """Read the engine's cache of objects.

    Raises:
        OSError: it cannot be read.
    """
    commands: dict[str, list[str]] = {}
    services = set()
    contacts = set()
    periods = set()
    escalations = []
    text = path.read_text(errors="replace")
    for kind, body in re.findall(r"^define (\w+) \{\n(.*?)^\t\}$", text, re.DOTALL | re.MULTILINE):
        pairs = (line.strip("\t").partition("\t") for line in body.splitlines())
        # Nagios 4.5 writes a space after every value.
        values = {name: value.removesuffix(" ") for name, _, value in pairs}
        if kind == "command" and values.get("command_name", "").startswith(tuple(PROGRAMS)):
            commands[values["command_name"]] = _words(values.get("command_line", ""))
        elif kind == "service" and values.get("check_command", "").startswith("imap4-check-"):
            services.add((values.get("host_name", ""), values.get("service_description", "")))
        elif kind in ("contact", "contactgroup"):
            contacts.add(values.get(f"{kind}_name", ""))
        elif kind == "timeperiod":
            periods.add(values.get("timeperiod_name", ""))
        elif kind == "serviceescalation":
            escalations.append(_escalation(values))
    return ObjectCache(
        commands, frozenset(services), frozenset(contacts), frozenset(periods), tuple(escalations)
    )
