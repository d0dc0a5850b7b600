"""What a repair would do on its machine, and what would keep it from working: for dry runs and rehearsals."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from recovery.decision.turns import Turn
from recovery.errors import RecoveryError
from recovery.execution.prepare import prepare
from recovery.execution.scrub import OutcomeScrubber
from recovery.machines.interface import Access, DoctorFinding, Machines
from recovery.model import Plan, Verdict
from recovery.requests import ProcessTemplate, RecoveryRequest, RestartRequest

_NO_WAY = (
    *("restriction", "name", "key", "agent", "known hosts", "port", "host key", "login", "platform"),
    *("connection", "certificate", "machine", "jump"),
)
"""What doctor finds where nothing more can be asked of the machine."""
_NO_MATTER = ("clock", "settings", "user certificate")
"""What doctor calls bad, and a repair works with all the same."""


@dataclass(frozen=True)
class Problem:
    """What would keep a repair from working."""

    what: str
    """Where it was found: ``credential``, ``login``, ``service`` ..."""
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.text}"


@dataclass
class Preview:
    """Looks at machines, at each once for the same; changes nothing there."""

    machines: Machines
    _seen: dict[object, list[DoctorFinding]] = field(default_factory=dict)

    def of(
        self, request: RecoveryRequest, access: Access, turn: Turn | None = None
    ) -> tuple[Plan, list[Problem]]:
        """What would be done, and what would keep it from working, without secrets.

        Args:
            turn: what would be taken on the machine; without one, what others do there is no matter.

        Raises:
            RecoveryError: it could not be looked at.
        """
        scrubber = OutcomeScrubber(*access.credentials)
        bad = [finding for finding in self._findings(request, access) if not finding.ok]
        problems = [
            Problem(one.title, scrubber.text(one.detail), scrubber.text(one.remedy))
            for one in bad
            if one.title not in _NO_MATTER
        ]
        if any(one.title in _NO_WAY for one in bad):
            return Plan(()), problems
        plan = self.machines.plan(access, prepare(request), turn)
        # What doctor found keeps the action from it too. A skip is of the moment: the service is starting.
        if not problems and plan.verdict in (Verdict.FAILED, Verdict.NOT_PROVEN):
            problems.append(Problem("plan", scrubber.text(plan.reason)))
        return plan, problems

    def _findings(self, request: RecoveryRequest, access: Access) -> list[DoctorFinding]:
        work = request.work
        services: tuple[str, ...] = ()
        dependents = True
        if isinstance(work, RestartRequest):
            services, dependents = work.services, work.dependents
        # The rights for what else the credential is for are no matter here, nor is how long it may take.
        credential = replace(access.credential, actions=(request.action,))
        needs = credential.actions if not isinstance(work, ProcessTemplate) else ()
        key = (replace(request.access, timeout=0.0), services, dependents, needs)
        if key not in self._seen:
            try:
                found = self.machines.doctor(replace(access, credential=credential), services, dependents)
                self._seen[key] = [*found]
            except RecoveryError as error:
                self._seen[key] = [DoctorFinding(False, "machine", str(error))]
        # What a process may do, its own rights decide; the account's others are no matter.
        beside = ("privilege", "sudoers") if isinstance(work, ProcessTemplate) else ()
        return [finding for finding in self._seen[key] if finding.title not in beside]
