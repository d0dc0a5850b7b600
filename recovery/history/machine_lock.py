"""One lock a machine: whoever repairs it holds the lock, and the kernel gives it back however they end."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from recovery.files import open_lock, try_lock


class MachineLock:
    """The right to repair one machine, held until :meth:`release` or the end of the process."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def release(self) -> None:
        """Give it back; more than once does no harm."""
        with suppress(OSError):
            os.close(self._handle)
        self._handle = -1


def take(folder: Path, machine: str, wait: float) -> MachineLock | None:
    """The lock of ``machine`` in ``folder``, or None if it is held for longer than ``wait`` seconds."""
    # quote: a name may hold a slash, and the file must stay in its folder.
    handle = open_lock(folder / quote(machine.lower(), safe=""))
    if try_lock(handle, wait):
        return MachineLock(handle)
    os.close(handle)
    return None
