"""Lengths of time as people write them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> float:
    """Seconds from ``90``, ``2.5``, ``90s``, ``5m`` or ``1h30m``.

    Raises:
        ValueError: for anything else.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'"{text}" is no length of time; write 90, 90s, 5m or 1h30m')
    if len(parts) > 1 and any(not unit for _, unit in parts):
        raise ValueError(f'"{text}" is no length of time; each part needs its unit, as in 1h30m')
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))
