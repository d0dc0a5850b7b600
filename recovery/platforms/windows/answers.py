"""The package's scripts, and what they answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from importlib import resources

from recovery.errors import PrivilegeMissing, RecoveryError

ACCESS_DENIED = 5
"""ERROR_ACCESS_DENIED: the scripts give numbers, which are the same in every language."""


@cache
def script(name: str) -> str:
    """The text of one of this package's scripts, whole."""
    return compose(name, _read)


def compose(name: str, read: Callable[[str], str]) -> str:
    """A script with the parts put in that its line ``# with: PART PART`` names.

    Args:
        read: gives the text of a script or part by its name; a test gives other parts here.
    """
    return re.sub(
        r"^# with: (.*)$",
        lambda found: "".join(read(part) for part in found[1].split()).rstrip(),
        read(name),
        count=1,
        flags=re.MULTILINE,
    )


def _read(name: str) -> str:
    return resources.files("recovery.platforms.windows").joinpath(f"{name}.ps1").read_text("utf-8")


def value(text: str) -> dict[str, object]:
    """A script's answer.

    Raises:
        PrivilegeMissing: the account lacks a right, which is named.
        RecoveryError: it failed, and this is what it said.
    """
    found = json.loads(text) if text else None
    if not isinstance(found, dict) or set(found) == {"error"}:
        reason = found["error"] if isinstance(found, dict) else "no answer"
        if f"(error {ACCESS_DENIED})" in str(reason):
            raise PrivilegeMissing(str(reason))
        raise RecoveryError(f"the script on the machine failed: {reason}")
    return found


def texts(found: object) -> list[str]:
    """A list of texts from an answer; empty where it is none."""
    return [str(one) for one in found] if isinstance(found, list) else []
