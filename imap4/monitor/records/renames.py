"""Monitors that seem to have a new name: the engine would drop the service that the records are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from imap4.check.options import endpoint
from imap4.check.record import FIELDS
from imap4.monitor.model import Monitor
from imap4.monitor.records.errors import RecordsError
from imap4.monitor.records.lines import NAME
from imap4.monitor.records.manifest import load

_RECENT = 7 * 86400
"""Seconds back that a record is taken for a service that the engine has."""

_LINES = 20_000
"""Lines that are looked at, the newest files first."""


def suspected(
    monitors: Sequence[Monitor], folder: Path, store: Path, now: float
) -> Iterator[tuple[Monitor, str]]:
    """Each monitor without records whose target has records under an id that no monitor has, and that id.

    Needs no DuckDB. What cannot be read is no reason to warn.
    """
    targets = recorded(folder, now)
    try:
        spells = load(store).spells
    except RecordsError:
        spells = {}
    known = set(targets.values()) | set(spells)
    ids = {monitor.id for monitor in monitors}
    for monitor in monitors:
        old = targets.get(target_of(monitor))
        if monitor.statistics and monitor.id not in known and old is not None and old not in ids:
            yield monitor, old


def warnings(monitors: Sequence[Monitor], folder: Path, store: Path, now: float) -> Iterator[str]:
    """The same for a person."""
    for monitor, old in suspected(monitors, folder, store, now):
        yield (
            f'"{monitor.name}" has no records, and its address has them as "{old}", which is no '
            "monitor's id now: a render drops that service with its state. If it has only a new name, "
            f'give it id = "{old}"'
        )


def recorded(folder: Path, now: float) -> dict[str, str]:
    """The last id of every target in the newest files of lines."""
    found: dict[str, str] = {}
    identity, target = FIELDS.index("id"), FIELDS.index("target")
    left = _LINES
    try:
        # A pipe would hold whoever opens it.
        ours = [path for path in folder.iterdir() if NAME.fullmatch(path.name) and path.is_file()]
        paths = sorted(ours, reverse=True)
        for path in paths:
            if left <= 0 or path.stat().st_mtime < now - _RECENT:
                break
            for line in reversed(path.read_text(encoding="utf-8", errors="replace").split("\n")[-left:]):
                fields = line.split("\t")
                if len(fields) == len(FIELDS):
                    left -= 1
                    found.setdefault(fields[target], fields[identity])
    except OSError:
        return found
    return found


def target_of(monitor: Monitor) -> str:
    """What a record of the monitor calls its target."""
    if monitor.address.startswith("/"):
        return monitor.address
    return endpoint(monitor.address.strip("[]"), monitor.port)
