"""A detached recovery outlives the stop of the engine's systemd unit: a real systemd, a real unit.

Engines are not installed on the test's machine: the unit's program is a shell that runs the recovery as
an engine would, and then goes on. The unit has the ``KillMode`` of Debian's nagios4 and icinga2 units,
with which systemd kills whatever the engine has started, session of its own or not.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from tests.machines.debian import as_root
from tests.machines.recovery.conftest import copy_code
from tests.machines.recovery.machine import ADDRESS, Machine, wait_for

PLACE = "/opt/imap4"
PATIENCE = 60
# What a recovery over SSH loads; paramiko reads its own version where it was installed.
LIBRARIES = ("paramiko*", "cryptography", "cffi", "_cffi_backend*", "bcrypt", "nacl", "invoke")


@pytest.fixture
def installed(machine: Machine) -> Iterator[dict[str, str]]:
    """The program on the machine itself, with a credential for itself; its environment."""
    copy_code(machine, PLACE, LIBRARIES)
    machine.console(f"mkdir {PLACE}/.ssh")
    known = machine.known_hosts_line().replace(machine.name, ADDRESS, 1)
    machine.console(f'printf %s "$1" >{PLACE}/.ssh/known_hosts', known)
    environment = {
        "HOME": PLACE,
        "PYTHONPATH": PLACE,
        "IMAP4_RECOVERY_CREDENTIALS": f"{PLACE}/etc/credentials",
        "IMAP4_RECOVERY_KEY": f"{PLACE}/etc/key",
        "IMAP4_RECOVERY_STATE": f"{PLACE}/state",
    }
    key = machine.folder / "key"
    subprocess.run(as_root("cp", str(key), f"{machine.root}{PLACE}/ssh-key"), check=True)
    added = run(
        machine,
        environment,
        *("credentials", "add", "self", "--account", "root", "--private-key-file", f"{PLACE}/ssh-key"),
        *("--machines", ADDRESS, "--actions", "all"),
    )
    assert added == "Added self."
    yield environment
    machine.console(f"systemctl stop engine; rm -rf {PLACE} /run/go /run/begun")


def run(machine: Machine, environment: dict[str, str], *arguments: str) -> str:
    """What ``imap4-recovery`` prints on the machine."""
    settings = [f"{name}={value}" for name, value in environment.items()]
    return machine.console('env "$@"', *settings, "/usr/bin/python3", "-m", "recovery", *arguments)


def test_a_recovery_outlives_the_stop_of_the_engines_unit(
    machine: Machine, installed: dict[str, str]
) -> None:
    wait_for_it = "echo begun >/run/begun; until test -e /run/go; do sleep 0.1; done"
    recovery = [
        *("/usr/bin/python3", "-m", "recovery", "external-process", "--machine", ADDRESS),
        *("--port", str(machine.ssh_port), "--credential", "self", "--state", "CRITICAL", "--detach"),
        *("--", "/bin/sh", "-c", wait_for_it),
    ]
    # The second is what the unit's stop kills: the proof that it would have killed the first.
    engine = f"{shlex.join(recovery)} >{PLACE}/said; setsid sleep 987654 & exec sleep 987653"
    unit = ["--quiet", "--collect", "--unit=engine", "--property=KillMode=mixed"]
    unit += [f"--setenv={name}={value}" for name, value in installed.items()]
    machine.console('systemd-run "$@"', *unit, "/bin/sh", "-c", engine)

    wait_for(lambda: machine.console("cat /run/begun") == "begun", PATIENCE, "the process runs")
    wait_for(lambda: machine.console("pgrep -f 'sleep 98765[34]' | wc -l") == "2", PATIENCE, "the engine")
    assert " begun as recovery 1 in a systemd unit of its own (" in machine.console(f"cat {PLACE}/said")
    machine.console("systemctl stop engine")
    assert machine.console("pgrep -f 'sleep 98765[34]' | wc -l") == "0"

    def shown() -> str:
        return str(json.loads(run(machine, installed, "history", "show", "1", "--json"))["state"])

    assert shown() == "running"
    machine.console("touch /run/go")
    wait_for(lambda: shown() == "proven", PATIENCE, "the end of the recovery")
