"""The services of a machine, to pick from: name, state and dependents."""

from __future__ import annotations

from fnmatch import fnmatchcase

from imap4.deadline import Deadline
from recovery.platforms import ServiceFacts
from recovery.platforms.detect import detect
from recovery.transports.link import Connect, Link


def list_services(connect: Connect, pattern: str | None = None, *, deadline: Deadline) -> list[ServiceFacts]:
    """The machine's services by name; those that exist and match ``pattern``.

    A pattern with ``*``, ``?`` or ``[`` must match the whole name, with or without ``.service``; any other
    is looked for inside the name.

    Raises:
        RecoveryError: no way to the machine.
    """
    with Link(connect) as link:
        platform = detect(link, deadline=deadline)
        names = [name for name in platform.services(link, deadline=deadline) if matches(name, pattern)]
        found = platform.facts(link, names, deadline=deadline)
    # An alias has the facts of its service.
    return list({facts.name: facts for facts in found if facts.exists or facts.masked}.values())


def matches(name: str, pattern: str | None) -> bool:
    """Whether a service's name is what ``pattern`` looks for."""
    if not pattern:
        return True
    if any(sign in pattern for sign in "*?["):
        return fnmatchcase(name, pattern) or fnmatchcase(name.removesuffix(".service"), pattern)
    return pattern in name
