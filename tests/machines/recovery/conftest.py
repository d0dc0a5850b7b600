"""One machine a session; see machine.py. Needs root, or sudo without a password."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.model import Credential, Secret, Target
from recovery.transports.ssh import SshTransport
from tests.machines.recovery.machine import ADDRESS, Machine


def _why_not() -> str:
    for program in ("debootstrap", "systemd-nspawn", "nsenter"):
        if not shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            return f"{program} is not installed"
    if os.geteuid() != 0:
        try:
            if subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode:
                return "neither root nor sudo without a password"
        except FileNotFoundError:
            return "neither root nor sudo"
    return ""


def _made(folder: Path, *, boot: bool) -> Iterator[Machine]:
    if why := _why_not():
        pytest.skip(f"no machine: {why}")
    machine = Machine(folder, boot=boot)
    machine.build()
    machine.start()
    try:
        yield machine
    finally:
        machine.stop()


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    yield from _made(tmp_path_factory.mktemp("machine"), boot=True)


@pytest.fixture(scope="session")
def sysv_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    yield from _made(tmp_path_factory.mktemp("sysv"), boot=False)


def credential_for(machine: Machine, account: str = "root", *, become: bool = False) -> Credential:
    """A credential with the machine's key."""
    return Credential(
        name=f"{account}-key",
        account=account,
        method="ssh-key",
        private_key=Secret((machine.folder / "key").read_text()),
        become=become,
    )


def target_of(machine: Machine, port: int | None = None) -> Target:
    return Target(machine.name, ADDRESS, port or machine.ssh_port)


Connect = Callable[..., SshTransport]


@pytest.fixture
def connect(machine: Machine) -> Iterator[Connect]:
    """Makes links to the machine as an account, and closes them in the end."""
    links: list[SshTransport] = []

    def make(account: str = "root", *, port: int | None = None, silence: float = 20.0) -> SshTransport:
        known = machine.folder / f"known_hosts.{port}"
        known.write_text(machine.known_hosts_line(port))
        link = SshTransport.connect(
            target_of(machine, port),
            credential_for(machine, account),
            deadline=Deadline(20),
            known_hosts=[str(known)],
            silence=silence,
        )
        links.append(link)
        return link

    yield make
    for link in links:
        link.close()
