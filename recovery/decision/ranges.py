"""Rates and ranges as people write them on a command line. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from imap4 import durations
from recovery.errors import UsageError

# Nine digits: no limit is longer, and int() need not read a book.
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Rate:
    """At most ``count`` times in any ``seconds``."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read ``3/1h`` (three in any hour); ``1/h`` is ``1/1h``.

        Raises:
            UsageError: it is not of that form, or the time is 0.
        """
        count, slash, window = text.partition("/")
        if window.isalpha():
            window = "1" + window
        if not slash or not _WHOLE.fullmatch(count):
            raise UsageError(f"{text!r} is not a rate; write 3/1h for three times in any hour")
        try:
            seconds = durations.above_zero(window)
        except durations.DurationError as error:
            raise UsageError(f"{text!r} is not a rate: {error}") from None
        return cls(int(count), seconds)

    def __str__(self) -> str:
        return f"{self.count}/{durations.spell(self.seconds)}"


@dataclass(frozen=True)
class Range:
    """Whole numbers: one, or several stretches with both ends included; ipMonitor's alert range."""

    stretches: tuple[tuple[int, int | None], ...]

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read ``2``, ``1-3``, ``4-`` or ``1-2,5``; numbers begin at 1.

        Raises:
            UsageError: it is none of these.
        """
        stretches = []
        for part in text.split(","):
            first, dash, last = part.strip().partition("-")
            if not _WHOLE.fullmatch(first) or not (last == "" or _WHOLE.fullmatch(last)):
                raise UsageError(f"{text!r} is not a range; write 2, 1-3, 4- or 1-2,5")
            low = int(first)
            high = int(last) if last else (None if dash else low)
            if low < 1 or (high is not None and high < low):
                raise UsageError(f"{text!r} is not a range: {part.strip()} holds no number from 1 on")
            stretches.append((low, high))
        return cls(tuple(stretches))

    def __contains__(self, number: int) -> bool:
        return any(low <= number and (high is None or number <= high) for low, high in self.stretches)

    def __str__(self) -> str:
        def one(low: int, high: int | None) -> str:
            return str(low) if low == high else f"{low}-{'' if high is None else high}"

        return ",".join(one(low, high) for low, high in self.stretches)
