"""``imap4-recovery services | machines | doctor``: what looks, and changes nothing."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from imap4.deadline import Deadline
from recovery import home
from recovery.commands.parsing import access_of, add_files, add_machine, paths_of
from recovery.credentials.store import Store
from recovery.errors import UsageError
from recovery.execution.progress import clean
from recovery.history import entries as history_view
from recovery.history.recoveries import opened
from recovery.machines.access import permitted_access
from recovery.machines.doctor_here import examine_here
from recovery.machines.interface import Access, DoctorFinding, Machines

_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


def add_parser(commands: Any) -> None:
    """Add the three commands to the top parser's ``commands``."""
    services = commands.add_parser(
        "services",
        help="list a machine's services with state and dependents",
        description="Lists the services of a machine, to pick from for restart-service.",
    )
    services.add_argument("pattern", nargs="?", metavar="PATTERN", help="only these, such as 'dove*'")
    services.set_defaults(run=list_services)
    doctor = commands.add_parser(
        "doctor",
        help="check a machine and a credential, and print what is missing",
        description="Checks name, port, host key, login, sudo, platform and clock, and prints the "
        "sudoers and authorized_keys lines for exactly the services named. Changes nothing. "
        "Exit code 2 where something is not well. Run it as the engine's user: its files are what counts.",
    )
    doctor.add_argument("--service", dest="services", nargs="+", action="extend", default=[], metavar="NAME")
    doctor.add_argument(
        "--no-dependents", action="store_true", help="the sudoers lines for restart-service --no-dependents"
    )
    doctor.set_defaults(run=examine)
    for one in (services, doctor):
        add_machine(one, 60.0)
        one.add_argument(
            "--become", action="store_true", help="sudo -n, also if the credential does not say so"
        )
    machines = commands.add_parser(
        "machines",
        help="list the machines that are known here",
        description="Lists the machines in known_hosts, in the credentials' restrictions and in the history.",
    )
    machines.add_argument("--known-hosts", action="append", metavar="FILE", help="instead of the usual two")
    machines.set_defaults(run=list_machines)
    for one in (services, doctor, machines):
        one.add_argument("--json", action="store_true", help="print JSON")
        add_files(one, history=one is not services)


def _access(options: argparse.Namespace, machines: Machines) -> Access:
    """Access to look through. Looking is no action, so only the restriction to machines is asked."""
    request = access_of(options, become=options.become)
    store = Store(paths_of(options))
    return permitted_access(request, None, store, machines, Deadline(request.timeout))


def list_services(options: argparse.Namespace, machines: Machines) -> int:
    """Print one service a line."""
    found = machines.services(_access(options, machines), options.pattern)
    if options.json:
        print(json.dumps([asdict(service) for service in found], indent=2, ensure_ascii=False))
        return 0
    for service in found:
        dependents = f"; dependents: {', '.join(service.dependents)}" if service.dependents else ""
        about = f" ({service.description})" if service.description else ""
        print(clean(f"{service.name}: {service.state}{about}{dependents}"))
    if not found:
        raise UsageError(f"{options.machine} has no service that matches {options.pattern!r}")
    return 0


def examine(options: argparse.Namespace, machines: Machines) -> int:
    """Print one finding a line, with its remedy below."""
    request = access_of(options, become=options.become)
    paths = paths_of(options)
    here, access = examine_here(request, Store(paths), machines, Deadline(request.timeout))
    found = [DoctorFinding(True, "files", home.told(paths)), *here]
    if access is not None:
        found += machines.doctor(access, options.services, not options.no_dependents)
    if options.json:
        print(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
    else:
        for finding in found:
            print(clean(f"{'ok ' if finding.ok else 'BAD'}  {finding.title}: {finding.detail}"))
            for line in finding.remedy.splitlines():
                print(clean(f"       {line}"))
    return 0 if all(finding.ok for finding in found) else 2


def list_machines(options: argparse.Namespace, machines: Machines) -> int:
    """Print one machine a line, with where it is known from."""
    known: dict[str, list[str]] = {}

    def add(machine: str, source: str) -> None:
        sources = known.setdefault(machine, [])
        if source not in sources:
            sources.append(source)

    hashed = 0
    for name in options.known_hosts or _KNOWN_HOSTS:
        path = Path(name).expanduser()
        names, hidden = known_hosts_names(path, required=bool(options.known_hosts))
        hashed += hidden
        for machine in names:
            add(machine, str(path))
    paths = paths_of(options)
    for credential in Store(paths).load().values():
        for pattern in credential.machines:
            add(pattern, f"credential {credential.name}")
    if os.path.exists(paths.state / "history.db"):
        with opened(paths.state) as history:
            for machine, _ in history_view.machines(history):
                add(machine, "history")
    if options.json:
        print(json.dumps({"machines": known, "hashed_names": hashed}, indent=2, ensure_ascii=False))
        return 0
    for machine in sorted(known, key=_order):
        print(clean(f"{machine}: {', '.join(known[machine])}"))
    if hashed:
        print(
            f"imap4-recovery: {hashed} names in known_hosts are hashed and cannot be listed", file=sys.stderr
        )
    return 0


def known_hosts_names(path: Path, *, required: bool) -> tuple[list[str], int]:
    """The plain names in a known_hosts file (sshd(8)), and how many are hashed; ``[host]:port`` is the host.

    Raises:
        UsageError: it cannot be read; one that is not there only counts where it is ``required``.
    """
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        if required or not isinstance(error, FileNotFoundError):
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
        return [], 0
    names: list[str] = []
    hashed = 0
    for line in lines:
        words = line.split()
        # Revoked keys and authorities say nothing about which machines there are.
        if not words or words[0][0] in "#@":
            continue
        for name in words[0].split(","):
            # "|1|salt|hash": HashKnownHosts, Debian's default (ssh_config(5)).
            if name.startswith("|"):
                hashed += 1
            elif name and not set(name) & set("*?!"):
                names.append(name[1:].partition("]")[0] if name.startswith("[") else name)
    return list(dict.fromkeys(names)), hashed


def _order(machine: str) -> tuple[int, object]:
    """Names first, then addresses in their own order."""
    try:
        # Both families in one order: an IPv4 address is padded to the length of IPv6.
        return 1, ipaddress.ip_address(machine).packed.rjust(16, b"\0")
    except ValueError:
        return 0, machine
