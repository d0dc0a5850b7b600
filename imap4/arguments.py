"""What all command lines share: one-line errors with exit code 3, and kinds of values.

Wrong use ends with 3, UNKNOWN, as the plugin guidelines have it: 2 would be CRITICAL to an engine.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn

from imap4 import durations

USAGE = 3
"""Exit code of wrong use."""


class Parser(argparse.ArgumentParser):
    """argparse, but wrong use is one line and exit code 3, and no option is guessed from its beginning.

    An option that is an abbreviation today is ambiguous, or another one, after the next release.
    """

    def __init__(self, *args: object, **settings: object) -> None:
        settings.setdefault("allow_abbrev", False)
        super().__init__(*args, **settings)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on standard error, and exit."""
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


def duration(least: float = 0.0, most: float | None = None) -> Callable[[str], float]:
    """A type for argparse: seconds in ``90``, ``5m`` or ``1h30m``; see :func:`imap4.durations.seconds`."""
    limits = {"least": least} if most is None else {"least": least, "most": most}

    def read(text: str) -> float:
        try:
            return durations.seconds(text, **limits)
        except durations.DurationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """A type for argparse: a whole number in a range, both ends included."""

    def read(text: str) -> int:
        # Nothing is gained by reading more digits, and int() is slow with thousands of them.
        if not (text.isascii() and text.isdigit()) or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read
