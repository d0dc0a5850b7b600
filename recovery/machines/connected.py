"""The machines as they really are.

Most calls by an engine end in "skipped" and come to no machine, so each method imports what it needs:
actions and platforms take 20 ms, paramiko another 100 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

from imap4.deadline import Deadline
from recovery.credentials.login_methods import is_winrm
from recovery.decision.turns import Turn
from recovery.machines.interface import Access, DoctorFinding, ListedService
from recovery.model import Outcome, Plan, StepListener, Target, Transport
from recovery.requests import ActionRequest, RebootRequest, RestartRequest


class _How(TypedDict):
    """What all actions are told."""

    become: bool
    deadline: Deadline
    progress: StepListener
    verify: str | None
    turn: Turn | None


class ConnectedMachines:
    """Reaches machines over the network; :class:`recovery.machines.interface.Machines` tells how."""

    def locate(self, machine: str, port: int | None, deadline: Deadline) -> Target:
        from recovery.machines.address import locate

        return locate(machine, port, deadline)

    def run(
        self,
        access: Access,
        request: ActionRequest,
        verify: str | None,
        progress: StepListener,
        turn: Turn | None = None,
    ) -> Outcome:
        from recovery.actions import external_process, reboot_server, restart_service

        connect = _connect(access)
        how: _How = {
            "become": access.credential.become,
            "deadline": access.deadline,
            "progress": progress,
            "verify": verify,
            "turn": turn,
        }
        if isinstance(request, RestartRequest):
            return restart_service.run(connect, request, **how)
        if isinstance(request, RebootRequest):
            return reboot_server.run(connect, request, **how)
        return external_process.run(connect, request, **how)

    def plan(self, access: Access, request: ActionRequest, turn: Turn | None = None) -> Plan:
        from recovery.actions import external_process, reboot_server, restart_service

        connect, become, deadline = _connect(access), access.credential.become, access.deadline
        if isinstance(request, RestartRequest):
            return restart_service.plan(connect, request, become=become, deadline=deadline, turn=turn)
        if isinstance(request, RebootRequest):
            return reboot_server.plan(connect, request, become=become, deadline=deadline, turn=turn)
        return external_process.plan(connect, request, become=become, deadline=deadline, turn=turn)

    def services(self, access: Access, pattern: str | None) -> Sequence[ListedService]:
        from recovery.machines.services import list_services

        found = list_services(_connect(access), pattern, deadline=access.deadline)
        return [ListedService(one.name, one.state, one.detail, tuple(one.dependents)) for one in found]

    def doctor(
        self, access: Access, services: Sequence[str], dependents: bool = True
    ) -> Sequence[DoctorFinding]:
        if is_winrm(access.credential.method):
            from recovery.machines.doctor_windows import examine as examine_windows

            return examine_windows(
                access.target,
                access.credential,
                services,
                deadline=access.deadline,
                known_hosts=access.known_hosts,
                hops=access.hops,
            )
        from recovery.machines.doctor_unix import examine

        return examine(
            access.target,
            access.credential,
            services,
            deadline=access.deadline,
            known_hosts=access.known_hosts,
            dependents=dependents,
            hops=access.hops,
        )

    def test(self, access: Access) -> str:
        from recovery.platforms.account import account
        from recovery.platforms.detect import detect
        from recovery.transports.link import Link

        with Link(_connect(access), become=access.credential.become) as link:
            who = account(link, deadline=access.deadline)
            found = f"as {who}; the machine runs {detect(link, deadline=access.deadline).name}"
        return found + "".join(f"; {one}" for one in _beside(access))


def _beside(access: Access) -> list[str]:
    """What a login that worked here does not say of the engine's, and of next month's."""
    from recovery.transports.ssh.login import AGENT_HINT, about_certificate

    ssh = [one for one in access.credentials if not is_winrm(one.method)]
    told = [text for text, _ in map(about_certificate, ssh) if text]
    return told + [AGENT_HINT] * any(one.method == "ssh-agent" for one in ssh)


def _connect(access: Access) -> Callable[[Deadline], Transport]:
    """Makes a new connection; a reboot needs more than one."""
    from recovery.transports import connect

    def make(deadline: Deadline) -> Transport:
        return connect(
            access.target,
            access.credential,
            deadline=deadline,
            known_hosts=access.known_hosts,
            hops=access.hops,
        )

    return make
