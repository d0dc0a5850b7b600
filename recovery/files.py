"""Private files: who may read them, locks that die with their process, and writes that are all or nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from imap4 import folders, secrets
from imap4.deadline import Deadline
from recovery import home
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

    The new one is readable to its owner alone. Root writes it as the folder's owner; in a folder of its own,
    the new file keeps the old one's owner.

    Raises:
        UsageError: the folder cannot be written or trusted, or the disk is full. The old file is untouched.
    """
    try:
        with as_owner(path.parent):
            _replace(path, data)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; it is as it was") from None


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            _keep_owner(file.fileno(), path)
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
    with as_owner(path.parent):
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


def _keep_owner(handle: int, path: Path) -> None:
    """Give the file ``handle``, which we have just made, to the owner of the one that it takes the place of.

    Only root can, and only in a folder where nobody else could have put another file at ``path``.
    """
    if os.geteuid() != 0:
        return
    with suppress(FileNotFoundError):
        status = path.lstat()
        os.fchown(handle, status.st_uid, status.st_gid)


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """Root works in ``folder`` with no more rights than the folder's owner has; others as they are.

    Raises:
        UsageError: others can write the folder, or it cannot be looked at.
    """
    with ExitStack() as stack:
        try:
            folders.refuse_shared(folder)
            stack.enter_context(folders.as_owner(folder))
        except folders.UntrustedFolder as error:
            raise UsageError(str(error)) from None
        except OSError as error:
            raise UsageError(f"cannot use the folder {folder}: {error.strerror}") from None
        yield


def make_folder(folder: Path) -> None:
    """Make ``folder`` and what leads to it, for its owner alone; one that is there stays as it is.
    What root makes belongs to whoever has a say over the folder that it is made in, and the host's one
    home to the engine's user.

    Raises:
        UsageError: it cannot be made, is another user's, or others can write it.
    """
    home.refuse_others(folder, os.W_OK | os.X_OK)
    missing: list[Path] = []
    while not (place := missing[-1].parent if missing else folder).is_dir():
        missing.append(place)
    try:
        with as_owner(folder):
            for each in reversed(missing):
                each.mkdir(mode=0o700, exist_ok=True)
                if os.geteuid() == 0 and home.is_home(each):
                    home.give_to_engine(each)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}") from None


def open_plain(path: Path) -> int:
    """Open ``path`` to read and write, made for its owner alone where it is not there; returns the handle.

    Whoever calls has the rights of the folder's owner (:func:`as_owner`).

    Raises:
        UsageError: it is a link, or anything else but a plain file.
        OSError: it cannot be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise
        raise UsageError(f"{path} is a link or no plain file; remove it") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UsageError(f"{path} is not a plain file; remove it")
    return handle


def open_lock(path: Path) -> int:
    """Open the lock file ``path`` and return its handle. Lock files are never removed: one that was
    removed while another process waits for it would let two in.

    Raises:
        UsageError: it cannot be made, or its folder cannot be trusted.
    """
    try:
        with as_owner(path.parent):
            return open_plain(path)
    except OSError as error:
        raise UsageError(f"cannot open the lock {path}: {error.strerror}") from None


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
