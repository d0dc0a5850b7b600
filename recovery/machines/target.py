"""Where a machine is, and how it is reached there: options and credential -> Target."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from imap4.deadline import Deadline
from recovery.credentials.login_methods import HTTP_PORT, HTTPS_PORT, is_winrm
from recovery.machines.interface import Machines
from recovery.model import Credential, Target

CA_FILE_VARIABLE = "IMAP4_RECOVERY_CA_FILE"
CA_FILE = "/etc/check_imap4/winrm-ca.pem"


def add_winrm(group: argparse._ArgumentGroup) -> None:
    """The options that only WinRM has."""
    group.add_argument(
        "--scheme",
        choices=("https", "http"),
        help="WinRM: https, or http with sealed messages (https; http where --port is 5985)",
    )
    group.add_argument(
        "--ca-file",
        metavar="FILE",
        help=f"WinRM: PEM certificates to trust, instead of the system's ({CA_FILE_VARIABLE}; {CA_FILE})",
    )


def find_target(
    options: argparse.Namespace,
    credential: Credential,
    machines: Machines,
    deadline: Deadline,
    address: str = "",
) -> Target:
    """The machine that ``options`` name, as ``credential`` reaches it.

    Args:
        address: where it was found to be before; it is looked up where this is empty.

    Raises:
        RecoveryError: there is no such machine.
    """
    port = options.port
    if is_winrm(credential.method) and port is None:
        port = HTTP_PORT if options.scheme == "http" else HTTPS_PORT
    found = (
        Target(options.machine, address, port)
        if address
        else machines.locate(options.machine, port, deadline)
    )
    if not is_winrm(credential.method):
        return found
    return replace(found, scheme=options.scheme, ca_file=_ca_file(options))


def _ca_file(options: argparse.Namespace) -> str | None:
    named: str | None = options.ca_file or os.environ.get(CA_FILE_VARIABLE)
    return named or (CA_FILE if Path(CA_FILE).exists() else None)
