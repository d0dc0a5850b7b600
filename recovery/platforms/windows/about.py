"""Who we are on a Windows machine, and how WinRM is set up there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imap4.deadline import Deadline
from recovery.platforms.windows.answers import script, texts, value
from recovery.transports.link import Link


@dataclass(frozen=True)
class About:
    """What the machine says of itself and of the account."""

    account: str
    administrator: bool
    machine: str
    system: str
    """``Microsoft Windows Server 2022 Standard (10.0.20348)``."""
    powershell: str
    language: str
    """PowerShell's language mode for the account."""
    clock: float
    """Its time, in seconds since 1970 UTC."""
    listeners: tuple[str, ...]
    """() also where the account may not read them."""
    settings: Mapping[str, str]
    """Authentication methods and ``AllowUnencrypted``, each ``true`` or ``false``; empty as above."""


def about(link: Link, *, deadline: Deadline) -> About:
    """Ask the machine.

    Raises:
        RecoveryError: it was not reached, or the script failed.
    """
    answer = value(link.ask(script("about"), deadline=deadline))
    settings = answer.get("settings")
    return About(
        account=str(answer.get("account", "")),
        administrator=answer.get("administrator") is True,
        machine=str(answer.get("machine", "")),
        system=f"{answer.get('system', 'Windows')} ({answer.get('version', '?')})",
        powershell=str(answer.get("powershell", "")),
        language=str(answer.get("language", "")),
        clock=float(str(answer.get("clock") or 0)),
        listeners=tuple(texts(answer.get("listeners"))),
        settings={str(k): str(v) for k, v in settings.items()} if isinstance(settings, dict) else {},
    )
