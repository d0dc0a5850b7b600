"""What a person on a terminal sees while a sweep runs; nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

from imap4.monitor.states import State
from imap4.worker.sweep.results import NAMES, Result

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY = 0.25
"""Seconds between two looks."""


class Tally:
    """What has been found so far."""

    def __init__(self, monitors: int) -> None:
        self.monitors = monitors
        self.tests = 0
        self.codes: dict[str, int] = {}
        """Each monitor's last exit code."""
        self._states: dict[str, State] = {}

    def add(self, result: Result) -> None:
        """Count a result."""
        self.tests += 1
        self.codes[result.monitor.name] = result.exit_code
        self._states[result.monitor.name] = result.position.state

    def states(self) -> str:
        """How many monitors are in each state."""
        found = list(self._states.values())
        return ", ".join(f"{found.count(state)} {state.value}" for state in State if state in found)

    def summary(self) -> str:
        """The last line."""
        found = list(self.codes.values())
        codes = ", ".join(f"{found.count(code)} {name}" for code, name in enumerate(NAMES) if code in found)
        untested = self.monitors - len(found)
        parts = [part for part in (codes, f"{untested} not tested" if untested else "") if part]
        return (
            f"{self.tests} test{'s' * (self.tests != 1)} of {self.monitors} "
            f"monitor{'s' * (self.monitors != 1)}: {', '.join(parts)}"
        )


class Display:
    """A progress bar on standard error, where that is a terminal. Use it as a context manager."""

    def __init__(self, tally: Tally, once: bool) -> None:
        self._tally = tally
        self._once = once
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Display:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

            count = MofNCompleteColumn() if self._once else TextColumn("{task.completed} tests")
            self._progress = Progress(
                SpinnerColumn(),
                *([BarColumn()] if self._once else []),
                count,
                TextColumn("{task.description}", markup=False),
                console=Console(stderr=True, highlight=False),
                refresh_per_second=4,
                transient=True,
                # Lines for standard output may have to go somewhere else than to the terminal.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._progress.add_task("", total=self._tally.monitors if self._once else None)
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self.update(0, 0)
            self._progress.stop()
            self._progress = None

    def update(self, under_way: int, waiting: int) -> None:
        """Show how it stands."""
        if self._progress is not None and self._task is not None:
            text = self._tally.states()
            text += f", {under_way} under way" * bool(under_way) + f", {waiting} to deliver" * bool(waiting)
            self._progress.update(self._task, completed=self._tally.tests, description=text)

    def show_line(self, text: str) -> bool:
        """Print what is for standard output above the bar; False where it is to be written as always."""
        return sys.stdout.isatty() and self.show(text)

    def show(self, text: str) -> bool:
        """Print above the bar; False where there is none."""
        progress = self._progress
        if progress is None:
            return False
        progress.console.print(text, markup=False, soft_wrap=True)
        return True
