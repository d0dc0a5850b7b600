"""What ``doctor`` looks at before a login over SSH: key, port, host key; and the jump hosts on the way."""

from __future__ import annotations

import base64
import socket
from collections.abc import Sequence
from dataclasses import replace

import paramiko

from imap4.deadline import Deadline
from imap4.hostnames import to_ascii
from recovery.caller import caller
from recovery.errors import HostKeyRejected, RecoveryError
from recovery.machines.interface import DoctorFinding
from recovery.model import Credential, Hop, Target
from recovery.transports.ssh.connection import DEFAULT_PORT, open_connection
from recovery.transports.ssh.jump import Way, reach
from recovery.transports.ssh.known_hosts import KnownHosts, fingerprint, host_name
from recovery.transports.ssh.login import AGENT_HINT, about_certificate, load_key

CERTIFICATE = "user certificate"


def examine_hops(
    way: Way,
    hops: Sequence[Hop],
    last: tuple[str, int],
    deadline: Deadline,
    known_hosts: Sequence[str] | None,
) -> list[DoctorFinding]:
    """What was found of each jump host, up to the first that does not let us go on; ``way`` leads through
    those that do.

    Args:
        last: host and port that the last of them must connect us to.
    """
    if not hops:
        return []
    findings: list[DoctorFinding] = []
    ports = [(host_of(hop.target), hop.target.port or DEFAULT_PORT) for hop in hops]
    for hop, following in zip(hops, [*ports[1:], last], strict=True):
        found = _hop(way, hop, following, deadline, known_hosts)
        about = f"jump host {hop.target.machine}: "
        # A line for a file stays as it is.
        findings += [
            one if one.title == "authorized_keys" else replace(one, detail=about + one.detail)
            for one in found
        ]
        if stops(found):
            break
    return findings


def host_of(target: Target) -> str:
    """What a jump host is asked to connect us to."""
    return target.address or to_ascii(target.machine)


def _hop(
    way: Way, hop: Hop, following: tuple[str, int], deadline: Deadline, known_hosts: Sequence[str] | None
) -> list[DoctorFinding]:
    key, usable = examine_key(hop.credential)
    here, trusted = examine_host_key(way, hop.target, deadline, known_hosts)
    findings = [DoctorFinding(True, "name", hop.target.found), *usable, *trusted]
    line = _jump_key(key, here, following) if key is not None else ""
    if not stops(findings):
        try:
            way.add(hop, reach(hop.target, hop.credential, way, deadline, known_hosts))
            login = f"{hop.credential.account} with {hop.credential.method}"
            findings.append(DoctorFinding(True, "login", login))
        except RecoveryError as error:
            remedy = f"see that its authorized_keys has this line:\n{line}" if line else ""
            findings.append(DoctorFinding(False, "login", str(error), remedy))
    return [*findings, DoctorFinding(True, "authorized_keys", line)] if line else findings


def _jump_key(key: paramiko.PKey, here: str, following: tuple[str, int]) -> str:
    """The line for the account's authorized_keys on a jump host: one connection to one port, and no shell."""
    host, port = following
    shown = f"[{host}]" if ":" in host else host
    # Port 1 is nobody's to listen on: without permitlisten the key could open ports there (sshd(8)).
    only = f'restrict,port-forwarding,permitopen="{shown}:{port}",permitlisten="localhost:1"'
    return authorized_keys(key, here, f'{only},command="/bin/false"')


def examine_key(credential: Credential) -> tuple[paramiko.PKey | None, list[DoctorFinding]]:
    """The private key, and what was found of what the credential logs in with."""
    if credential.method == "ssh-agent":
        count = len(paramiko.Agent().get_keys())
        remedy = "start one for this user and ssh-add the key, or store the key"
        detail = f"{count} keys in the agent of {caller()}; {AGENT_HINT}"
        return None, [DoctorFinding(count > 0, "agent", detail, "" if count else remedy)]
    if credential.method != "ssh-key":
        return None, []
    try:
        key = load_key(credential)
    except RecoveryError as error:
        return None, [DoctorFinding(False, "key", f"{error} (read as {caller()})")]
    file = credential.private_key_file
    shown = f"{file}, read as {caller()}" if file else "stored with the credential"
    findings = [DoctorFinding(True, "key", f"{fingerprint(key.asbytes())}, {shown}")]
    try:
        told, fits = about_certificate(credential)
    except RecoveryError as error:
        return None, [*findings, DoctorFinding(False, "key", str(error))]
    if told:
        remedy = "" if fits else "sign the key anew; until then it counts alone, where authorized_keys has it"
        findings.append(DoctorFinding(fits, CERTIFICATE, told, remedy))
    return key, findings


def stops(findings: Sequence[DoctorFinding]) -> bool:
    """Whether one of ``findings`` keeps us from logging in.

    A certificate whose time is over does not: the key alone may do.
    """
    return any(not finding.ok and finding.title != CERTIFICATE for finding in findings)


def examine_host_key(
    way: Way, target: Target, deadline: Deadline, known_hosts: Sequence[str] | None
) -> tuple[str, list[DoctorFinding]]:
    """Our own address as the machine sees it, and what was found of port and host key."""
    findings = []
    port = target.port or DEFAULT_PORT
    try:
        keys = KnownHosts.read(target.machine, port, known_hosts)
    except HostKeyRejected as error:
        remedy = "name a file that this user can read"
        findings = [DoctorFinding(False, "known hosts", f"{error} (read as {caller()})", remedy)]
        keys = KnownHosts((), target.machine, port)
    try:
        stream = way.stream_to(target, port, deadline)
    except RecoveryError as error:
        return "", [*findings, DoctorFinding(False, "jump", str(error))]
    try:
        connection = open_connection(target, keys, deadline, stream, way.place(target))
    except RecoveryError as error:
        remedy = "start sshd there, or open the firewall for it"
        return "", [*findings, DoctorFinding(False, "port", str(error), remedy)]
    try:
        here = str(connection.sock.getsockname()[0]) if isinstance(connection.sock, socket.socket) else ""
        banner, key = connection.remote_version, connection.get_remote_server_key()
    finally:
        connection.close()
    findings.append(
        DoctorFinding(True, "port", f"{target.address or target.machine} port {port} answers: {banner}")
    )
    certificate = key.public_blob.key_blob if key.public_blob else None
    line = f"{host_name(target.machine, port)} {key.get_name()} {base64.b64encode(key.asbytes()).decode()}"
    try:
        keys.check(key.asbytes(), certificate)
    except HostKeyRejected as error:
        unknown = "is unknown" in str(error)
        remedy = f"if the machine's console shows the same fingerprint, add: {line}" if unknown else ""
        return here, [*findings, DoctorFinding(False, "host key", str(error), remedy)]
    shown = f"{fingerprint(key.asbytes())} is on file for {caller()}"
    return here, [*findings, DoctorFinding(True, "host key", shown)]


def authorized_keys(key: paramiko.PKey, here: str, options: str = "restrict") -> str:
    """The line for the account's authorized_keys (sshd(8)): this key, from here, without any forwarding."""
    source = f'from="{here}",' if here else ""
    return f"{source}{options} {key.get_name()} {key.get_base64()}"
