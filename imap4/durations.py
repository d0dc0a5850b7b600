"""Lengths of time as people write them."""

from __future__ import annotations

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw]?)")
_LONGEST = 100 * 365 * 86_400.0
"""Seconds in about a century: beyond it, sums with the clock would not be exact, nor of use to anybody."""


class DurationError(ValueError):
    """It is no duration, or not one that is allowed here; one line for the person who wrote it."""


def seconds(text: str, least: float = 0.0, most: float = _LONGEST) -> float:
    """Seconds in ``90``, ``2.5``, ``90s``, ``5m``, ``1h``, ``2d``, ``1w``, or several of them (``1h30m``).

    Args:
        least: no shorter one is taken, in seconds.
        most: no longer one is taken, in seconds.

    Raises:
        DurationError: for anything else.
    """
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        raise DurationError(f"{text!r} is not a duration; write 30s, 5m, 1h30m or 2d")
    if len(parts) > 1 and not all(part[2] for part in parts):
        raise DurationError(f"{text!r} is not a duration: each number needs its unit, as in 1h30m")
    found = sum(float(part[1]) * _UNITS[part[2] or "s"] for part in parts)
    if found > most:
        raise DurationError(f"{text!r} is too long: at most {spell(most)}")
    if found < least:
        raise DurationError(f"{text!r} is too short: at least {least:g} s")
    return found


def above_zero(text: str) -> float:
    """As :func:`seconds`, but not 0.

    Raises:
        DurationError: it is none, or 0.
    """
    found = seconds(text)
    if not found:
        raise DurationError(f"{text!r} leaves no time at all")
    return found


def spell(length: float) -> str:
    """``length``, in seconds, as :func:`seconds` reads it, to the second: ``1h30m``, ``5m``, ``0s``."""
    left = round(length)
    text = ""
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_UNITS[unit]))
        text += f"{count}{unit}" if count else ""
    return text or "0s"
