"""Debian trees for tests: made once by debootstrap, and kept in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path


def as_root(*command: str) -> list[str]:
    """``command``, through sudo where we are not root."""
    return list(command) if os.geteuid() == 0 else ["sudo", "-n", *command]


def cached_tree(suite: str, packages: str) -> Path:
    """The folder of a Debian tree with some packages; made on first use (about a minute, 340 MB)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "check_imap4"
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / f"debian-{suite}-{hashlib.sha256(packages.encode()).hexdigest()[:12]}"
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if tree.exists():
            return tree
        unfinished = tree.with_suffix(".new")
        subprocess.run(as_root("rm", "-rf", str(unfinished)), check=True)
        make = ["debootstrap", "--variant=minbase", f"--include={packages}", suite, str(unfinished)]
        done = subprocess.run(as_root(*make), capture_output=True, text=True)
        assert done.returncode == 0, f"debootstrap failed: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        clean = 'rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/* "$1"/etc/ssh/ssh_host_*'
        subprocess.run(as_root("sh", "-c", clean, "sh", str(unfinished)), check=True)
        subprocess.run(as_root("mv", str(unfinished), str(tree)), check=True)
    return tree


DEBIAN13 = "trixie"
DEBIAN13_PYTHON = "/usr/bin/python3"
PACKAGES13 = (
    "icinga2-bin,python3,python3-nagiosplugin,python3-paramiko,python3-winrm,python3-rich,python3-greenlet,"
    "python3-cffi-backend,python3-cryptography,python3-pytest,python3-hypothesis,python3-trustme,openssl"
)
"""Icinga 2.14, and what the project needs of Python 3.13's libraries, all of them Debian's own."""

# In a mount namespace of its own, which ends with the program: the tree, with the machine's devices,
# processes and temporary files.
_ENTER = """
root=$1 shared=$2 folder=$3; shift 3
mount -t proc proc "$root/proc" || exit 99
mount --rbind /dev "$root/dev" || exit 99
mount --bind "$shared" "$root$shared" || exit 99
exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$folder" "$@"
"""


def why_no_debian13() -> str:
    """Why programs of Debian 13 cannot be run here; empty where they can."""
    missing = [
        name for name in ("debootstrap", "unshare") if not shutil.which(name, path="/usr/sbin:/usr/bin")
    ]
    if missing:
        return f"{missing[0]} is not installed"
    return "" if os.geteuid() == 0 else "only root can run programs of another Debian"


def in_debian13(folder: Path, *command: str) -> list[str]:
    """``command`` in Debian 13, in ``folder``, which is below /tmp, and is the same there."""
    assert folder.is_relative_to("/tmp"), folder  # noqa: S108 - what both have in common
    tree = cached_tree(DEBIAN13, PACKAGES13)
    return ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(tree), "/tmp", str(folder), *command]  # noqa: S108


def program_of_debian13(folder: Path, program: str) -> str:
    """A script in ``folder`` that runs ``program`` there; its path."""
    import shlex

    path = folder / f"debian13-{Path(program).name}"
    path.write_text(f'#!/bin/sh\nexec {shlex.join(in_debian13(folder, program))} "$@"\n')
    path.chmod(0o755)
    return str(path)
