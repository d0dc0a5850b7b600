"""The far side as it really is: each method imports what it needs, when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from imap4.deadline import Deadline
from recovery.credentials.login_methods import is_winrm
from recovery.machines.interface import (
    Finding,
    Link,
    ListedService,
    Progress,
    RebootServer,
    Request,
    RestartService,
)
from recovery.model import Outcome, Target, Transport

if TYPE_CHECKING:
    from recovery.actions.external_process import ProcessRequest


class Machines:
    """Reaches machines over the network; see :class:`recovery.far.FarSide` for each method."""

    def locate(self, machine: str, port: int | None, deadline: Deadline) -> Target:
        from recovery.machines import address as names

        return names.locate(machine, port, deadline)

    def run(self, link: Link, request: Request, verify: str | None, progress: Progress) -> Outcome:
        connect = _connect(link)
        become, deadline = link.credential.become, link.deadline
        if isinstance(request, RestartService):
            from recovery.actions import restart_service

            restart = restart_service.RestartRequest(request.services, request.dependents, request.settle)
            return restart_service.run(
                connect, restart, become=become, deadline=deadline, progress=progress, verify=verify
            )
        if isinstance(request, RebootServer):
            from recovery.actions import reboot_server

            reboot = reboot_server.RebootRequest(request.min_uptime)
            return reboot_server.run(
                connect, reboot, become=become, deadline=deadline, progress=progress, verify=verify
            )
        from recovery.actions import external_process

        process = _process(request)
        return external_process.run(
            connect, process, become=become, deadline=deadline, progress=progress, verify=verify
        )

    def plan(self, link: Link, request: Request) -> Sequence[str]:
        connect = _connect(link)
        become, deadline = link.credential.become, link.deadline
        if isinstance(request, RestartService):
            from recovery.actions import restart_service

            restart = restart_service.RestartRequest(request.services, request.dependents, request.settle)
            return restart_service.plan(connect, restart, become=become, deadline=deadline)
        if isinstance(request, RebootServer):
            from recovery.actions import reboot_server

            reboot = reboot_server.RebootRequest(request.min_uptime)
            return reboot_server.plan(connect, reboot, become=become, deadline=deadline)
        from recovery.actions import external_process

        return external_process.plan(connect, _process(request), become=become, deadline=deadline)

    def services(self, link: Link, pattern: str | None) -> Sequence[ListedService]:
        from recovery.machines.services import list_services

        found = list_services(_connect(link), pattern, deadline=link.deadline)
        return [ListedService(one.name, one.state, one.detail, tuple(one.dependents)) for one in found]

    def doctor(self, link: Link, services: Sequence[str]) -> Sequence[Finding]:
        if is_winrm(link.credential.method):
            from recovery.machines.doctor_windows import examine as examine_windows

            return examine_windows(link.target, link.credential, services, deadline=link.deadline)
        from recovery.machines.doctor_unix import examine

        found = examine(
            link.target, link.credential, services, deadline=link.deadline, known_hosts=link.known_hosts
        )
        return [Finding(one.ok, one.title, one.detail, one.remedy) for one in found]

    def test(self, link: Link) -> str:
        from recovery.platforms.account import account
        from recovery.platforms.detect import detect
        from recovery.transports.link import Link as Way

        with Way(_connect(link), become=link.credential.become) as way:
            who = account(way, deadline=link.deadline)
            return f"as {who}; the machine runs {detect(way, deadline=link.deadline).name}"


def _connect(link: Link) -> Callable[[Deadline], Transport]:
    """Makes a new connection; a reboot needs more than one."""
    from recovery.transports import connect

    def make(deadline: Deadline) -> Transport:
        return connect(link.target, link.credential, deadline=deadline, known_hosts=link.known_hosts)

    return make


def _process(request: Request) -> ProcessRequest:
    from recovery.actions.external_process import ProcessRequest
    from recovery.machines.interface import ExternalProcess

    assert isinstance(request, ExternalProcess)
    return ProcessRequest(
        request.arguments,
        dict(request.environment),
        request.stdin,
        request.cwd,
        request.success_exit_status,
    )
