"""Memory shared between a worker process and its supervisor, so that no job dies with the process.

There is one journal for each registration. The worker notes every job in it as it comes and strikes it out
once its answer is with the core; the supervisor keeps the connection to the core open. Where a worker is
killed, its successor takes both over and runs the jobs that are noted. That must be so: a core that loses
a connection loses its jobs too, and finds out after ten minutes.

Killed in the middle of a read: what was about to be read is noted first, and compared with what is
there. In the middle of a write: the answers are sent again, which the core passes by, since it numbers
its jobs onward; that needs writes that are done as a whole or not at all. Only where that could not be
had is the connection given up.
"""

from __future__ import annotations

import mmap
import struct
import time
from typing import NamedTuple

_HEAD = struct.Struct("=IIIIQ")
"""State; which half of the room is used, bytes in it, how many of them are new; the read's number.

Always written at once, after what it speaks of, so that it is true whenever the worker is killed."""

_STATE = struct.Struct("=I")
_CORE, _CORE_AT = struct.Struct("=QQq"), 32
"""The identity of the socket that the connection was made at; all 0: none is noted."""

_LENGTH = struct.Struct("I")
_JOB = struct.Struct("IIdQ")  # length (0: free), how often it was begun, when it came, in which read

# What the worker is in the middle of.
CLEAN, READING, READ, SENDING, UNSURE = range(5)

SLOTS = 16384
UNREAD_ROOM = 512 * 1024
_MESSAGE_ROOM = 2048
_JOBS = 64
_UNREAD = _JOBS + SLOTS * _JOB.size
_MESSAGES = _UNREAD + 2 * UNREAD_ROOM
"""Apart from what is said of them, so that looking through all slots touches no message's memory."""

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
    """The shared memory of one registration. What is never touched takes up no memory."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _MESSAGES + SLOTS * _MESSAGE_ROOM)
        self._free: list[int] = []

    @property
    def state(self) -> int:
        """CLEAN, READING, READ, SENDING or UNSURE."""
        state: int = _STATE.unpack_from(self._memory)[0]
        return state

    @state.setter
    def state(self, value: int) -> None:
        _STATE.pack_into(self._memory, 0, value)

    @property
    def core(self) -> tuple[int, int, int] | None:
        """Device, inode and time of the core's socket, in nanoseconds, when the connection was made."""
        device, inode, changed = _CORE.unpack_from(self._memory, _CORE_AT)
        return (device, inode, changed) if inode else None

    @core.setter
    def core(self, value: tuple[int, int, int] | None) -> None:
        _CORE.pack_into(self._memory, _CORE_AT, *(value or (0, 0, 0)))

    def begin_read(self, unread: bytes, new: bytes) -> None:
        """Note what is about to be taken from the connection: ``new``, after ``unread`` of before."""
        self._write(READING, unread + new, len(new), 1)

    def end_read(self, rest: bytes) -> None:
        """All whole messages are noted; ``rest`` is the beginning of the next."""
        self._write(CLEAN, rest, 0, 0)

    def read_before(self) -> tuple[bytes, bytes]:
        """What the predecessor had read and was about to read, and the new part of it."""
        _, half, length, new, _ = _HEAD.unpack_from(self._memory)
        at = _UNREAD + half * UNREAD_ROOM
        data = self._memory[at : at + length]
        return data, data[length - new :]

    def _write(self, state: int, data: bytes, new: int, step: int) -> None:
        _, half, _, _, number = _HEAD.unpack_from(self._memory)
        if len(data) > UNREAD_ROOM:
            self.state = UNSURE
            return
        half = 1 - half
        at = _UNREAD + half * UNREAD_ROOM
        self._memory[at : at + len(data)] = data
        _HEAD.pack_into(self._memory, 0, state, half, len(data), new, number + step)

    @property
    def _number(self) -> int:
        """Of the read that is under way, or was the last."""
        number: int = _HEAD.unpack_from(self._memory)[4]
        return number

    def begin(self) -> list[Noted]:
        """Take over what the predecessor has left; to be called first, in the worker."""
        left, self._free = [], []
        # Of a read that was not finished all messages are read again, those that were noted too.
        unfinished = self._number if self.state in (READING, READ) else -1
        for slot in range(SLOTS):
            at = _JOBS + slot * _JOB.size
            length, attempts, came, read = _JOB.unpack_from(self._memory, at)
            if length and read != unfinished:
                _JOB.pack_into(self._memory, at, length, attempts + 1, came, read)
                text = _MESSAGES + slot * _MESSAGE_ROOM
                message = self._memory[text : text + length]
                left.append(Noted(slot, message, attempts + 1, came))
            else:
                _LENGTH.pack_into(self._memory, at, 0)
                self._free.append(slot)
        self._free.reverse()
        return left

    def clear(self) -> None:
        """Forget all jobs and halves of messages: the core that they came from is gone."""
        for slot in range(SLOTS):
            _LENGTH.pack_into(self._memory, _JOBS + slot * _JOB.size, 0)
        self._free = list(range(SLOTS - 1, -1, -1))
        self._write(CLEAN, b"", 0, 0)

    def note(self, message: bytes) -> int:
        """Note a job; the slot that it is in."""
        if not self._free or len(message) > _MESSAGE_ROOM:
            return NOWHERE
        slot = self._free.pop()
        at = _MESSAGES + slot * _MESSAGE_ROOM
        self._memory[at : at + len(message)] = message
        _JOB.pack_into(
            self._memory, _JOBS + slot * _JOB.size, len(message), 0, time.monotonic(), self._number
        )
        return slot

    def strike(self, slot: int) -> None:
        """Forget a job whose answer is sent."""
        if slot != NOWHERE:
            _LENGTH.pack_into(self._memory, _JOBS + slot * _JOB.size, 0)
            self._free.append(slot)
