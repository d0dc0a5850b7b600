"""Who we are on the machine, on any platform."""

from __future__ import annotations

from imap4.deadline import Deadline
from recovery.transports.link import Link


def account(link: Link, *, deadline: Deadline) -> str:
    """The account's name as the machine knows it."""
    if link.language(deadline) == "powershell":
        from recovery.platforms.windows.about import about

        return about(link, deadline=deadline).account
    return link.ask("id -un", deadline=deadline).strip()
