"""Private files: who may read them, locks that die with their process, and writes that are all or nothing."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imap4 import secrets
from imap4.deadline import Deadline
from recovery.errors import RecoveryError, UsageError

LOCK_WAIT = 10.0
"""Seconds that a writer waits for another; each holds the lock for milliseconds."""


def read_private(path: Path, what: str, *, limit: int, from_systemd: bool = False) -> bytes:
    """As :func:`imap4.secrets.read`, with recovery's own error.

    Args:
        from_systemd: it lies in ``$CREDENTIALS_DIRECTORY``, where root's files are open to a group.

    Raises:
        FileNotFoundError: there is no such file.
        UsageError: others may read it, it is not a plain file, or it cannot be read.
    """
    try:
        return secrets.read(path, what, limit=limit, group=from_systemd)
    except secrets.SecretError as error:
        raise UsageError(str(error)) from None


def replace_file(path: Path, data: bytes) -> None:
    """Put ``data`` in the place of ``path``: after a crash at any moment it is the old file or the new.

    The new one is readable to its owner alone, and keeps the old one's owner (or the folder's, where
    there was none) when root writes it.

    Raises:
        UsageError: the folder cannot be written, or the disk is full. The old file is untouched.
    """
    try:
        _replace(path, data)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; it is as it was") from None


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            give_to_owner(file.fileno(), path if path.exists() else path.parent)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove what writers of ``path`` left when they were killed. Its lock must be held."""
    for leftover in path.parent.glob(f".{path.name}.*.new"):
        with suppress(FileNotFoundError):
            leftover.unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last through a power cut: fsync(2) says the folder needs its own."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give_to_owner(handle: int, of: Path) -> None:
    """Where root made the open file ``handle``, give it to the owner of ``of``: the engine's user must
    be able to use what an administrator made by hand."""
    if os.geteuid() == 0:
        status = of.stat()
        os.fchown(handle, status.st_uid, status.st_gid)


def make_folder(folder: Path) -> None:
    """Make ``folder`` and what leads to it, for its owner alone; one that is there stays as it is.
    What root makes belongs to the owner of the folder that it is made in.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        if folder.is_dir():
            return
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            status = folder.parent.stat()
            os.chown(folder, status.st_uid, status.st_gid)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from None


def open_lock(path: Path) -> int:
    """Open the lock file ``path`` and return its handle. Lock files are never removed: one that was
    removed while another process waits for it would let two in.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"cannot open the lock {path}: {error.strerror}") from None
    give_to_owner(handle, path.parent)
    return handle


def try_lock(handle: int, wait: float = 0.0) -> bool:
    """Take the lock of an open file, waiting at most ``wait`` seconds; tell whether that worked.

    The kernel gives the lock back when the process ends, however it ends: flock(2).
    """
    deadline = Deadline(wait)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if deadline.expired:
                return False
            time.sleep(min(0.02, deadline.left))
        else:
            return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the writers' lock of the file ``path``.

    Raises:
        RecoveryError: another process holds it for longer than :data:`LOCK_WAIT`.
    """
    handle = open_lock(path.with_name(path.name + ".lock"))
    try:
        if not try_lock(handle, LOCK_WAIT):
            raise RecoveryError(f"another process has been writing {path} for {LOCK_WAIT:.0f} s; try again")
        yield
    finally:
        os.close(handle)
