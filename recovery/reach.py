"""The far side as it really is: each method imports what it needs, when it is needed."""

from __future__ import annotations

from collections.abc import Sequence

from imap4.deadline import Deadline
from recovery.far import Finding, Link, ListedService, Progress, Request
from recovery.model import Outcome, RecoveryError, Target


class Machines:
    """Reaches machines over the network; see :class:`recovery.far.FarSide` for each method."""

    def locate(self, machine: str, port: int | None, deadline: Deadline) -> Target:
        raise RecoveryError("not merged yet")

    def run(self, link: Link, request: Request, verify: str | None, progress: Progress) -> Outcome:
        raise RecoveryError("not merged yet")

    def plan(self, link: Link, request: Request) -> Sequence[str]:
        raise RecoveryError("not merged yet")

    def services(self, link: Link, pattern: str | None) -> Sequence[ListedService]:
        raise RecoveryError("not merged yet")

    def doctor(self, link: Link, services: Sequence[str]) -> Sequence[Finding]:
        raise RecoveryError("not merged yet")

    def test(self, link: Link) -> str:
        raise RecoveryError("not merged yet")
