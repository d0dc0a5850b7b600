"""From the names in a request to all that a connection needs: the one place where restrictions are asked."""

from __future__ import annotations

import os
from dataclasses import replace

from imap4.deadline import Deadline
from imap4.hostnames import NotAHost, to_ascii
from imap4.monitor.jumps import Jump
from recovery.credentials.login_methods import HTTP_PORT, HTTPS_PORT, is_winrm
from recovery.credentials.restrictions import JUMP, check, check_name
from recovery.credentials.store import Store
from recovery.errors import RecoveryError, UsageError
from recovery.machines.interface import Access, Machines
from recovery.model import Credential, Hop, Target
from recovery.requests import AccessRequest

CA_FILE_VARIABLE = "IMAP4_RECOVERY_CA_FILE"
CA_FILE = "/etc/check_imap4/winrm-ca.pem"


def permitted_access(
    request: AccessRequest,
    action: str | None,
    store: Store,
    machines: Machines,
    deadline: Deadline,
    address: str = "",
) -> Access:
    """All that a connection needs, with the credential's restrictions asked; nothing is connected to yet.

    Args:
        action: what it is for; None is looking only, which asks the restriction to machines alone.
        address: where the machine was found to be before; it is looked up where this is empty.

    Raises:
        RecoveryError: there is no such credential, machine or permission.
    """
    credential = store.get(request.credential)
    # What is surely forbidden is refused before its name is looked up on a network.
    check_name(credential, request.machine, action)
    hops = permitted_hops(request, store, machines, deadline)
    target = find_target(request, credential, machines, deadline, address)
    check(credential, target, action)
    if request.become:
        credential = replace(credential, become=True)
    return Access(target, credential, request.known_hosts, deadline, hops)


def permitted_hops(
    request: AccessRequest, store: Store, machines: Machines, deadline: Deadline
) -> tuple[Hop, ...]:
    """The jump hosts that ``request`` names, with the restrictions of their credentials asked.

    A credential is good for a jump host where both its machines and its actions (``jump``) say so: who may
    restart a service on a machine may not therefore open connections into the network behind it.

    Raises:
        RecoveryError: there is no such credential, host or permission; the text says which host it was.
    """
    hops: list[Hop] = []
    for jump in request.jumps:
        try:
            credential = jump_credential(request, jump, store)
            check_name(credential, jump.host, JUMP)
            found = _behind(jump.host, jump.port) if hops else machines.locate(jump.host, jump.port, deadline)
            check(credential, found, JUMP)
        except RecoveryError as error:
            error.args = (f"jump host {jump.host}: {error}", *error.args[1:])
            raise
        hops.append(Hop(found, credential))
    return tuple(hops)


def jump_credential(request: AccessRequest, jump: Jump, store: Store) -> Credential:
    """The credential for a jump host: its own, or else that of the machine.

    Raises:
        UsageError: there is none, or it does not log in over SSH.
    """
    credential = store.get(jump.credential or request.credential)
    if is_winrm(credential.method):
        raise UsageError(
            f"credential {credential.name} logs in with {credential.method}, and jump hosts are reached over "
            f"SSH: name another one, as in --jump CREDENTIAL@{jump.host}"
        )
    return credential


def _behind(machine: str, port: int | None) -> Target:
    """A machine behind a jump host, which looks its name up: ours may mean another machine, or none."""
    # Here and not above: it loads the resolver, which only this and the machines themselves need.
    from recovery.machines.address import literal

    if (found := literal(machine, port)) is not None:
        return found
    try:
        # It goes into a jump host's lookup and into a line for authorized_keys: nothing but a name may.
        to_ascii(machine)
    except NotAHost as error:
        raise UsageError(f"{machine!r} is not the name of a machine: {error}") from None
    return Target(machine, "", port)


def find_target(
    request: AccessRequest,
    credential: Credential,
    machines: Machines,
    deadline: Deadline,
    address: str = "",
) -> Target:
    """The machine that ``request`` names, as ``credential`` reaches it; see :func:`permitted_access`."""
    port = request.port
    if is_winrm(credential.method) and port is None:
        port = HTTP_PORT if request.scheme == "http" else HTTPS_PORT
    if request.jumps:
        found = _behind(request.machine, port)
    elif address:
        found = Target(request.machine, address, port)
    else:
        found = machines.locate(request.machine, port, deadline)
    if not is_winrm(credential.method):
        return found
    return replace(found, scheme=request.scheme, ca_file=_ca_file(request), spn=request.spn)


def _ca_file(request: AccessRequest) -> str | None:
    named = request.ca_file or os.environ.get(CA_FILE_VARIABLE)
    return named or (CA_FILE if os.path.exists(CA_FILE) else None)
