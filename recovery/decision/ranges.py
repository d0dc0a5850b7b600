"""Durations, rates and ranges as people write them on a command line. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from recovery.errors import UsageError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)


def duration(text: str) -> float:
    """Seconds in ``90``, ``90s``, ``5m``, ``1h``, ``2d``, ``1w``, or several of them (``1h30m``).

    Raises:
        UsageError: it is none of these.
    """
    parts = list(_DURATION.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        raise UsageError(f"{text!r} is not a duration; write 30s, 5m, 1h30m or 2d")
    if len(parts) > 1 and not all(part[2] for part in parts):
        raise UsageError(f"{text!r} is not a duration: each number needs its unit, as in 1h30m")
    return sum(float(part[1]) * _UNITS[part[2] or "s"] for part in parts)


def timeout(text: str) -> float:
    """A :func:`duration` above 0.

    Raises:
        UsageError: it is none, or 0.
    """
    seconds = duration(text)
    if not seconds:
        raise UsageError(f"{text!r} leaves no time at all")
    return seconds


def spell(seconds: float) -> str:
    """``seconds`` as :func:`duration` reads it, to the second: ``1h30m``, ``5m``, ``0s``."""
    left = round(seconds)
    text = ""
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_UNITS[unit]))
        text += f"{count}{unit}" if count else ""
    return text or "0s"


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
        if window in _UNITS:
            window = "1" + window
        if not slash or not _WHOLE.fullmatch(count):
            raise UsageError(f"{text!r} is not a rate; write 3/1h for three times in any hour")
        seconds = duration(window)
        if not seconds:
            raise UsageError(f"{text!r} is not a rate: its time is 0")
        return cls(int(count), seconds)

    def __str__(self) -> str:
        return f"{self.count}/{spell(self.seconds)}"


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
