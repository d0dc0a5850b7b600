"""One deadline, made once from the time-out and handed down through every phase."""

from __future__ import annotations

import time


class Deadline:
    """A moment on the monotonic clock that nothing may outlast.

    ``seconds`` is the maximum duration, in seconds; fractions are allowed. ``lost`` seconds of it are gone
    already, before the start, which is now.
    """

    __slots__ = ("_end", "seconds", "start")

    def __init__(self, seconds: float, lost: float = 0.0) -> None:
        self.seconds = seconds
        self.start = time.monotonic()
        self._end = self.start + seconds - lost

    @property
    def left(self) -> float:
        """Seconds until the deadline; never below 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def elapsed(self) -> float:
        """Seconds since the deadline was made."""
        return time.monotonic() - self.start

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._end

    def share(self, seconds: float) -> Deadline:
        """A deadline at most ``seconds`` from now, which never ends later than this one."""
        return Deadline(min(seconds, self.left))
