"""How every monitor is now: ipMonitor's list, from the records, by the states that the simulator uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imap4.monitor.model import Monitor
from imap4.monitor.records.reading import Change, Reader, ask
from imap4.monitor.reports.asking import DAY, Places
from imap4.monitor.reports.counting.numbers import Shares, divide
from imap4.monitor.reports.counting.timeline import Timeline, build
from imap4.monitor.states import State

DISABLED, MAINTENANCE, NO_DATA = "Disabled", "In Maintenance", "No Data"

SEVERITY = {
    State.LOST.value: 2,
    State.DOWN.value: 2,
    NO_DATA: 3,
    State.WARN.value: 1,
    MAINTENANCE: 0,
    State.UP.value: 0,
    DISABLED: 0,
}
"""The exit code of each state; the order is from the worst to the best."""

_ORDER = {state: number for number, state in enumerate(SEVERITY)}

_EARLIER = 2 * 3600 * 1000
"""How far before the last day a look goes, for results that still hold when it begins."""


@dataclass(frozen=True)
class Row:
    """One monitor."""

    state: str
    name: str
    id: str
    result: str
    """What the last test said, in short."""
    since: int | None
    """When the state last changed; the first record where it never has."""
    last: int | None
    """The last test."""
    shares: Shares
    """Of the last 24 hours."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; times in seconds since the epoch, shares from 0 to 1."""
        availability, coverage = self.shares.availability, self.shares.coverage
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "result": self.result,
            "since": None if self.since is None else self.since / 1000,
            "last_test": None if self.last is None else self.last / 1000,
            "availability": None if availability is None else float(availability),
            "coverage": None if coverage is None else float(coverage),
        }


def look(places: Places, now: int) -> list[Row]:
    """Every monitor, in the order of the definitions.

    Raises:
        RecordsError: nothing can be read.
    """
    begin = now - DAY

    def question(reader: Reader) -> tuple[dict[str, list[Change]], dict[str, dict[str, int]]]:
        return reader.changes(begin, now), reader.manifest.spells

    changes, spells = ask(places.folders, places.store, places.rules, (begin - _EARLIER, now), question)
    monitors = places.all({*changes, *spells})
    return [_row(each, changes.get(each.id, ()), spells.get(each.id), now) for each in monitors]


def _row(monitor: Monitor, changes: Sequence[Change], spell: dict[str, int] | None, now: int) -> Row:
    timeline = build(changes, monitor.rules, monitor.test_duration, now)
    shares = divide(timeline.segments, [(now - DAY, now)]).shares()
    last = timeline.last if timeline.last is not None else spell["last"] if spell else None
    current = timeline.segments[-1] if timeline.segments else None
    if not monitor.enabled:
        state = DISABLED
    elif current is None or current.end < now:
        state = NO_DATA
    elif current.planned:
        state = MAINTENANCE
    else:
        state = timeline.position.state.value
    since = _since(timeline, spell) if state != NO_DATA else current.end if current else last
    return Row(state, monitor.name, monitor.id, _result(timeline), since, last, shares)


def _since(timeline: Timeline, spell: dict[str, int] | None) -> int | None:
    """When the state last changed."""
    state = timeline.position.state
    if not timeline.segments:
        return None
    edge = timeline.segments[0].begin
    if state is State.UP:
        if timeline.runs:
            return timeline.runs[-1].ended
        good = True
    else:
        tests = timeline.runs[-1].tests
        changed = next(test.moment for test in tests if test.position.state is state)
        if changed > edge:
            return changed
        good = False
    # Older than what was looked at: the collector has noted since when.
    if spell is not None and bool(spell["good"]) == good:
        return min(edge, spell["since"])
    return edge


def _result(timeline: Timeline) -> str:
    """The last result in a few words."""
    if timeline.last is None:
        return ""
    if timeline.position.failures:
        failed = timeline.runs[-1].tests[-1].detail
        return failed.message or failed.cause or "failed"
    return "OK"


def worst(rows: Sequence[Row]) -> int:
    """The exit code: 2 where a monitor is Down or Lost, else 3 where one has no data, else 1 for Warn."""
    return min(((_ORDER[row.state], SEVERITY[row.state]) for row in rows), default=(0, 0))[1]


def in_order(rows: Sequence[Row]) -> list[Row]:
    """The worst first, and by name."""
    return sorted(rows, key=lambda row: (_ORDER[row.state], row.name))
