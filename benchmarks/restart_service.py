"""How long a proven restart takes, next to ``ssh HOST systemctl restart`` and ``ansible -m systemd``.

All three are started as processes and restart Dovecot on the same machine (the tests' own, which this
builds), one after the other in turns, so that the ratios hold whatever the computer. Needs root.

    python benchmarks/restart_service.py [ROUNDS]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.machines.recovery.machine import ADDRESS, Machine, wait_for

OURS = """
import sys
from pathlib import Path
from imap4.deadline import Deadline
from recovery.actions.restart_service import run
from recovery.requests import RestartRequest
from recovery.model import Credential, Secret, Target
from recovery.transports import connect
name, address, port, key, known_hosts, settle = sys.argv[1:]
credential = Credential("bench", "root", "ssh-key", private_key=Secret(Path(key).read_text()))
target = Target(name, address, int(port))
outcome = run(
    lambda deadline: connect(target, credential, deadline=deadline, known_hosts=[known_hosts]),
    RestartRequest(("dovecot",), settle=float(settle)), deadline=Deadline(30))
sys.exit(outcome.verdict.exit_code)
"""


def ansible(folder: Path) -> str:
    """The path of an ``ansible`` in a virtual environment of its own."""
    program = folder / "ansible" / "bin" / "ansible"
    if not program.exists():
        venv.create(folder / "ansible", with_pip=True)
        pip = [str(program.with_name("pip")), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "ansible-core"], check=True)
    return str(program)


def commands(machine: Machine, build: Path) -> dict[str, list[str]]:
    """The contestants."""
    key, known = str(machine.folder / "key"), machine.known_hosts[0]
    options = ["-i", key, "-o", f"UserKnownHostsFile={known}", "-o", f"HostKeyAlias=[{machine.name}]"
               f":{machine.ssh_port}", "-o", "BatchMode=yes"]  # fmt: skip
    ours = [sys.executable, "-c", OURS, machine.name, ADDRESS, str(machine.ssh_port), key, known]
    inventory = build / "inventory"
    inventory.write_text(
        f"mail1 ansible_host={ADDRESS} ansible_port={machine.ssh_port} ansible_user=root "
        f"ansible_ssh_private_key_file={key} ansible_python_interpreter=/usr/bin/python3\n"
    )
    return {
        "ssh systemctl restart": ["ssh", *options, "-p", str(machine.ssh_port), f"root@{ADDRESS}",
                                  "systemctl", "restart", "dovecot"],
        "ansible -m systemd": [ansible(build), "-i", str(inventory), "mail1", "-m", "ansible.builtin.systemd",
                               "-a", "name=dovecot state=restarted"],
        "restart-service, settle 0 s": [*ours, "0"],
        "restart-service, settle 3 s": [*ours, "3"],
    }  # fmt: skip


def measure(machine: Machine, command: list[str]) -> float:
    """Seconds of wall-clock time that ``command`` takes; it must succeed."""
    options = (
        f"-o UserKnownHostsFile={machine.known_hosts[0]} -o HostKeyAlias=[{machine.name}]:{machine.ssh_port}"
    )
    environment = {**os.environ, "ANSIBLE_SSH_COMMON_ARGS": options, "PYTHONPATH": os.getcwd()}
    # systemd's limit on starts is not what is measured.
    machine.console("systemctl reset-failed dovecot webmail indexer")
    wait_for(lambda: machine.answers(machine.imap_port, b"* OK"), 20, "Dovecot answers")
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    seconds = time.monotonic() - began
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return seconds


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    build = Path("build/benchmark").resolve()
    build.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder) / "machine")
        machine.build()
        machine.start()
        try:
            contestants = commands(machine, build)
            seconds: dict[str, list[float]] = {name: [] for name in contestants}
            for _ in range(rounds):
                for name, command in contestants.items():
                    seconds[name].append(measure(machine, command))
        finally:
            machine.stop()
    base = statistics.median(seconds["ssh systemctl restart"])
    print(f"Median of {rounds} rounds; the ratio is to ssh systemctl restart, which proves nothing.")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:30} {median:6.2f} s  x {median / base:.2f}")


if __name__ == "__main__":
    main()
