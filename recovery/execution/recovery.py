"""One recovery on its way from the decision to the last line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from imap4.deadline import Deadline
from imap4.scrub import Scrubber
from recovery.caller import caller
from recovery.credentials.store import Store
from recovery.decision.event import Event
from recovery.errors import UsageError
from recovery.execution import output
from recovery.execution.prepare import missing_verify
from recovery.execution.report import report, report_skip
from recovery.history.recoveries import Asked, History
from recovery.machines.access import permitted_access
from recovery.machines.interface import Access, Machines
from recovery.model import Outcome
from recovery.requests import RecoveryRequest
from recovery.signals import Signalled


@dataclass(frozen=True)
class Result:
    """How a recovery ended: what the last line, the JSON and the engine are told."""

    code: int
    """The exit code."""
    verdict: str
    summary: str
    outcome: Outcome | None = None


@dataclass
class Recovery:
    """What one call carries: the request, what it needs, and its entry in the history once it has one."""

    request: RecoveryRequest
    machines: Machines
    history: History
    deadline: Deadline
    number: int = 0
    """The number of its entry; 0 before there is one."""

    def access(self, address: str = "") -> Access:
        """All that a connection needs, with the restrictions asked; see :func:`permitted_access`."""
        return access_for(self.request, self.machines, self.deadline, address)

    def note(self, state: str, reason: str) -> None:
        """Write down that it ended before anything was begun: ``skipped`` or ``failed``."""
        self.number = self.history.note(asked(self.request), state, reason)

    def tell(self, result: Result) -> int:
        """Tell the engine whose event it was, and print the last line; returns the exit code."""
        line = output.last_line(self.request.title, result.code, result.summary)
        at = self.deadline.elapsed
        told = report(self.request.event, self.history, self.number, line, at, self.request.output)
        return self._end(result.code, result.verdict, result.summary, told, result.outcome)

    def skip(self, reason: str, event: Event | None, outcome: Outcome | None = None) -> int:
        """Tell a skip, the engine of ``event`` too; returns the exit code.

        Args:
            outcome: what was found on the machine, where it came so far.
        """
        text = f"skipped: {reason}"
        line = output.last_line(self.request.title, 0, text)
        # At 0 s: nothing was begun, so nothing took time.
        told = report_skip(event, self.history, self.number, line, self.request.output)
        return self._end(0, "skipped", text, told, outcome)

    def _end(
        self, code: int, verdict: str, summary: str, reported: str | None, outcome: Outcome | None
    ) -> int:
        more: dict[str, Any] = {} if reported is None else {"report": reported}
        return output.end(self.request, code, verdict, summary, number=self.number, outcome=outcome, **more)


def access_for(request: RecoveryRequest, machines: Machines, deadline: Deadline, address: str = "") -> Access:
    """What :func:`permitted_access` says for the action of ``request``.

    Raises:
        RecoveryError: as there; and UsageError where the plugin that is to prove it cannot be run, which
            must not show only after the machine was rebooted.
    """
    if problem := missing_verify(request):
        raise UsageError(f"--verify: {problem}; nothing was done")
    store = Store(request.paths)
    return permitted_access(request.access, request.action, store, machines, deadline, address)


def asked(request: RecoveryRequest, address: str = "") -> Asked:
    """What is written down of a request: what was asked for, and by whom."""
    by = caller() if request.event is None else f"{request.event} ({caller()})"
    access = request.access
    return Asked(
        request.action, access.machine, access.credential, request.subject, by, request.event, address
    )


def failure(error: BaseException, scrubber: Scrubber | None = None) -> Result:
    """An error as a result; one of usage has exit code 3."""
    text = str(error) if scrubber is None else scrubber.text(str(error))
    if isinstance(error, Signalled):
        text = f"ended by {text} before anything was done"
    return Result(3 if isinstance(error, UsageError) else 2, "failed", text)
