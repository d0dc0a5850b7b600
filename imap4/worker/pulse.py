"""Memory in which a worker process shows its supervisor that it lives, and what it has done."""

from __future__ import annotations

import json
import mmap
import struct
import time
from typing import Any

_BEAT = struct.Struct("d")
_LENGTH = struct.Struct("I")
_FIGURES = 64
_SIZE = 64 * 1024


class Pulse:
    """One worker's. The supervisor makes it, before it forks."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SIZE)
        self.beat()

    def beat(self) -> None:
        """Say that the worker's loop goes round."""
        _BEAT.pack_into(self._memory, 0, time.monotonic())

    @property
    def silence(self) -> float:
        """Seconds since the last beat."""
        beat: float = _BEAT.unpack_from(self._memory)[0]
        return time.monotonic() - beat

    def publish(self, figures: dict[str, Any]) -> None:
        """Let the supervisor see figures."""
        data = json.dumps(figures).encode()
        at = _FIGURES + _LENGTH.size
        if at + len(data) <= _SIZE:
            self._memory[at : at + len(data)] = data
            _LENGTH.pack_into(self._memory, _FIGURES, len(data))

    def published(self) -> dict[str, Any]:
        """The figures; empty where there are none, or where they are just being written."""
        length = _LENGTH.unpack_from(self._memory, _FIGURES)[0]
        at = _FIGURES + _LENGTH.size
        try:
            figures: dict[str, Any] = json.loads(self._memory[at : at + length] or b"{}")
        except ValueError:
            return {}
        return figures
