"""Jump hosts: real sshds with ports, host keys and authorized keys of their own, on one of the machines."""

from __future__ import annotations

import subprocess
from pathlib import Path

from recovery.model import Credential, Hop, Secret, Target
from tests.machines.recovery.machine import Machine, free_port, wait_for

CONFIGURATION = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/pid
StrictModes no
UseDNS no
LogLevel VERBOSE
PasswordAuthentication no
"""


class Gate:
    """One jump host: ``account`` may log in with its own key, and go on from there."""

    def __init__(
        self, machine: Machine, folder: Path, name: str, address: str, account: str = "plain"
    ) -> None:
        self.machine, self.folder, self.name, self.address = machine, folder, name, address
        self.account = account
        self.port = free_port(address)
        self._there = f"/etc/gates/{name}"
        folder.mkdir(parents=True)
        for key in ("host_key", "key"):
            self.make_key(key)

    def make_key(self, name: str) -> str:
        """A new pair of keys; returns the public half."""
        path = self.folder / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
        return path.with_suffix(".pub").read_text().strip()

    def start(self, *settings: str, keys: str | None = None) -> None:
        """Run it, or run it anew with other settings or another ``authorized_keys``."""
        self.stop()
        text = CONFIGURATION.format(port=self.port, address=self.address, folder=self._there)
        files = {
            "sshd_config": text + "".join(f"{one}\n" for one in settings),
            "host_key": (self.folder / "host_key").read_text(),
            "authorized_keys": keys or (self.folder / "key.pub").read_text(),
        }
        certificate = self.folder / "host_key-cert.pub"
        if certificate.exists():
            files["host_key-cert.pub"] = certificate.read_text()
        for file, content in files.items():
            self.machine.console(
                'mkdir -p "${1%/*}"; printf %s "$2" >"$1"; chmod 600 "$1"', f"{self._there}/{file}", content
            )
        self.machine.console(f"chmod 755 {self._there}; chmod 644 {self._there}/authorized_keys")
        self.machine.console(f"/usr/sbin/sshd -f {self._there}/sshd_config -E {self._there}/log")
        wait_for(lambda: self.machine.answers(self.port, b"SSH-", self.address), 60, f"{self.name} answers")

    def stop(self) -> None:
        """End it, and what goes through it."""
        self.machine.console(
            f"test -e {self._there}/pid && kill $(cat {self._there}/pid) && rm -f {self._there}/pid; "
            f"pkill -f '^sshd: {self.account}' ; true"
        )

    def log(self) -> str:
        """What its sshd wrote."""
        return self.machine.console(f"cat {self._there}/log")

    @property
    def known_hosts_line(self) -> str:
        return f"[{self.name}]:{self.port} {(self.folder / 'host_key.pub').read_text()}"

    @property
    def credential(self) -> Credential:
        key = Secret((self.folder / "key").read_text())
        return Credential(self.name.partition(".")[0], self.account, "ssh-key", private_key=key)

    def hop(self, *, address: str | None = None) -> Hop:
        """This host as a hop; ``address`` "" is for one that the host before looks up."""
        found = self.address if address is None else address
        return Hop(Target(self.name, found, self.port), self.credential)
