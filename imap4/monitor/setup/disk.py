"""Reads and changes files as root may: by the rules of ``imap4.folders``."""

from __future__ import annotations

import errno
import grp
import hashlib
import os
import pwd
import stat
import subprocess
from pathlib import Path

from imap4 import folders
from imap4.monitor.trouble import Trouble

_MOST = 4 << 20
_PATIENCE = 90.0
"""Seconds for systemctl and loginctl."""


def read(path: Path) -> bytes | None:
    """What is in a file, read as who has a say over its folder; None where there is none.

    Raises:
        Trouble: it is a link or anything else but a file, or cannot be read.
    """
    try:
        with folders.as_owner(path.parent):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise Trouble(f"setup: {path} is no file: move it away")
                return file.read(_MOST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = "is a link or no file: move it away" if error.errno == errno.ELOOP else error.strerror
        raise Trouble(f"setup: {path}: {why}") from None


def peek(path: Path) -> bytes:
    """What is in a file that is not ours; nothing where it is no plain file, or cannot be read.

    Whoever owns its folder could have put a FIFO there, which would hold us up.
    """
    try:
        with folders.as_owner(path.parent):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                return file.read(_MOST) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""


def digest(data: bytes) -> str:
    """How the journal knows a file again."""
    return hashlib.sha256(data).hexdigest()


def unlink(path: Path) -> None:
    """Remove a file or a link, as who has a say over its folder."""
    with folders.as_owner(path.parent):
        path.unlink(missing_ok=True)


def replace_foreign(path: Path, data: bytes) -> None:
    """Replace a file that is not ours: mode and group stay, and so does the owner where that is no danger.

    In another user's folder the new file is that user's: root gives nothing away by a name that they could
    turn meanwhile (``imap4.folders``).
    """
    before = os.lstat(path)
    folders.replace_file(path, data, stat.S_IMODE(before.st_mode))
    if os.geteuid() == 0 and folders.owner_of(path.parent) == 0:
        os.chown(path, before.st_uid, before.st_gid, follow_symlinks=False)


def run(command: tuple[str, ...]) -> None:
    """Run one of the system's programs.

    Raises:
        Trouble: it did not work; what it said is in the text.
    """
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Trouble(f"setup: {' '.join(command)}: {error}") from None
    if ended.returncode != 0:
        said = " ".join(ended.stdout.decode(errors="replace").split())[-300:]
        raise Trouble(f"setup: {' '.join(command)} ended with {ended.returncode}: {said}")


def group_of(user: pwd.struct_passwd) -> str:
    """The name of a user's own group."""
    try:
        return grp.getgrgid(user.pw_gid).gr_name
    except KeyError:
        return str(user.pw_gid)
