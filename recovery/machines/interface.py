"""The seam to everything that touches the repaired machine.

Commands call the functions of a :class:`Machines`; the real one imports actions and transports late, because
paramiko alone costs 100 ms, and most calls by an engine end in "skipped".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from imap4.deadline import Deadline
from recovery.decision.turns import Turn
from recovery.model import Credential, Hop, Outcome, Plan, StepListener, Target
from recovery.requests import ActionRequest


@dataclass(frozen=True)
class Access:
    """How to reach a machine, and as whom: all that a connection needs."""

    target: Target
    credential: Credential
    known_hosts: tuple[str, ...] | None
    deadline: Deadline
    hops: tuple[Hop, ...] = ()
    """The jump hosts on the way, the first one first."""

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """All whose secrets are used on the way."""
        return self.credential, *(hop.credential for hop in self.hops)


@dataclass(frozen=True)
class ListedService:
    """A service as the machine lists it."""

    name: str
    state: str
    description: str = ""
    dependents: tuple[str, ...] = ()


@dataclass(frozen=True)
class DoctorFinding:
    """One thing that ``doctor`` looked at."""

    ok: bool
    title: str
    detail: str
    remedy: str = ""


class Machines(Protocol):
    """What can be done to a machine. Every method raises :class:`recovery.errors.RecoveryError`."""

    def locate(self, machine: str, port: int | None, deadline: Deadline) -> Target:
        """The machine's address: DNS, else NetBIOS name service."""
        ...

    def run(
        self,
        access: Access,
        request: ActionRequest,
        verify: str | None,
        progress: StepListener,
        turn: Turn | None = None,
    ) -> Outcome:
        """Do it, prove it, and tell each step as it happens.

        Args:
            turn: what is to be taken on the machine itself, among all who repair it; None takes none.
        """
        ...

    def plan(self, access: Access, request: ActionRequest, turn: Turn | None = None) -> Plan:
        """What :meth:`run` would do, after looking at the machine. Changes nothing."""
        ...

    def services(self, access: Access, pattern: str | None) -> Sequence[ListedService]:
        """The machine's services, those whose name matches ``pattern``."""
        ...

    def doctor(
        self, access: Access, services: Sequence[str], dependents: bool = True
    ) -> Sequence[DoctorFinding]:
        """What is well and what is not, and how to mend it. Changes nothing.

        Args:
            dependents: whether what depends on the services is restarted with them.
        """
        ...

    def test(self, access: Access) -> str:
        """Log in and run nothing but a greeting; returns what was found, in a line."""
        ...
