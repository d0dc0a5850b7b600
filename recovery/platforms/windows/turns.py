"""The list of turns on a Windows machine: a value in the registry (:mod:`recovery.platforms.turns`)."""

from __future__ import annotations

from collections.abc import Sequence

from imap4.deadline import Deadline
from recovery.platforms.windows.answers import script, texts, value
from recovery.transports.link import Link


def ask(link: Link, arguments: Sequence[str], *, deadline: Deadline) -> str:
    """What the machine says of its list, in the lines of Unix machines.

    Raises:
        RecoveryError: the machine was not reached, or runs no script.
    """
    answer = value(link.ask(script("turns"), arguments, deadline=deadline))
    return "\n".join(texts(answer.get("lines")))
