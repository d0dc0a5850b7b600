"""What the commands that show something have in common: their options, their monitors, their clock."""

from __future__ import annotations

import argparse
import fnmatch
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from imap4.arguments import Parser
from imap4.monitor.model import Monitor
from imap4.monitor.records.commands import add_store
from imap4.monitor.records.errors import RecordsError
from imap4.monitor.records.places import RECORDS, monitors_in
from imap4.monitor.records.rules import RowRules, rules_of

DAY = 86_400_000


@dataclass(frozen=True)
class Places:
    """Where the answers come from."""

    folders: tuple[Path, ...]
    store: Path
    monitors: tuple[Monitor, ...]
    """Of the definitions."""

    @property
    def rules(self) -> RowRules:
        """The rules that tests are judged by which are not collected yet."""
        return rules_of(self.monitors)

    def all(self, recorded: Collection[str]) -> list[Monitor]:
        """The monitors of the definitions, then those of which there are only records."""
        known = {monitor.id for monitor in self.monitors}
        gone = [Monitor(each, "", "", id=each) for each in sorted(recorded) if each not in known]
        return [*self.monitors, *gone]


def add_places(sub: Parser) -> None:
    """The options that say where to look."""
    add_store(sub)
    sub.add_argument(
        "--records",
        dest="folders",
        action="append",
        type=Path,
        metavar="FOLDER",
        help=f"where checks record; may be given again ({RECORDS})",
    )


def places_of(options: argparse.Namespace) -> Places:
    """What the command line says of places.

    Raises:
        RecordsError: a definition is wrong.
    """
    given = list(options.files)
    if getattr(options, "file", None):
        given.append(options.file)
    return Places(tuple(options.folders or [RECORDS]), options.store, monitors_in(given, options.store))


def chosen(monitors: list[Monitor], patterns: Collection[str]) -> list[Monitor]:
    """Those whose name or id is one of the patterns', as a shell has them; all of them without a pattern.

    Raises:
        RecordsError: there is none for a pattern.
    """
    if not patterns:
        return monitors
    for pattern in patterns:
        if not any(_fits(each, pattern) for each in monitors):
            raise RecordsError(f'no monitor "{pattern}", neither in a definition nor in the records')
    return [each for each in monitors if any(_fits(each, pattern) for pattern in patterns)]


def _fits(monitor: Monitor, pattern: str) -> bool:
    return any(each == pattern or fnmatch.fnmatchcase(each, pattern) for each in (monitor.name, monitor.id))


def now() -> int:
    """Milliseconds since the epoch."""
    return round(time.time() * 1000)
