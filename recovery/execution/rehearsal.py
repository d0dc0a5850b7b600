"""Goes through a repair up to its last step, and finds what would keep it from working at night.

``rehearse`` asks of each repair that a definition could start: is its command line right, is the credential
there and allowed, can this host run the plugin that proves it, is a limit used up? Then, unless it is to stay
offline: does the machine let us in, and is there on it all that the repair needs? Nothing is changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from imap4.deadline import Deadline
from recovery.actions.verify import parse
from recovery.credentials.login_methods import SSH
from recovery.credentials.restrictions import check_name
from recovery.credentials.store import Store
from recovery.decision import policy
from recovery.errors import RecoveryError
from recovery.execution.prepare import prepare
from recovery.execution.recovery import asked
from recovery.execution.scrub import OutcomeScrubber
from recovery.history.recoveries import History
from recovery.machines.access import permitted_access
from recovery.machines.interface import Access, DoctorFinding, Machines
from recovery.model import Credential
from recovery.requests import ProcessTemplate, RecoveryRequest, RestartRequest

_OF_THE_MOMENT = ("lock", "cooldown", "pause")
"""Rules whose answer now says nothing of tonight."""
_NO_WAY = (
    *("restriction", "name", "key", "agent", "known hosts", "port", "host key", "login", "platform"),
    *("connection", "certificate"),
)
"""What doctor finds where nothing more can be asked of the machine."""
_PATIENCE = 60.0
"""Seconds for each machine."""


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
class Rehearsal:
    """What several repairs share, so that each machine is asked once for the same."""

    machines: Machines
    history: History
    offline: bool
    _seen: dict[object, list[DoctorFinding]] = field(default_factory=dict)

    def of(self, request: RecoveryRequest) -> list[Problem]:
        """All that would keep the repair from working; each is found whatever was found before."""
        problems = [*self._here(request)]
        credential, more = self._credential(request)
        problems += more
        problems += self._limits(request)
        if not self.offline and credential is not None and not more:
            problems += self._there(request, credential)
        return list(dict.fromkeys(problems))

    def _here(self, request: RecoveryRequest) -> Iterator[Problem]:
        try:
            prepare(request)
        except RecoveryError as error:
            yield Problem("command", str(error))
        if request.verify is None:
            return
        program = parse(request.verify)[0]
        if shutil.which(program) is None:
            why = "may not be run by this user" if os.path.exists(program) else "is not there"
            yield Problem("verify", f"{program} {why}, so that no repair could be proven")

    def _credential(self, request: RecoveryRequest) -> tuple[Credential | None, list[Problem]]:
        """The credential, and what is wrong with it as far as this host can say."""
        try:
            credential = Store(request.paths).get(request.access.credential)
        except RecoveryError as error:
            return None, [Problem("credential", str(error))]
        try:
            check_name(credential, request.access.machine, request.action)
            if credential.method in SSH:
                # Here and not above: paramiko takes 0.1 s to load.
                from recovery.transports.ssh.login import refuse_unusable

                refuse_unusable(credential)
        except RecoveryError as error:
            return credential, [Problem("credential", str(error))]
        return credential, []

    def _limits(self, request: RecoveryRequest) -> Iterator[Problem]:
        facts, now = self.history.look(asked(request), locked=True)
        answers = policy.explain(request.event, request.rules, facts, now)
        for answer in answers:
            if answer.reason and answer.rule not in _OF_THE_MOMENT:
                yield Problem("rules", answer.reason)

    def _there(self, request: RecoveryRequest, credential: Credential) -> Iterator[Problem]:
        deadline, scrubber = Deadline(_PATIENCE), OutcomeScrubber(credential)
        store = Store(request.paths)
        try:
            access = permitted_access(request.access, request.action, store, self.machines, deadline)
        except RecoveryError as error:
            yield Problem("machine", scrubber.text(str(error)))
            return
        findings = self._findings(request, access)
        bad = [finding for finding in findings if not finding.ok]
        for finding in bad:
            yield Problem(finding.title, scrubber.text(finding.detail), scrubber.text(finding.remedy))
        if any(finding.title in _NO_WAY for finding in bad):
            return
        try:
            for line in self.machines.plan(access, prepare(request)):
                if line.startswith("would fail: "):
                    yield Problem("plan", scrubber.text(line.removeprefix("would fail: ")))
        except RecoveryError as error:
            yield Problem("plan", scrubber.text(str(error)))

    def _findings(self, request: RecoveryRequest, access: Access) -> list[DoctorFinding]:
        """What doctor finds for the repair; each machine is asked once for the same."""
        work = request.work
        services: tuple[str, ...] = ()
        dependents = True
        if isinstance(work, RestartRequest):
            services, dependents = work.services, work.dependents
        # Actions differ in how long they may take, which is no matter to who only looks.
        key = (replace(request.access, timeout=0.0), services, dependents)
        if key not in self._seen:
            try:
                self._seen[key] = [*self.machines.doctor(access, services, dependents)]
            except RecoveryError as error:
                self._seen[key] = [DoctorFinding(False, "machine", str(error))]
        # What a process may do, its own rights decide; the account's others are no matter here.
        beside = ("privilege", "sudoers") if isinstance(work, ProcessTemplate) else ()
        return [finding for finding in self._seen[key] if finding.title not in beside]
