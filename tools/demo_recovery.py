"""``make demo-recovery``: a real machine, its Dovecot killed, found dead, repaired, and proved alive.

The machine is a Debian with systemd in a container of its own, on the loopback network; see
tests/machines/recovery/machine.py. Needs root, or sudo without a password.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.machines.recovery.machine import ADDRESS, Machine, wait_for  # noqa: E402 - not installed

BIN = Path(sys.executable).parent


class Demo:
    """Runs commands as a person would, with credentials and history in a folder of its own."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.machine = machine
        self.environment = {
            **os.environ,
            "IMAP4_RECOVERY_CREDENTIALS": str(folder / "credentials"),
            "IMAP4_RECOVERY_KEY": str(folder / "credentials.key"),
            "IMAP4_RECOVERY_STATE": str(folder / "state"),
        }
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(machine.known_hosts_line().replace(machine.name, ADDRESS, 1))

    def run(self, title: str, program: str, *arguments: str, stdin: str = "") -> int:
        """Show a command, what it prints, and its exit code."""
        print(f"\n# {title}\n$ {program} {shlex.join(arguments)}", flush=True)
        done = subprocess.run([BIN / program, *arguments], env=self.environment, input=stdin, text=True)
        print(f"exit code {done.returncode}", flush=True)
        return done.returncode

    def check(self, title: str) -> int:
        return self.run(title, "check_imap4", "-H", ADDRESS, "-p", str(self.machine.imap_port))

    def recover(self, title: str, command: str, *arguments: str) -> int:
        there = ("--machine", ADDRESS, "--port", str(self.machine.ssh_port), "--credential", "mail")
        known = ("--known-hosts", str(self.known_hosts))
        return self.run(title, "imap4-recovery", command, *there, *known, *arguments)

    def tell(self) -> list[int]:
        """The whole story; returns every exit code."""
        key = (self.machine.folder / "key").read_text()
        allowed = ("--machines", "127.0.0.0/8", "--actions", "restart-service")
        account = ("--account", "root", "--private-key-stdin")
        check = f"{BIN / 'check_imap4'} -H {ADDRESS} -p {self.machine.imap_port}"
        event = ("--state", "CRITICAL", "--state-type", "HARD", "--alert", "2", "--alerts", "2-3")
        refused = "--output=IMAP4 CRITICAL - connection refused [connect.refused]"
        unknown = "--output=IMAP4 CRITICAL - name not found [dns.not_found]"
        restart = ("restart-service", "--service", "dovecot")
        codes = [self.check("The mail server works")]
        codes.append(
            self.run(
                "Store a credential that may restart services on these machines, and no more",
                *("imap4-recovery", "credentials", "add", "mail", *account, *allowed),
                stdin=key,
            )
        )
        print("\n# Somebody kills Dovecot", flush=True)
        self.machine.console("systemctl kill -s KILL dovecot; systemctl stop dovecot")
        wait_for(lambda: not self.machine.answers(self.machine.imap_port, b"*"), 20, "Dovecot is gone")
        codes.append(self.check("The check finds it"))
        codes.append(
            self.recover("The engine's alert, for a cause that no restart mends", *restart, *event, unknown)
        )
        codes.append(self.recover("The engine's alert", *restart, *event, refused, "-v", "--verify", check))
        codes.append(self.check("The check again"))
        codes.append(self.recover("The same alert once more: the brakes hold", *restart, *event, refused))
        codes.append(self.recover("The credential may not reboot", "reboot-server"))
        codes.append(self.run("All of it is in the history", "imap4-recovery", "history", "list"))
        return codes


def main() -> int:
    """Make the machine, tell the story, remove the machine.

    Returns:
        0 where everything ended as it should.
    """
    with tempfile.TemporaryDirectory(prefix="demo-recovery-") as name:
        folder = Path(name)
        print("Booting a Debian machine (the first time it is made, which takes about a minute) ...")
        machine = Machine(folder / "machine")
        machine.build()
        try:
            machine.start()
            wait_for(lambda: machine.answers(machine.imap_port, b"* OK"), 30, "Dovecot answers")
            codes = Demo(folder, machine).tell()
        finally:
            machine.stop()
    return 0 if codes == [0, 0, 2, 0, 0, 0, 0, 2, 0] else 1


if __name__ == "__main__":
    sys.exit(main())
