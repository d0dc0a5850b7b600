"""A NetBIOS name, answered by Samba's real nmbd on a network of two namespaces that the test makes."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.debian import as_root
from tests.machines.recovery.machine import wait_for

ASK = """
import sys
from imap4.deadline import Deadline
from recovery.errors import RecoveryError
from recovery.machines.address import locate
try:
    target = locate(sys.argv[1], None, Deadline(15))
    print(target.machine, target.address)
except RecoveryError as error:
    print(error)
"""


def root(*command: str) -> None:
    subprocess.run(as_root(*command), check=True, capture_output=True)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[str]:
    """The namespace next to the one in which a machine called MAIL7 answers at 192.0.2.7."""
    if os.geteuid() != 0 or not shutil.which("nmbd", path="/usr/sbin:/usr/bin"):
        pytest.skip("needs root and nmbd")
    us, them = (f"ci4-{secrets.token_hex(3)}" for _ in range(2))
    nmbd = None
    try:
        root("ip", "netns", "add", us)
        root("ip", "netns", "add", them)
        root("ip", "-n", us, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", them)
        for name, address in ((us, "192.0.2.1/24"), (them, "192.0.2.7/24")):
            root("ip", "-n", name, "addr", "add", address, "brd", "+", "dev", "eth0")
            for device in ("lo", "eth0"):
                root("ip", "-n", name, "link", "set", device, "up")
        settings = tmp_path / "smb.conf"
        places = ("lock directory", "state directory", "cache directory", "pid directory", "private dir")
        lines = ["[global]", "netbios name = MAIL7", "interfaces = eth0", "bind interfaces only = yes"]
        # Else it takes /run/samba, which is there only where the package was started once.
        sockets = f"\nnmbd:socket dir = {tmp_path}/sockets\n"
        settings.write_text("\n".join([*lines, *(f"{place} = {tmp_path}" for place in places)]) + sockets)
        daemon = ["ip", "netns", "exec", them, "nmbd", "-F", "--no-process-group", "-s", str(settings)]
        nmbd = subprocess.Popen(
            [*daemon, "-l", str(tmp_path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        yield us
    finally:
        if nmbd:
            nmbd.terminate()
            nmbd.wait(10)
        for name in (us, them):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def ask(namespace: str, name: str, folder: Path) -> str:
    """What becomes of the name, on a host whose resolver knows /etc/hosts alone and says so of all others."""
    switch = folder / "nsswitch.conf"
    switch.write_text("hosts: files\n")
    # ip-netns(8) makes a mount namespace too, so that this is seen inside alone.
    inside = 'mount --bind "$0" /etc/nsswitch.conf && exec "$@"'
    command = ["ip", "netns", "exec", namespace, "sh", "-c", inside, str(switch)]
    command += [sys.executable, "-c", ASK, name]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()


def test_netbios_name_that_dns_does_not_know_is_found(network: str, tmp_path: Path) -> None:
    wait_for(lambda: "192.0.2.7" in ask(network, "MAIL7", tmp_path), 40, "nmbd has its name")
    assert ask(network, "mail7", tmp_path) == "mail7 192.0.2.7"
    assert ask(network, "NOBODY", tmp_path) == "NOBODY: neither DNS nor the NetBIOS name service knows it"
