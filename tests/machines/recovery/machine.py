"""A real machine for the recovery to repair: Debian with systemd, sshd and Dovecot, which can be rebooted.

It is a systemd-nspawn container that boots its own systemd, on the host's loopback network. The Debian
tree is made once by debootstrap and kept in the user's cache; each test session works on a copy.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.machines.debian import as_root, cached_tree

SUITE = os.environ.get("IMAP4_TEST_MACHINE") or ("trixie" if sys.version_info >= (3, 13) else "bookworm")
"""The Debian of the machines: one with the Python that runs the tests, unless the variable names another."""
PACKAGES = (
    "systemd,systemd-sysv,dbus,openssh-server,dovecot-imapd,sudo,procps,sysvinit-utils,lsb-base,"
    "python3"  # which only the benchmark's rival needs
)
ADDRESS = "127.0.0.9"
REBOOT = 133  # what systemd-nspawn exits with when the machine asked for a reboot
PROVISION = Path(__file__).with_name("provision.sh")


def free_port(address: str = ADDRESS) -> int:
    """A TCP port of an address that nobody listens on."""
    with socket.socket() as sock:
        sock.bind((address, 0))
        port: int = sock.getsockname()[1]
        return port


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return as soon as ``condition()`` is true; fail the test after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


class Machine:
    """One machine: its folder, ports, keys and accounts.

    Accounts: ``root``; ``admin``, who may do all through sudo; ``limited``, whose sudoers lines a test
    installs; ``plain``, who may do nothing. All have the same password and the same key.
    """

    def __init__(self, folder: Path, *, boot: bool = True) -> None:
        self.name = "mail1.example" if boot else "old1.example"
        self.folder = folder
        self.root = folder / "root"
        self.boot = boot
        self.ssh_port = free_port()
        self.imap_port = free_port()
        self.password = secrets.token_urlsafe(18)
        self.passphrase = secrets.token_urlsafe(18)
        self.comes_back = True
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def build(self) -> None:
        """Copy the tree and give it keys, accounts and services."""
        self.folder.mkdir(parents=True, exist_ok=True)
        copy = ["cp", "-a", "--reflink=auto", str(cached_tree(SUITE, PACKAGES)), str(self.root)]
        subprocess.run(as_root(*copy), check=True)
        for name, passphrase in (("key", ""), ("key-locked", self.passphrase), ("host_key", "")):
            self._make_key(name, passphrase)
        values = {
            "ROOT": str(self.root),
            "KEYS": str(self.folder),
            "ADDRESS": ADDRESS,
            "SSH_PORT": str(self.ssh_port),
            "IMAP_PORT": str(self.imap_port),
            "NAME": self.name,
        }
        settings = [f"{name}={value}" for name, value in values.items()]
        done = subprocess.run(
            as_root("env", *settings, "sh", str(PROVISION)),
            input=self.password.encode(),
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()
        (self.folder / "known_hosts").write_text(self.known_hosts_line())

    def _make_key(self, name: str, passphrase: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import (
            BestAvailableEncryption,
            Encoding,
            NoEncryption,
            PrivateFormat,
            PublicFormat,
        )

        # Not ssh-keygen: the passphrase would be on its command line.
        key = Ed25519PrivateKey.generate()
        hidden = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, hidden))
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        path.with_suffix(".pub").write_bytes(public + b"\n")

    def known_hosts_line(self, port: int | None = None) -> str:
        """The line of a known_hosts file that names the machine's key."""
        public = (self.folder / "host_key.pub").read_text()
        return f"[{self.name}]:{port or self.ssh_port} {public}"

    @property
    def known_hosts(self) -> list[str]:
        return [str(self.folder / "known_hosts")]

    def start(self) -> None:
        """Boot, and boot again whenever the machine asks for a reboot; returns when sshd answers."""
        self._thread = threading.Thread(target=self._power, daemon=True)
        self._thread.start()
        self.wait_until_up()

    def restart_sshd(self) -> None:
        """Let sshd read its configuration anew."""
        # systemd would take so many restarts for a crash loop.
        self.console("systemctl reset-failed ssh; systemctl restart ssh")
        self.wait_until_up()

    def wait_until_up(self) -> None:
        wait_for(lambda: self.answers(self.ssh_port, b"SSH-"), 60, "sshd answers")

    def _power(self) -> None:
        # A test session that is killed takes its machine with it.
        command = [
            "setpriv",
            "--pdeathsig",
            "TERM",
            "env",  # control groups as every Debian has them, whatever the host has
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
            "systemd-nspawn",
            "--quiet",
            "--keep-unit",
            "--register=no",
            "-D",
            str(self.root),
        ]
        command += ["-M", self.name.partition(".")[0], f"--hostname={self.name}"]
        # Without --boot there is no systemd inside, as on a machine with System V init.
        command += ["--boot", "--kill-signal=SIGRTMIN+3"] if self.boot else ["--as-pid2", "/start"]
        with open(self.folder / "console.log", "ab") as console:
            while not self._stopping.is_set():
                self._process = subprocess.Popen(
                    as_root(*command), stdin=subprocess.DEVNULL, stdout=console, stderr=console
                )
                status = self._process.wait()
                if status != REBOOT or not self.comes_back:
                    return

    def stop(self) -> None:
        """Pull the plug and remove the machine's folder."""
        self._stopping.set()
        end = time.monotonic() + 60
        # Between two runs there is no plug to pull, and the next one may just be beginning.
        while self._thread and self._thread.is_alive() and time.monotonic() < end:
            self.pull_the_plug()
            self._thread.join(0.5)
        shutil.rmtree(self.folder, ignore_errors=True) if os.geteuid() == 0 else subprocess.run(
            as_root("rm", "-rf", str(self.root)), check=True
        )

    def pull_the_plug(self) -> None:
        """End the machine at once, as a power cut would."""
        with contextlib.suppress(StopIteration, ProcessLookupError):
            self._signal(self.leader, signal.SIGKILL)

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def leader(self) -> int:
        """The machine's first process, as the host numbers it."""
        assert self._process
        pid = self._process.pid
        # sudo may stand between us and systemd-nspawn.
        while True:
            pid = next(iter(children(pid)))
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            if name not in {"systemd-nspawn", "sudo"}:
                return pid

    @staticmethod
    def _signal(pid: int, number: int) -> None:
        subprocess.run(as_root("kill", f"-{number}", str(pid)), check=True)

    def console(self, command: str, *arguments: str) -> str:
        """What ``sh -c command`` prints when run as root on the machine, past SSH and our code."""
        enter = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-p", "-C"]
        done = subprocess.run(
            as_root(*enter, "-r", "-w", "--", "/bin/sh", "-c", command, "sh", *arguments),
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout.strip()

    @staticmethod
    def answers(port: int, begins: bytes, address: str = ADDRESS) -> bool:
        """Whether a server on the machine's ``port`` says something that begins so."""
        try:
            with socket.create_connection((address, port), timeout=2) as sock:
                return sock.recv(64).startswith(begins)
        except OSError:
            return False


def children(pid: int) -> list[int]:
    """The children of a process."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
