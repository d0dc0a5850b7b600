"""Where records go: a file an hour and user, appended to in one write. It costs hardly an import."""

from __future__ import annotations

import os
import stat
import time

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def file_name(now: float, user: int) -> str:
    """The file that a record belongs into: one an hour (UTC) and user, so that nobody's hinders another."""
    return time.strftime("%Y%m%dT%H", time.gmtime(now)) + f"-{user}.tsv"


def append(folder: str, lines: bytes, now: float) -> str:
    """Append whole lines in one write.

    Returns:
        What was wrong, in one line; empty where nothing was. Never raises.
    """
    user = os.geteuid()
    path = f"{folder}/{file_name(now, user)}"
    try:
        if user == 0 and _owner(folder):
            return f"not recorded: {folder} is another user's, who could lead root's file elsewhere"
        # The folder may belong to somebody less trusted: neither a link nor a pipe is written to.
        descriptor = os.open(path, _FLAGS, 0o644)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != user or found.st_nlink != 1:
                return f"not recorded: {path} is not a plain file of our own"
            if os.write(descriptor, lines) != len(lines):
                return f"not recorded: {path}: the disk is full"
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        return f"not recorded: {path}: {getattr(error, 'strerror', None) or error}"
    return ""


def _owner(folder: str) -> int:
    """Who has a say over the folder; root (0) where nobody else has."""
    from pathlib import Path

    from imap4.folders import owner_of

    return owner_of(Path(folder))
