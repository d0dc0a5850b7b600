"""How a command of ``imap4-monitor`` ends."""

from __future__ import annotations

from imap4.arguments import USAGE

DONE, WRONG = 0, 1


class Trouble(Exception):
    """A message for the person, and the exit code that goes with it."""

    def __init__(self, text: str, code: int = USAGE) -> None:
        super().__init__(text)
        self.code = code
