"""The seam to everything that touches the repaired machine.

Commands call the functions of a :class:`FarSide`; the real one imports the far packages late, because
paramiko alone costs 100 ms, and most calls by an engine end in "skipped".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from imap4.deadline import Deadline
from recovery.model import Credential, Outcome, Step, Target

Progress = Callable[[Step], None]


@dataclass(frozen=True)
class RestartService:
    """Restart ``services``, and what depends on them."""

    services: tuple[str, ...]
    dependents: bool = True
    settle: float = 3.0
    """Seconds for which they must stay up."""


@dataclass(frozen=True)
class RebootServer:
    """Reboot the machine, unless it came up less than ``min_uptime`` seconds ago."""

    min_uptime: float = 600.0


@dataclass(frozen=True)
class ExternalProcess:
    """Run a command on the machine, its arguments exactly as they are here."""

    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    stdin: bytes = b""
    cwd: str | None = None
    success_exit_status: tuple[int, ...] = (0,)


Request = RestartService | RebootServer | ExternalProcess


@dataclass(frozen=True)
class Link:
    """How to reach the machine: all that a connection needs."""

    target: Target
    credential: Credential
    known_hosts: tuple[str, ...] | None
    deadline: Deadline


@dataclass(frozen=True)
class ListedService:
    """A service as the machine lists it."""

    name: str
    state: str
    description: str = ""
    dependents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing that ``doctor`` looked at."""

    ok: bool
    title: str
    detail: str
    remedy: str = ""


class FarSide(Protocol):
    """What can be done to a machine. Every method raises :class:`recovery.model.RecoveryError`."""

    def locate(self, machine: str, port: int | None, deadline: Deadline) -> Target:
        """The machine's address: DNS, else NetBIOS name service."""
        ...

    def run(self, link: Link, request: Request, verify: str | None, progress: Progress) -> Outcome:
        """Do it, prove it, and tell each step as it happens."""
        ...

    def plan(self, link: Link, request: Request) -> Sequence[str]:
        """Sentences that say what :meth:`run` would do, after looking at the machine. Changes nothing."""
        ...

    def services(self, link: Link, pattern: str | None) -> Sequence[ListedService]:
        """The machine's services, those whose name matches ``pattern``."""
        ...

    def doctor(self, link: Link, services: Sequence[str]) -> Sequence[Finding]:
        """What is well and what is not, and how to mend it. Changes nothing."""
        ...

    def test(self, link: Link) -> str:
        """Log in and run nothing but a greeting; returns what was found, in a line."""
        ...
