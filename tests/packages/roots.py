"""Bare Debian roots to install packages in, and one to build them in: made once, kept in the user's cache.

A bare root has what debootstrap's smallest has, and the archives of what our packages may depend on: they are
installed without a network, by what they declare. Built is in Debian 13, with its own debhelper and lintian.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.machines.debian import cached_tree
from tests.machines.private_root import PrivateRoot, why_no_private_root

_BASE = "apt"
"""The least that debootstrap can be asked for."""
_NOTHING_STARTS = (
    r"""printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d"""
)
_DOWNLOAD = f"""
{_NOTHING_STARTS}
apt-get -qq update
apt-get -qq -y --no-install-recommends --download-only install {{}} >&2
"""
_INSTALL = f"""
{_NOTHING_STARTS}
apt-get -qq update
apt-get -qq -y --no-install-recommends install {{}} >&2
apt-get clean
rm -rf /var/lib/apt/lists/*
"""
ENGINE = "nagios4-core openssh-server"
"""What the packages are tried with: an engine, and a machine to repair."""
PARTS13 = (
    "python3-nagiosplugin python3-idna python3-cryptography python3-paramiko python3-requests python3-rich "
    "python3-urllib3 python3-winrm python3-greenlet systemd"
)
PARTS12 = "python3 systemd"


def why_no_roots() -> str:
    """Why none can be made here; empty where they can."""
    if not shutil.which("debootstrap", path="/usr/sbin:/usr/bin"):
        return "debootstrap is not installed"
    return why_no_private_root()


def bare(suite: str) -> Path:
    """A root with nothing but the archives of what may be wanted."""
    parts = PARTS13 if suite == "trixie" else PARTS12
    return _layer(suite, "bare", _DOWNLOAD.format(f"{parts} {ENGINE}"))


def builder() -> Path:
    """Debian 13 with what builds and judges its packages."""
    return _layer("trixie", "build", _INSTALL.format("debhelper dh-python dpkg-dev lintian"))


def _layer(suite: str, name: str, script: str) -> Path:
    base = cached_tree(suite, _BASE)
    tree = base.with_name(f"{name}-{suite}-{hashlib.sha256(script.encode()).hexdigest()[:12]}")
    with open(base.parent / f"lock-{tree.name}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if tree.exists():
            return tree
        unfinished = tree.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(unfinished)], check=True)
        shutil.copy("/etc/resolv.conf", unfinished / "etc" / "resolv.conf")
        mounted = 'mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; exec chroot "$0" sh -ec "$1"'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", mounted, str(unfinished), script],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        unfinished.rename(tree)
    return tree


class Root(PrivateRoot):
    """A root in which packages are installed, and which is gone afterwards."""

    def __init__(self, folder: Path, lower: Path) -> None:
        """The servers that are tested run on this machine's loopback."""
        super().__init__(folder, lower, network=True)

    def __enter__(self) -> Root:
        super().__enter__()
        return self

    def put(self, file: Path, to: str) -> None:
        """Copy a file of this machine into the root."""
        subprocess.run(self.command("tee", to), stdin=file.open("rb"), stdout=subprocess.DEVNULL, check=True)

    def apt(self, *words: str) -> str:
        """What apt-get says on both streams; without a network, and it must end well."""
        quiet = ("-y", "-qq", "--no-install-recommends", "-o", "APT::Sandbox::User=root")
        command = ("unshare", "--net", "apt-get", *quiet, *words)
        ended = self.run(*command, DEBIAN_FRONTEND="noninteractive", PATH="/usr/sbin:/usr/bin:/sbin:/bin")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def says(self, *words: str, user: str = "root", stdin: str = "") -> tuple[int, str, str]:
        """Exit code, output and errors of a program there, run as some user."""
        drop = () if user == "root" else ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
        ended = self.run(*drop, *words, stdin=stdin, PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/")
        return ended.returncode, ended.stdout, ended.stderr
