"""Memory shared between a worker process and its supervisor, so that no job dies with the process.

The worker notes every job in it as it comes and strikes it out once its answer is with the core; the
supervisor keeps the connection to the core open. Where a worker is killed, its successor takes both
over and runs the jobs that are noted. Only where it was killed in the middle of a read or a write is
it not known what the core has seen; then the connection is given up, since an answer sent twice could
pass for that of another job.
"""

from __future__ import annotations

import json
import mmap
import struct
import time
from typing import Any, NamedTuple

_BEAT = struct.Struct("d")
_BUSY = 8
_LENGTH = struct.Struct("I")
_JOB = struct.Struct("IId")  # length (0: free), how often it was begun, when it came

_STATISTICS, _STATISTICS_ROOM = 64, 64 * 1024
_UNREAD, _UNREAD_ROOM = _STATISTICS + _STATISTICS_ROOM, 256 * 1024
_UNSENT, _UNSENT_ROOM = _UNREAD + _UNREAD_ROOM, 1024 * 1024
_JOBS = _UNSENT + _UNSENT_ROOM
_JOB_ROOM = 2048
SLOTS = 16384

NOWHERE = -1
"""The slot of a job that there was no room for; it dies with the process."""


class Noted(NamedTuple):
    """A job that a worker has left behind."""

    slot: int
    message: bytes
    attempts: int
    came: float
    """On the monotonic clock, which all processes share."""


class Journal:
    """One worker's part of the shared memory. What is never touched takes up no memory."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _JOBS + SLOTS * _JOB_ROOM)
        self._free: list[int] = []
        self.beat()

    def beat(self) -> None:
        """Say that the worker's loop goes round."""
        _BEAT.pack_into(self._memory, 0, time.monotonic())

    @property
    def silence(self) -> float:
        """Seconds since the last beat."""
        beat: float = _BEAT.unpack_from(self._memory)[0]
        return time.monotonic() - beat

    @property
    def busy(self) -> bool:
        """Whether the worker is between a read or a write and its note of it."""
        return bool(self._memory[_BUSY])

    @busy.setter
    def busy(self, value: bool) -> None:
        self._memory[_BUSY] = value

    def publish(self, statistics: dict[str, Any]) -> None:
        """Let the supervisor see figures."""
        data = json.dumps(statistics).encode()
        if len(data) < _STATISTICS_ROOM - 4:
            self._keep(_STATISTICS, data)

    def published(self) -> dict[str, Any]:
        """The figures; empty where there are none, or where they are just being written."""
        try:
            figures: dict[str, Any] = json.loads(self._kept(_STATISTICS) or b"{}")
        except ValueError:
            return {}
        return figures

    def begin(self) -> list[Noted]:
        """Take over what the predecessor has left; to be called first, in the worker."""
        left, self._free = [], []
        for slot in range(SLOTS):
            at = _JOBS + slot * _JOB_ROOM
            length, attempts, came = _JOB.unpack_from(self._memory, at)
            if length:
                _JOB.pack_into(self._memory, at, length, attempts + 1, came)
                message = self._memory[at + _JOB.size : at + _JOB.size + length]
                left.append(Noted(slot, message, attempts + 1, came))
            else:
                self._free.append(slot)
        self._free.reverse()
        return left

    def clear(self) -> None:
        """Forget all jobs and halves of messages: the core that they came from is gone."""
        for slot in range(SLOTS):
            if _LENGTH.unpack_from(self._memory, _JOBS + slot * _JOB_ROOM)[0]:
                _LENGTH.pack_into(self._memory, _JOBS + slot * _JOB_ROOM, 0)
        self._free = list(range(SLOTS - 1, -1, -1))
        self.unread = b""
        self.unsent = b""
        self.busy = False

    def note(self, message: bytes) -> int:
        """Note a job; the slot that it is in."""
        if not self._free or len(message) > _JOB_ROOM - _JOB.size:
            return NOWHERE
        slot = self._free.pop()
        at = _JOBS + slot * _JOB_ROOM
        self._memory[at + _JOB.size : at + _JOB.size + len(message)] = message
        _JOB.pack_into(self._memory, at, len(message), 0, time.monotonic())
        return slot

    def strike(self, slot: int) -> None:
        """Forget a job whose answer is sent."""
        if slot != NOWHERE:
            _LENGTH.pack_into(self._memory, _JOBS + slot * _JOB_ROOM, 0)
            self._free.append(slot)

    @property
    def unread(self) -> bytes:
        """The beginning of a message from the core."""
        return self._kept(_UNREAD)

    @unread.setter
    def unread(self, data: bytes) -> None:
        self._keep(_UNREAD, data)

    @property
    def unsent(self) -> bytes:
        """The end of an answer to the core."""
        return self._kept(_UNSENT)

    @unsent.setter
    def unsent(self, data: bytes) -> None:
        self._keep(_UNSENT, data)

    def _keep(self, at: int, data: bytes) -> None:
        self._memory[at + 4 : at + 4 + len(data)] = data
        _LENGTH.pack_into(self._memory, at, len(data))

    def _kept(self, at: int) -> bytes:
        length = _LENGTH.unpack_from(self._memory, at)[0]
        return self._memory[at + 4 : at + 4 + length]
