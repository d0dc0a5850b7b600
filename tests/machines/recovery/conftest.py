"""One machine a session; see machine.py. Needs root, or sudo without a password."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.model import Credential, Secret, Target
from recovery.transports.ssh.transport import SshTransport
from tests.machines.debian import as_root
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


@pytest.fixture(autouse=True)
def no_turns(request: pytest.FixtureRequest) -> None:
    """Each test is a monitoring host of its own, and what others did on the machine before is no matter."""
    if "machine" in request.fixturenames:
        machine: Machine = request.getfixturevalue("machine")
        machine.console("rm -rf ~root/.imap4-recovery /home/*/.imap4-recovery /var/lib/imap4-recovery")


ROOT = Path(__file__).parents[3]


def copy_code(machine: Machine, place: str, libraries: Iterable[str]) -> None:
    """Put the project's packages into a folder of the machine, as its Python's own.

    Args:
        libraries: patterns of what else is copied, from where this Python has its packages.
    """
    version = machine.console("python3 -c 'import sys; print(*sys.version_info[:2])'")
    if version != f"{sys.version_info[0]} {sys.version_info[1]}":
        pytest.skip("the machine's Python cannot load the libraries of this one")
    packages = Path(pytest.__file__).parents[1]
    wanted = [ROOT / name for name in ("check_imap4.py", "imap4", "recovery")]
    wanted += [path for name in libraries for path in packages.glob(name)]
    there = f"{machine.root}{place}"
    subprocess.run(as_root("mkdir", "-p", there), check=True)
    subprocess.run(as_root("cp", "-aL", *map(str, wanted), there), check=True)
    subprocess.run(as_root("chown", "-R", "root:root", there), check=True)


PACKAGES = f"/usr/local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/dist-packages"
PROGRAMS = {"imap4-worker": "imap4.worker.cli", "check_imap4": "check_imap4"}


@pytest.fixture(scope="module")
def installed_worker(machine: Machine) -> Iterator[None]:
    """The worker as pip puts it on the machine, its units as they are shipped, and their user."""
    copy_code(machine, PACKAGES, ("greenlet", "nagiosplugin"))
    for name, module in PROGRAMS.items():
        text = f"#!/usr/bin/python3\nfrom {module} import run\n\nrun()\n"
        machine.console('printf %s "$2" >"$1" && chmod 755 "$1"', f"/usr/local/bin/{name}", text)
    units = [str(path) for path in (ROOT / "contrib" / "systemd").glob("*.service")]
    subprocess.run(as_root("cp", *units, f"{machine.root}/etc/systemd/system"), check=True)
    machine.console("useradd --system nagios; systemctl daemon-reload")
    yield
    machine.console(
        f"rm -rf {PACKAGES}/* /etc/systemd/system/imap4-*.service; cd /usr/local/bin && rm -f "
        f"{' '.join(PROGRAMS)}; userdel nagios; systemctl daemon-reload"
    )


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
