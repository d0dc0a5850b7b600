"""Where each monitor is after all that was collected, so that ``status`` reads only what came since.

A file in the store, replaced in one step, which says of which columnar files it was made: their names, rows,
sizes and times. Where that is not what the store has now, since a collector was killed, or somebody restored
or removed a file, nobody believes it, and everything is looked at. It is no source of anything: it can be
removed at any time, and the next collector makes it anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imap4 import __version__
from imap4.monitor.records import changes, lines
from imap4.monitor.records.changes import Change
from imap4.monitor.records.manifest import Manifest, Part, put
from imap4.monitor.records.rules import UNKNOWN
from imap4.monitor.reports.counting.timeline import Segment, Timeline
from imap4.monitor.states import Position, State

if TYPE_CHECKING:
    import duckdb

FAR = 40 * 86_400_000
"""How far a look goes back for the beginning of an outage; milliseconds, as all times here."""

WINDOW = 86_400_000
"""For how long before it was made a summary knows what was up and down."""

_NAME = "summary.json"

Timelines = dict[str, Timeline]


def load(store: Path, manifest: Manifest, now: int) -> Timelines | None:
    """The monitors' timelines after the last test that was collected; None where that is not known."""
    parts = _tests(manifest)
    if not parts:
        return {}
    try:
        head, _, body = (store / _NAME).read_bytes().partition(b"\n")
        known = json.loads(head)
        good = known["version"] == __version__ and known["made"] <= now
        if not good or known["digest"] != hashlib.sha256(body).hexdigest():
            return None
        if known["parts"] != _fingerprint(store, parts):
            return None
        return {identity: _timeline(row) for identity, row in json.loads(body).items()}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(store: Path, manifest: Manifest, timelines: Timelines, now: int) -> None:
    """Replace it in one step."""
    rows = {
        identity: _row(each, now - WINDOW)
        for identity, each in timelines.items()
        if each.last is not None and each.last >= now - FAR
    }
    body = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    head = {
        "version": __version__,
        "made": now,
        "digest": hashlib.sha256(body).hexdigest(),
        "parts": _fingerprint(store, _tests(manifest)),
    }
    put(store, _NAME, json.dumps(head).encode("utf-8") + b"\n" + body)


def remove(store: Path) -> None:
    """Have none."""
    with contextlib.suppress(FileNotFoundError):
        (store / _NAME).unlink()


def add(timelines: Timelines, found: dict[str, list[Change]]) -> list[str]:
    """Go on with changes; those with a test that is no newer than what is known were left out, and return."""
    late = []
    for identity, each in found.items():
        known = timelines.get(identity)
        if known is None:
            known = timelines[identity] = Timeline(*UNKNOWN)
        elif known.last is not None and each[0].moment <= known.last:
            late.append(identity)
            continue
        known.add(each)
    return late


def read(
    database: duckdb.DuckDBPyConnection, store: Path, parts: Iterable[Part], chosen: str = ""
) -> dict[str, list[Change]]:
    """All changes in some columnar files."""
    names = [str(store / part.name) for part in parts]
    if not names:
        return {}
    database.execute(
        "create or replace temp view collected as select *, filename as part, epoch_ms(moment) as ms,"
        f" state <= 1 as good from {lines.files(names)}"
    )
    return changes.read(database, 0, chosen, "collected")


class Keeper:
    """Brings the summary of a store up to date while a collector is at work, who holds the lock."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, store: Path, manifest: Manifest, now: int
    ) -> None:
        self._database = database
        self._store = store
        self._now = now
        self._known = load(store, manifest, now)
        self._late: set[str] = set()
        # What it is of, if it is believed.
        self._of = [part.name for part in _tests(manifest)] if self._known else None

    def add(self, parts: Collection[Part]) -> None:
        """Take what was collected just now, while it lies in files of its own."""
        if self._known is not None and parts:
            self._late.update(add(self._known, read(self._database, self._store, parts)))

    def save(self, manifest: Manifest) -> None:
        """Write it, at the end."""
        parts = _tests(manifest)
        if self._of == [part.name for part in parts]:
            return
        if any(part.last >= self._now for part in parts):
            # Tests of the future: where a monitor is now is not where it is after the last of them.
            remove(self._store)
            return
        recent = [part for part in parts if part.last >= self._now - FAR]
        if self._known is None:
            self._known = {}
            for portion in changes.portions(sum(part.rows for part in recent)):
                add(self._known, read(self._database, self._store, recent, portion))
        elif self._late:
            for identity in self._late:
                del self._known[identity]
            among = f" and id in {changes.listed(sorted(self._late))}"
            add(self._known, read(self._database, self._store, recent, among))
        save(self._store, manifest, self._known, self._now)


def _tests(manifest: Manifest) -> list[Part]:
    return [part for part in manifest.parts if part.kind == "tests"]


def _fingerprint(store: Path, parts: Iterable[Part]) -> list[list[object]]:
    found = []
    for part in parts:
        seen = (store / part.name).stat()
        found.append([part.name, part.rows, seen.st_size, seen.st_mtime_ns])
    return sorted(found)


def _row(known: Timeline, since: int) -> list[Any]:
    """What is needed to go on, and of what was, what counts after ``since``."""
    last, position = known.previous, known.position
    assert last is not None
    segments = [each for each in known.segments[:-1] if each.end > since] + known.segments[-1:]
    row: list[Any] = [last.moment, last.state, int(last.planned), known.until, known.first, known.changed]
    row.append([[*each[:3], int(each.planned)] for each in segments])
    if position.failures or known.assumed is not None:
        row += [position.state.value, position.failures, position.alerts, position.since]
        row += [known.told, known.assumed]
    return row


def _timeline(row: list[Any]) -> Timeline:
    moment, state, planned, until, first, changed, segments, *more = row
    known = Timeline(
        *UNKNOWN,
        segments=[Segment(begin, end, kind, bool(also)) for begin, end, kind, also in segments],
        previous=Change(moment, state, bool(planned), until, None, None),
        until=until,
        first=first,
        changed=changed,
    )
    if more:
        name, failures, alerts, alerted, known.told, known.assumed = more
        known.position = Position(State(name), failures, alerts=alerts, since=alerted)
    return known
