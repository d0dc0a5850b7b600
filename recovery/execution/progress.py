"""Tells a person what is going on: a spinner on a terminal, lines with ``-v``; engines see neither."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from recovery.model import Step

if TYPE_CHECKING:
    from rich.status import Status


class ProgressDisplay:
    """Shows steps as they happen. Use it as a context manager: the spinner must be taken away.

    Args:
        title: what is being done, for the spinner.
        lines: where each step gets a line (``-v``), or None.
    """

    def __init__(self, title: str, lines: TextIO | None) -> None:
        self._title = title
        self._lines = lines
        self._status: Status | None = None

    def __enter__(self) -> ProgressDisplay:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.markup import escape
            from rich.status import Status

            self._status = Status(escape(self._title), console=Console(stderr=True, highlight=False))
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, step: Step) -> None:
        """Show one step; a line on a terminal even without ``-v``, since somebody waits there."""
        text = clean(f"{step.at:7.1f} s  {step.name}: {step.text}")
        if self._status:
            from rich.markup import escape

            # rich reads [brackets] as markup; a cause is written in them.
            self._status.console.print(escape(text))
            self._status.update(escape(f"{self._title}: {step.name}"))
        elif self._lines:
            print(text, file=self._lines, flush=True)


def clean(text: str) -> str:
    """One line without control characters, whatever a machine sent."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown.rstrip()
