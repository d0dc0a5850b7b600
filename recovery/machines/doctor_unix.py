"""Is all there that a recovery of this machine would need? Looks at everything, changes nothing."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Sequence

from imap4.deadline import Deadline
from recovery.actions.service_proof import describe, find_dependents
from recovery.errors import ConnectFailed, HostKeyRejected, RecoveryError
from recovery.machines.interface import DoctorFinding
from recovery.model import Credential, Target
from recovery.platforms import Platform
from recovery.platforms.detect import detect
from recovery.transports.link import Link
from recovery.transports.ssh.known_hosts import KnownHosts, fingerprint, host_name
from recovery.transports.ssh.login import load_key
from recovery.transports.ssh.transport import DEFAULT_PORT, SshTransport, open_connection
from recovery.transports.sudoers import lines_for

_SKEW_SECONDS = 5.0
# "sudo -l COMMAND" tells whether it would be allowed, and does not run it.
_MAY = """\
LC_ALL=C sudo -n -l -- "$@" >/dev/null 2>&1 && echo yes || echo no
"""


def examine(
    target: Target,
    credential: Credential,
    services: Sequence[str] = (),
    *,
    deadline: Deadline,
    known_hosts: Sequence[str] | None = None,
) -> list[DoctorFinding]:
    """Everything that a recovery of ``services`` on ``target`` needs, in the order in which it needs it.

    The findings end where one keeps us from looking further.

    Raises:
        UsageError: a service's name that can be none.
    """
    port = target.port or DEFAULT_PORT
    findings = [DoctorFinding(True, "name", f"{target.machine} is {target.address}")]
    here, more = _host_key(target, port, deadline, known_hosts)
    findings += more
    if not findings[-1].ok:
        return findings
    try:
        transport = SshTransport.connect(target, credential, deadline=deadline, known_hosts=known_hosts)
    except RecoveryError as error:
        return [
            *findings,
            DoctorFinding(False, "login", str(error), "mend the credential or the machine's account"),
        ]
    findings.append(DoctorFinding(True, "login", f"{credential.account} with {credential.method}"))
    with Link(lambda _: transport, become=credential.become) as link:
        try:
            findings += _machine(link, credential, services, deadline)
        except ConnectFailed as error:
            findings.append(DoctorFinding(False, "platform", str(error)))
    if credential.method == "ssh-key":
        findings.append(DoctorFinding(True, "authorized_keys", _authorized_keys(credential, here)))
    return findings


def _host_key(
    target: Target, port: int, deadline: Deadline, known_hosts: Sequence[str] | None
) -> tuple[str, list[DoctorFinding]]:
    """Our own address as the machine sees it, and what was found of port and host key."""
    where = f"{target.address} port {port}"
    try:
        keys = KnownHosts.read(target.machine, port, known_hosts)
        connection = open_connection(target, keys, deadline)
    except HostKeyRejected as error:
        return "", [DoctorFinding(False, "known hosts", str(error), "name a file that can be read")]
    except RecoveryError as error:
        return "", [DoctorFinding(False, "port", str(error), "start sshd there, or open the firewall for it")]
    try:
        here = str(connection.sock.getsockname()[0]) if isinstance(connection.sock, socket.socket) else ""
        banner, key = connection.remote_version, connection.get_remote_server_key()
    finally:
        connection.close()
    certificate = key.public_blob.key_blob if key.public_blob else None
    port_finding = DoctorFinding(True, "port", f"{where} answers: {banner}")
    line = f"{host_name(target.machine, port)} {key.get_name()} {base64.b64encode(key.asbytes()).decode()}"
    try:
        keys.check(key.asbytes(), certificate)
    except HostKeyRejected as error:
        unknown = "is unknown" in str(error)
        remedy = f"if the machine's console shows the same fingerprint, add: {line}" if unknown else ""
        return here, [port_finding, DoctorFinding(False, "host key", str(error), remedy)]
    return here, [port_finding, DoctorFinding(True, "host key", f"{fingerprint(key.asbytes())} is on file")]


def _machine(
    link: Link, credential: Credential, services: Sequence[str], deadline: Deadline
) -> list[DoctorFinding]:
    platform = detect(link, deadline=deadline)
    findings = [DoctorFinding(True, "platform", platform.name), _clock(link, deadline)]
    names = [platform.canonical(service) for service in services]
    facts = platform.facts(link, names, deadline=deadline)
    for one in facts:
        good = one.exists and not one.masked
        findings.append(
            DoctorFinding(good, "service", describe(one), "" if good else "correct its name, or unmask it")
        )
    dependents = [
        name
        for name, one in find_dependents(link, platform, facts, deadline).items()
        if one.running or one.busy
    ]
    return findings + _privilege(link, platform, credential, names, dependents, deadline)


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
    link: Link,
    platform: Platform,
    credential: Credential,
    services: Sequence[str],
    dependents: Sequence[str],
    deadline: Deadline,
) -> list[DoctorFinding]:
    account, _, number = link.ask("echo $(id -un) $(id -u)", deadline=deadline).strip().rpartition(" ")
    if number == "0":
        return [DoctorFinding(True, "privilege", "the account is root: a lesser one with sudo would do")]
    commands = platform.commands(services, dependents, reboot="reboot-server" in credential.actions)
    lines = "\n".join(lines_for(account, commands))
    listing = [DoctorFinding(True, "sudoers", lines)] if lines else []
    if not credential.become:
        remedy = "set --become for the credential, and add the sudoers lines"
        return [
            DoctorFinding(False, "privilege", f"{account} is not root, and sudo is not asked for", remedy),
            *listing,
        ]
    missing = [c for c in commands if link.ask(_MAY, c, deadline=deadline).strip() != "yes"]
    if missing:
        remedy = "add (visudo):\n" + "\n".join(lines_for(account, missing))
        detail = (
            f"sudo does not let {account} run {len(missing)} of {len(commands)} commands without a password"
        )
        return [DoctorFinding(False, "privilege", detail, remedy), *listing]
    return [
        DoctorFinding(True, "privilege", f"sudo lets {account} run all {len(commands)} commands"),
        *listing,
    ]


def _authorized_keys(credential: Credential, here: str) -> str:
    """The line for the account's authorized_keys (sshd(8)): this key, from here, without any forwarding."""
    key = load_key(credential)
    source = f'from="{here}",' if here else ""
    return f"{source}restrict {key.get_name()} {key.get_base64()}"
