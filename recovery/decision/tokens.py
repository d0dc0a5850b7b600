"""Alert tokens in the arguments of an external process: ``{host}``, ``{output}`` and so on. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from imap4.tokens import TOKEN, TOKENS
from recovery.decision.event import Event
from recovery.errors import UsageError


def fill(arguments: Sequence[str], event: Event | None) -> tuple[str, ...]:
    """The arguments with each token replaced by the event's text, once: no text is read as a token.

    ``{{`` and ``}}`` stand for one brace. Braces around anything but a word stay as they are, so that
    JSON and awk programs need no care. A value never leaves its argument: nothing is split or quoted.

    Raises:
        UsageError: a token is unknown, or there is no event to fill it from.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0][0]
        if name not in TOKENS:
            known = " ".join(f"{{{token}}}" for token in TOKENS)
            raise UsageError(f"{{{name}}} is no token; tokens are {known}; write {{{{{name}}}}} for the text")
        if event is None:
            raise UsageError(
                f"{{{name}}} is filled from an event, and there is none: give --event or --state"
            )
        found = getattr(event, name)
        # A process cannot be given a NUL in an argument; engines never send one.
        return "" if found is None else str(found).replace("\0", "")

    return tuple(TOKEN.sub(value, argument) for argument in arguments)
