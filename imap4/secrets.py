"""Reads files that hold a secret: the one rule for who may own them, who may read them, and what they may be.

A secret's file is a plain file of root or of the user who reads it, closed to all others, and no longer than
it may be. Run by root, it may also belong to the owner of the folder that it lies in: so an administrator
reads what is the engine's. It is opened once, and what is looked at is what was opened, so that nobody can
change one for the other in between.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from imap4.text import clean

LIMIT = 65536
"""Bytes that a secret may have where nothing else is said; a private key of 16384 bits has 12 KiB."""

_MAX_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""


class SecretError(Exception):
    """The file is not there, or not as a secret's file must be: one line that says what to do."""


def read(path: str | os.PathLike[str], what: str, *, limit: int = LIMIT, group: bool = False) -> bytes:
    """All bytes of a file that nobody else can read.

    Args:
        what: what the file is, for the error: ``the credential store``; "" where its name says enough.
        limit: a longer file is refused, in bytes.
        group: a group may read it where root owns it (0640 root:nagios), since a user who is neither root
            nor the owner could not read it otherwise. systemd shows files in ``$CREDENTIALS_DIRECTORY`` so
            too: 0440 root:root, with an ACL for the unit's user whose mask stands in the group's bits.

    Raises:
        FileNotFoundError: there is no such file.
        SecretError: others may read it, it is somebody else's or not a plain file, or cannot be read.
    """
    name = os.fspath(path)
    shown = f"{what} {clean(name, 200)}".lstrip()
    try:
        folder, last = _folder_of(name, shown)
        try:
            owner = os.fstat(folder).st_uid
            # Neither a FIFO nor a terminal may hold us up, or become ours, before it is refused.
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC
            opened = os.open(last, flags, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            _refuse(os.fstat(opened), owner, name, shown, group)
            with open(opened, "rb", closefd=False) as file:
                data = file.read(limit + 1)
        finally:
            os.close(opened)
    except FileNotFoundError:
        # /dev/stdin and what a shell makes of <(...) lead to no name where they are pipes.
        if os.path.exists(name):
            raise SecretError(f"{shown} is not a plain file") from None
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SecretError(f"cannot read {shown}: {reason}") from None
    if len(data) > limit:
        raise SecretError(f"{shown} is longer than {limit} bytes: it is some other file")
    return data


def read_line(path: str | os.PathLike[str], what: str, *, group: bool = False) -> str:
    """The first line of a file that nobody else can read, without its end; see :func:`read`.

    Raises:
        SecretError: as :func:`read`, or there is no such file, its first line is empty or not UTF-8.
    """
    shown = f"{what} {clean(os.fspath(path), 200)}".lstrip()
    try:
        data = read(path, what, group=group)
    except FileNotFoundError as error:
        raise SecretError(f"cannot read {shown}: {error.strerror}") from None
    return first_line(data, shown)


@contextlib.contextmanager
def as_file(data: bytes) -> Iterator[str]:
    """A path to ``data`` for a library that wants one; it is in memory alone, and goes with the block."""
    descriptor = os.memfd_create("secret")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def first_line(data: bytes, shown: str) -> str:
    """The first line of ``data``, which must be a secret; ``shown`` says whence it is.

    Raises:
        SecretError: it is empty, has a NUL, or is not UTF-8. The text does not quote it.
    """
    line = data.split(b"\n", 1)[0].removesuffix(b"\r")
    if not line or b"\0" in line:
        raise SecretError(f"{shown}: its first line must be the password")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        # "from None": the error's own text would quote the secret.
        raise SecretError(f"{shown}: the password is not UTF-8") from None


def _refuse(status: os.stat_result, folders_owner: int, name: str, shown: str, group: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SecretError(f"{shown} is not a plain file")
    user = os.geteuid()
    if status.st_uid not in {0, user} and not (user == 0 and status.st_uid == folders_owner):
        to = f"user {user} or root"
        if user == 0:
            to = f"root or user {folders_owner}, whose folder it lies in" if folders_owner else "root"
            to += " (root's may be readable for a group, chmod 640)" if group else ""
        raise SecretError(f"{shown} belongs to user {status.st_uid}; give it to {to}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & (0o037 if group and status.st_uid == 0 else 0o077):
        # Closed, root's file would be out of our reach: it must become ours as well.
        give = "" if user in {0, status.st_uid} else f"chown {user} {clean(name, 200)} && "
        who = "others" if group and status.st_uid == 0 else "group or others"
        raise SecretError(
            f"{shown} is open to {who} (mode {mode:04o}); run: {give}chmod 600 {clean(name, 200)}"
        )


def _folder_of(name: str, shown: str) -> tuple[int, str]:
    """An open descriptor of the folder that ``name`` leads to, and the file's own name in it.

    Every symbolic link on the way must be root's or the user's, and lie in a folder of root's or theirs:
    nobody else decides which file is read.
    """
    parts = _parts(name)
    folder = os.open("/" if name.startswith("/") else ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    links = 0
    try:
        while parts:
            part = parts.pop()
            found = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                status = os.fstat(found)
                if stat.S_ISLNK(status.st_mode):
                    links += 1
                    _refuse_link(links, {status.st_uid, os.fstat(folder).st_uid}, shown)
                    # An empty name is the link that the descriptor itself stands for (readlinkat(2)).
                    target = os.readlink("", dir_fd=found)
                    parts += _parts(target)
                    start = "/" if target.startswith("/") else "."
                    step = os.open(start, os.O_PATH | os.O_CLOEXEC, dir_fd=folder)
                elif not parts:
                    return os.dup(folder), part
                else:
                    step = os.dup(found)
            finally:
                os.close(found)
            os.close(folder)
            folder = step
    finally:
        os.close(folder)
    raise IsADirectoryError(21, "Is a directory")


def _refuse_link(links: int, owners: set[int], shown: str) -> None:
    if links > _MAX_LINKS:
        raise SecretError(f"{shown} leads through too many symbolic links")
    if not owners <= {0, os.geteuid()}:
        raise SecretError(
            f"{shown} leads through a symbolic link that is another user's, or lies in another user's "
            "folder; name the file itself"
        )


def _parts(path: str) -> list[str]:
    """The names in a path, the last first. ``..`` stays: what it means is only known on the way."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]
