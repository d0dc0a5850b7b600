"""Who runs this program, in words."""

from __future__ import annotations

import os
import pwd


def caller() -> str:
    """``user nagios``, or ``user root, by sudo from anna``."""
    name = name_of(os.geteuid())
    before = os.environ.get("SUDO_USER")
    return f"user {name}, by sudo from {before}" if before and before != name else f"user {name}"


def name_of(number: int) -> str:
    """The name of the user with this number; the number itself where there is none."""
    try:
        # Not getlogin(3), which asks the terminal: an engine has none.
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
