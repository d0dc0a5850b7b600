"""Whose a folder is: root works in another user's folder as that user, and one that others write is refused.

Whoever can write a folder can put a link in the place of any file in it. A root that opens, makes or gives
away such a file does so to whatever the link names (CWE-59). So root takes on the rights of the first user
that has a say on the way to a folder: whatever that user put there, root then does only what they could do.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LINKS = 40
"""As many links as the kernel follows on one path: path_resolution(7)."""
_OTHERS = 0o022


class UntrustedFolder(Exception):
    """A folder that somebody else can write: the text says which, who, and what to do."""


def owner_of(folder: Path) -> int:
    """The number of the user who has a say over ``folder``: the first but root on the way to it, who owns a
    folder or a link of it; root (0) where there is none. What is not there yet is nobody's."""
    return next((status.st_uid for _, status in _way(folder) if status.st_uid), 0)


def refuse_shared(folder: Path) -> None:
    """Pass where only root and one user (we, unless we are root) can change what lies in ``folder``.

    A folder on the way may be open to all if it is sticky, as /tmp is; ``folder`` itself may not.

    Raises:
        UntrustedFolder: others can write it, or one on the way to it.
        OSError: it cannot be looked at.
    """
    ours = os.geteuid() or owner_of(folder)
    way = list(_way(folder))
    for place, (path, status) in enumerate(way, 1):
        if status.st_uid not in (0, ours):
            raise UntrustedFolder(
                f"{path} belongs to {_name(status.st_uid)}, who could change what lies in {folder}; "
                f"give it to {_name(ours)}, or run this as its owner"
            )
        if stat.S_ISLNK(status.st_mode):
            continue
        sticky = status.st_mode & stat.S_ISVTX and place < len(way)
        if not sticky and _open_to_others(status):
            mode = stat.S_IMODE(status.st_mode)
            raise UntrustedFolder(
                f"the folder {path} can be written by group or others (mode {mode:04o}), who could change "
                f"what lies in {folder}; run: chmod go-w {path}"
            )


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """While the block runs, have no more rights than the user who has a say over ``folder``, if we are root.

    The whole process has them, other threads too. What is made meanwhile is that user's.

    Raises:
        OSError: the folder cannot be looked at, or this root may not become another user.
    """
    owner = owner_of(folder) if os.geteuid() == 0 else 0
    if owner == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    own_group, own_groups = _groups(owner)
    try:
        os.setgroups(own_groups)
        os.setegid(own_group)
        os.seteuid(owner)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Put ``data`` in the place of ``path`` in one step: who looks meanwhile sees the old or the new one.

    It is on the disk before it counts. Root writes into another user's folder as that user.

    Args:
        mode: the new file's, whatever the umask says.

    Raises:
        OSError: the folder cannot be written, or the disk is full. The old file is untouched.
    """
    import tempfile  # costs more than the check has to spare, which imports this room to write its records

    with as_owner(path.parent):
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                # By the open file: the name could be a link by now.
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


def _groups(user: int) -> tuple[int, list[int]]:
    """A user's own group, and all of them; nobody's (65534) for one without a name."""
    try:
        entry = pwd.getpwuid(user)
    except KeyError:
        return 65534, []
    return entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)


def _open_to_others(status: os.stat_result) -> bool:
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _private_group(status)


def _private_group(status: os.stat_result) -> bool:
    """Whether the group is the owner's alone, as systems with a group for each user have them."""
    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return owner.pw_gid == group.gr_gid and not set(group.gr_mem) - {owner.pw_name}


def _name(user: int) -> str:
    try:
        return f"user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"user {user}"


def _way(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every folder and link that leads from ``/`` to ``folder``, itself included, as far as they are there.

    Links are followed one by one: what ``realpath`` returns does not say who could have set them.
    """
    here, left, links = "/", [*reversed(Path(os.path.abspath(folder)).parts[1:])], 0
    yield here, os.stat(here)
    while left:
        part = left.pop()
        if part == "..":
            here = os.path.dirname(here)
            continue
        path = os.path.join(here, part)
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        yield path, status
        if not stat.S_ISLNK(status.st_mode):
            here = path
            continue
        links += 1
        if links > _LINKS:
            raise OSError(40, "too many links on the way", str(folder))  # ELOOP
        target = Path(os.readlink(path))
        here = "/" if target.is_absolute() else here
        left += [part for part in reversed(target.parts) if part != "/"]
