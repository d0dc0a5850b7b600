"""Is all there that a recovery of this machine would need? Looks at everything, changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from imap4.deadline import Deadline
from recovery.actions.service_proof import describe, find_dependents
from recovery.errors import RecoveryError
from recovery.machines.doctor_hops import (
    authorized_keys,
    examine_hops,
    examine_host_key,
    examine_key,
    host_of,
    stops,
)
from recovery.machines.interface import DoctorFinding
from recovery.machines.turns import turn_finding
from recovery.model import Credential, Hop, Target
from recovery.platforms import Platform, ServiceFacts
from recovery.platforms.detect import detect
from recovery.transports.link import Link, listing_wants_password
from recovery.transports.ssh.connection import DEFAULT_PORT
from recovery.transports.ssh.jump import Way
from recovery.transports.ssh.login import ssh_account
from recovery.transports.ssh.transport import SshTransport
from recovery.transports.sudoers import lines_for

_SKEW_SECONDS = 5.0
# Not echo, of which some read the backslash of "ACME\recovery" as an escape.
_WHO = """\
printf '%s %s\\n' "$(id -un)" "$(id -u)"
"""
# "sudo -l COMMAND" tells whether it would be allowed, and does not run it.
_MAY = """\
LC_ALL=C sudo -n -l -- "$@" >/dev/null 2>&1 && echo yes || echo no
"""
_SAID = """\
LC_ALL=C sudo -n -l -- "$@" 2>&1 | head -n 1
"""


def examine(
    target: Target,
    credential: Credential,
    services: Sequence[str] = (),
    *,
    deadline: Deadline,
    known_hosts: Sequence[str] | None = None,
    dependents: bool = True,
    hops: Sequence[Hop] = (),
) -> list[DoctorFinding]:
    """Everything that a recovery of ``services`` on ``target`` needs, in the order in which it needs it.

    All that can be looked at is, whatever was found before. But nothing secret goes to a machine whose
    host key is not trusted, and there is nothing to be seen on one that does not let us in.

    Args:
        dependents: whether what depends on the services is restarted with them.
        hops: the jump hosts on the way, which are looked at first.
    """
    way = Way()
    try:
        return _examine(way, target, credential, services, deadline, known_hosts, dependents, hops)
    finally:
        way.close()


def _examine(
    way: Way,
    target: Target,
    credential: Credential,
    services: Sequence[str],
    deadline: Deadline,
    known_hosts: Sequence[str] | None,
    dependents: bool,
    hops: Sequence[Hop],
) -> list[DoctorFinding]:
    findings = [DoctorFinding(True, "name", target.found)]
    last_stop = host_of(target), target.port or DEFAULT_PORT
    findings += examine_hops(way, hops, last_stop, deadline, known_hosts)
    key, usable = examine_key(credential)
    if stops(findings):
        return [*findings, *usable]
    here, trusted = examine_host_key(way, target, deadline, known_hosts)
    findings += [*usable, *trusted]
    line = authorized_keys(key, here) if key is not None else ""
    last = [DoctorFinding(True, "authorized_keys", line)] if line else []
    if stops((*usable, *trusted)):
        return [*findings, *last]
    try:
        transport = SshTransport.on(way, target, credential, deadline=deadline, known_hosts=known_hosts)
    except RecoveryError as error:
        remedy = "mend the credential or the machine's account"
        if line:
            file = f"~{ssh_account(credential.account)}/.ssh/authorized_keys"
            account = ssh_account(credential.account)
            remedy = (
                f"see that {file} on {target.machine} has this line:\n{line}\n"
                f"and, where sshd has UsePAM no, that the account is not locked: usermod -p '*' {account}"
            )
        return [*findings, DoctorFinding(False, "login", str(error), remedy)]
    findings.append(DoctorFinding(True, "login", f"{credential.account} with {credential.method}"))
    with Link(lambda _: transport, become=credential.become) as link:
        findings += _machine(link, credential, services, dependents, deadline)
    return [*findings, *last]


def _machine(
    link: Link, credential: Credential, services: Sequence[str], dependents: bool, deadline: Deadline
) -> list[DoctorFinding]:
    try:
        platform = detect(link, deadline=deadline)
    except RecoveryError as error:
        return [DoctorFinding(False, "platform", str(error))]
    findings = [DoctorFinding(True, "platform", platform.name)]
    findings += _looked_at("clock", lambda: [_clock(link, deadline)])
    findings += _looked_at("turns", lambda: [turn_finding(link, deadline)])
    found: list[ServiceFacts] = []
    for service in dict.fromkeys(services):
        findings += _looked_at("service", partial(_service, link, platform, service, deadline, found))
    # A restart names units as the machine does, not by an alias (sshd.service is ssh.service on Debian).
    names = list(dict.fromkeys(one.name for one in found))

    def privilege() -> list[DoctorFinding]:
        running: list[str] = []
        if dependents:
            every = find_dependents(link, platform, found, deadline)
            running = [name for name, one in every.items() if one.running or one.busy]
        commands = platform.commands(
            names, running, alone=not dependents, reboot="reboot-server" in credential.actions
        )
        return _privilege(link, credential, commands, deadline)

    return findings + _looked_at("privilege", privilege)


def _looked_at(title: str, look: Callable[[], list[DoctorFinding]]) -> list[DoctorFinding]:
    """What ``look`` finds; an error is a finding too, and the rest is looked at all the same."""
    try:
        return look()
    except RecoveryError as error:
        return [DoctorFinding(False, title, str(error))]


def _service(
    link: Link, platform: Platform, name: str, deadline: Deadline, found: list[ServiceFacts]
) -> list[DoctorFinding]:
    """What was found of one service, which is added to ``found`` where it can be restarted."""
    (one,) = platform.facts(link, [platform.canonical(name)], deadline=deadline)
    reason = platform.cannot(one) or (
        "" if one.exists else "correct its name; imap4-recovery services lists them"
    )
    if not reason:
        found.append(one)
    return [DoctorFinding(not reason, "service", describe(one), reason)]


def _clock(link: Link, deadline: Deadline) -> DoctorFinding:
    asked = time.time()
    there = float(link.ask("date +%s", deadline=deadline).strip() or 0)
    answered = time.time()
    # The second that date cuts off, and the way there and back, are no skew.
    skew = max(0.0, there - answered, asked - (there + 1))
    detail = f"within {max(1.0, skew):.0f} s of ours"
    remedy = "" if skew < _SKEW_SECONDS else "run a time service on both machines: logs cannot be compared"
    return DoctorFinding(skew < _SKEW_SECONDS, "clock", detail, remedy)


def _privilege(
    link: Link, credential: Credential, commands: Sequence[Sequence[str]], deadline: Deadline
) -> list[DoctorFinding]:
    account, _, number = link.ask(_WHO, deadline=deadline).strip().rpartition(" ")
    if number == "0":
        return [DoctorFinding(True, "privilege", "the account is root: a lesser one with sudo would do")]
    listing = []
    if commands:
        lines = "\n".join(lines_for(account, commands))
        listing = [DoctorFinding(True, "sudoers", "these lines allow exactly what a repair runs:", lines)]
    if not credential.become:
        remedy = "set --become for the credential, and add the sudoers lines"
        detail = f"{account} is not root, and sudo is not asked for"
        return [DoctorFinding(False, "privilege", detail, remedy), *listing]
    missing = [c for c in commands if link.ask(_MAY, c, deadline=deadline).strip() != "yes"]
    said = link.ask(_SAID, missing[0], deadline=deadline).strip() if missing else ""
    if remedy := listing_wants_password(link, said, account, commands, deadline) if missing else "":
        detail = f"sudo on the machine said '{said}': {remedy}"
        return [DoctorFinding(False, "privilege", detail, f"Defaults:{account} listpw=never"), *listing]
    if missing:
        remedy = "add (visudo):\n" + "\n".join(lines_for(account, missing))
        detail = (
            f"sudo does not let {account} run {len(missing)} of {len(commands)} commands without a password"
        )
        return [DoctorFinding(False, "privilege", detail, remedy), *listing]
    detail = f"sudo lets {account} run all {len(commands)} commands"
    return [DoctorFinding(True, "privilege", detail), *listing]
