"""Goes through a repair up to its last step, and finds what would keep it from working at night.

``rehearse`` asks of each repair that a definition could start: is its command line right, is the credential
there and allowed, can this host run the plugin that proves it, is a limit used up? Then, unless it is to stay
offline: does the machine let us in, and is there on it all that the repair needs? Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imap4.deadline import Deadline
from recovery.credentials.login_methods import SSH
from recovery.credentials.restrictions import JUMP, check_name
from recovery.credentials.store import Store
from recovery.decision import policy
from recovery.errors import LoginFailed, RecoveryError
from recovery.execution.prepare import missing_verify, prepare
from recovery.execution.preview import Preview, Problem
from recovery.execution.recovery import asked
from recovery.execution.scrub import OutcomeScrubber
from recovery.history.recoveries import History
from recovery.machines.access import jump_credential, permitted_access
from recovery.machines.interface import Machines
from recovery.model import Credential
from recovery.requests import RecoveryRequest

_OF_THE_MOMENT = ("lock", "cooldown", "pause")
"""Rules whose answer now says nothing of tonight."""
_PATIENCE = 60.0
"""Seconds for each machine."""


@dataclass
class Rehearsal:
    """What several repairs share, so that each machine is asked once for the same."""

    machines: Machines
    history: History
    offline: bool

    def __post_init__(self) -> None:
        self._preview = Preview(self.machines)

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
        if problem := missing_verify(request):
            yield Problem("verify", problem)

    def _credential(self, request: RecoveryRequest) -> tuple[Credential | None, list[Problem]]:
        """The credential, and what is wrong with it as far as this host can say."""
        try:
            credential = Store(request.paths).get(request.access.credential)
        except RecoveryError as error:
            return None, [Problem("credential", str(error))]
        problems = []
        try:
            check_name(credential, request.access.machine, request.action)
            self._refuse_unusable(credential)
        except RecoveryError as error:
            problems.append(Problem("credential", str(error)))
        for jump in request.access.jumps:
            try:
                other = jump_credential(request.access, jump, Store(request.paths))
                check_name(other, jump.host, JUMP)
                self._refuse_unusable(other)
            except RecoveryError as error:
                problems.append(Problem("jump", f"jump host {jump.host}: {error}"))
        return credential, problems

    def _refuse_unusable(self, credential: Credential) -> None:
        if credential.method not in SSH:
            return
        # Here and not above: paramiko takes 0.1 s to load.
        from recovery.transports.ssh.login import about_certificate, refuse_unusable

        refuse_unusable(credential)
        told, fits = about_certificate(credential)
        # Where the machine is asked, it says itself whether the key does without.
        if self.offline and not fits:
            raise LoginFailed(told)

    def _limits(self, request: RecoveryRequest) -> Iterator[Problem]:
        facts, now = self.history.look(asked(request), locked=True)
        answers = policy.explain(request.event, request.rules, facts, now)
        for answer in answers:
            if answer.reason and answer.rule not in _OF_THE_MOMENT:
                yield Problem("rules", answer.reason)

    def _there(self, request: RecoveryRequest, credential: Credential) -> Iterator[Problem]:
        deadline = Deadline(_PATIENCE)
        scrubber = OutcomeScrubber(credential)
        store = Store(request.paths)
        try:
            access = permitted_access(request.access, request.action, store, self.machines, deadline)
        except RecoveryError as error:
            yield Problem("machine", scrubber.text(str(error)))
            return
        try:
            _, problems = self._preview.of(request, access)
            yield from problems
        except RecoveryError as error:
            yield Problem("plan", scrubber.text(str(error)))
