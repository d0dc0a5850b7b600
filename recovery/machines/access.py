"""From the names in a request to all that a connection needs: the one place where restrictions are asked."""

from __future__ import annotations

import os
from dataclasses import replace

from imap4.deadline import Deadline
from recovery.credentials.login_methods import HTTP_PORT, HTTPS_PORT, is_winrm
from recovery.credentials.restrictions import check, check_name
from recovery.credentials.store import Store
from recovery.machines.interface import Access, Machines
from recovery.model import Credential, Target
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
    target = find_target(request, credential, machines, deadline, address)
    check(credential, target, action)
    if request.become:
        credential = replace(credential, become=True)
    return Access(target, credential, request.known_hosts, deadline)


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
    if address:
        found = Target(request.machine, address, port)
    else:
        found = machines.locate(request.machine, port, deadline)
    if not is_winrm(credential.method):
        return found
    return replace(found, scheme=request.scheme, ca_file=_ca_file(request), spn=request.spn)


def _ca_file(request: AccessRequest) -> str | None:
    named = request.ca_file or os.environ.get(CA_FILE_VARIABLE)
    return named or (CA_FILE if os.path.exists(CA_FILE) else None)
