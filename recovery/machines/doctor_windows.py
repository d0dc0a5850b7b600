"""Is all there that a recovery of this Windows machine would need? Looks at everything, changes nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from imap4.deadline import Deadline
from recovery.actions.service_proof import describe
from recovery.credentials.login_methods import HTTP_PORT, HTTPS_PORT
from recovery.errors import (
    ConnectFailed,
    DeadlineExceeded,
    HostKeyRejected,
    LoginFailed,
    PrivilegeMissing,
    RecoveryError,
)
from recovery.machines.interface import DoctorFinding
from recovery.machines.turns import turn_finding
from recovery.model import Credential, Hop, Target
from recovery.platforms.windows import Windows
from recovery.platforms.windows.about import About, about
from recovery.transports.link import Link
from recovery.transports.winrm.transport import WinRmTransport

_SKEW_SECONDS = 5.0
_KERBEROS_SKEW_SECONDS = 300.0
_TITLES: list[tuple[type[RecoveryError], str]] = [
    (HostKeyRejected, "certificate"),
    (LoginFailed, "login"),
    (PrivilegeMissing, "privilege"),
    (ConnectFailed, "connection"),
    (DeadlineExceeded, "connection"),
]
_WEAK = {
    "AllowUnencrypted": r"Set-Item WSMan:\localhost\Service\AllowUnencrypted -Value $false",
    "Basic": r"Set-Item WSMan:\localhost\Service\Auth\Basic -Value $false",
}


def examine(
    target: Target,
    credential: Credential,
    services: Sequence[str] = (),
    *,
    deadline: Deadline,
    known_hosts: Sequence[str] | None = None,
    hops: Sequence[Hop] = (),
) -> list[DoctorFinding]:
    """Everything that a recovery of ``services`` on ``target`` needs, in the order in which it needs it.

    The findings end where one keeps us from looking further.

    Raises:
        UsageError: the credential's method does not fit, or a service's name can be none.
    """
    findings = [DoctorFinding(True, "name", target.found)]
    way = None
    if hops:
        # Here and not above: SSH is not needed without jump hosts.
        from recovery.machines.doctor_hops import examine_hops, host_of, stops
        from recovery.transports.ssh.jump import Way

        way = Way()
        last = host_of(target), target.port or HTTPS_PORT
        findings += examine_hops(way, hops, last, deadline, known_hosts)
        if stops(findings):
            way.close()
            return findings
    try:
        transport = WinRmTransport.connect(target, credential, deadline=deadline, way=way)
    except tuple(kind for kind, _ in _TITLES) as error:
        if way:
            way.close()
        title = next(title for kind, title in _TITLES if isinstance(error, kind))
        return [*findings, DoctorFinding(False, title, str(error))]
    findings += _connection(target, credential)
    with Link(lambda _: transport) as link:
        try:
            found = about(link, deadline=deadline)
            findings += [*_machine(found), turn_finding(link, deadline)]
            findings += _service_facts(link, services, deadline)
        except PrivilegeMissing as error:
            findings.append(DoctorFinding(False, "privilege", str(error)))
        except RecoveryError as error:
            findings.append(DoctorFinding(False, "platform", str(error)))
    return findings


def _connection(target: Target, credential: Credential) -> list[DoctorFinding]:
    port = target.port or HTTPS_PORT
    https = target.scheme == "https" or (target.scheme is None and port != HTTP_PORT)
    trusted = target.ca_file or "the system's authorities"
    how = f"HTTPS, certificate trusted by {trusted}" if https else "HTTP, every message sealed"
    return [
        DoctorFinding(True, "connection", f"{target.address or target.machine} port {port}: {how}"),
        DoctorFinding(True, "login", f"{credential.account} with {credential.method}"),
    ]


def _machine(found: About) -> list[DoctorFinding]:
    skew = abs(found.clock - time.time())
    good = skew < _SKEW_SECONDS
    findings = [
        DoctorFinding(True, "platform", f"{found.system}, {found.machine}"),
        DoctorFinding(True, "powershell", f"{found.powershell}, {found.language}"),
        DoctorFinding(
            good,
            "clock",
            f"within {max(1.0, skew):.0f} s of ours",
            "" if good else f"w32tm /resync there; Kerberos fails beyond {_KERBEROS_SKEW_SECONDS:.0f} s",
        ),
    ]
    if found.administrator:
        detail = f"{found.account} is an administrator: one with rights on the services alone would do"
        findings.append(DoctorFinding(True, "privilege", f"{detail} (docs/windows.md)"))
    else:
        findings.append(
            DoctorFinding(
                True, "privilege", f"{found.account} is no administrator; its rights on each service count"
            )
        )
    findings += [DoctorFinding(True, "listener", listener) for listener in found.listeners]
    for setting, remedy in _WEAK.items():
        if found.settings.get(setting, "").lower() == "true":
            detail = f"WinRM allows {setting} there: others may send passwords in the clear"
            # Our own traffic is safe whatever it says.
            findings.append(DoctorFinding(setting != "AllowUnencrypted", "settings", detail, remedy))
    return findings


def _service_facts(link: Link, services: Sequence[str], deadline: Deadline) -> list[DoctorFinding]:
    platform = Windows()
    names = [platform.canonical(service) for service in services]
    machine = platform.machine(link, deadline=deadline)
    findings = []
    # What a reboot would meet now.
    if machine.users:
        findings.append(DoctorFinding(True, "logged on", ", ".join(machine.users)))
    if machine.servicing:
        findings.append(DoctorFinding(True, "updates", f"{machine.servicing}: it is not rebooted meanwhile"))
    for one in platform.facts(link, names, deadline=deadline):
        reason = platform.cannot(one) if one.exists else "correct its name: Get-Service lists them"
        findings.append(DoctorFinding(one.exists and not reason, "service", describe(one), reason))
    return findings
