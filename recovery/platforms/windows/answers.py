"""The package's scripts, and what they answer."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from recovery.errors import RecoveryError


@cache
def script(name: str) -> str:
    """The text of one of this package's scripts."""
    return resources.files("recovery.platforms.windows").joinpath(f"{name}.ps1").read_text("utf-8")


def value(text: str) -> dict[str, object]:
    """A script's answer.

    Raises:
        RecoveryError: it failed, and this is what it said.
    """
    found = json.loads(text) if text else None
    if not isinstance(found, dict) or set(found) == {"error"}:
        reason = found["error"] if isinstance(found, dict) else "no answer"
        raise RecoveryError(f"the script on the machine failed: {reason}")
    return found


def texts(found: object) -> list[str]:
    """A list of texts from an answer; empty where it is none."""
    return [str(one) for one in found] if isinstance(found, list) else []
