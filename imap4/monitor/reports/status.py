"""How every monitor is now: ipMonitor's list, from the records, by the states that the simulator uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from imap4.monitor.model import Monitor
from imap4.monitor.records import summary
from imap4.monitor.records.changes import Change
from imap4.monitor.records.reading import Reader, ask
from imap4.monitor.records.rules import UNKNOWN
from imap4.monitor.records.summary import FAR, Timelines
from imap4.monitor.reports.asking import DAY, Places
from imap4.monitor.reports.counting.numbers import Shares
from imap4.monitor.reports.counting.timeline import DOWN, UP, Segment, Timeline
from imap4.monitor.states import Rules, State

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


class Seen(NamedTuple):
    """A look at all monitors."""

    rows: list[Row]
    """In the order of the definitions."""
    ahead: dict[str, int]
    """Hosts whose clocks are ahead, by at least so many milliseconds: their last tests are not seen yet."""


def look(places: Places, now: int) -> Seen:
    """Every monitor.

    Raises:
        RecordsError: nothing can be read.
    """
    defined = {monitor.id: monitor for monitor in places.monitors}

    def question(reader: Reader) -> tuple[Timelines, dict[str, dict[str, int]], dict[str, int]]:
        return (
            _timelines(reader, places.store, defined, now),
            reader.manifest.spells,
            reader.ahead(now - DAY, now),
        )

    timelines, spells, ahead = ask(places.folders, places.store, places.rules, (now - FAR, now), question)
    monitors = places.all({*timelines, *spells})
    return Seen([_row(each, timelines.get(each.id), spells.get(each.id), now) for each in monitors], ahead)


def _timelines(reader: Reader, store: Path, defined: Mapping[str, Monitor], now: int) -> Timelines:
    """Each monitor's timeline: what the collector left of it, and the lines since; else out of everything."""
    known = summary.load(store, reader.manifest, now)
    if known is None:
        return _built(reader.changes(now - FAR), defined)
    fresh = reader.open_changes(now - FAR)
    rest = {}
    again = [each for each in known if known[each].assumed is not None and each in defined]
    for identity, found in fresh.items():
        before = known.get(identity)
        if before is None:
            rest[identity] = found
        elif before.last is not None and found[0].moment <= before.last:
            again.append(identity)
        else:
            before.rules, before.duration = _rules_of(defined.get(identity))
            before.add(found)
    known |= _built(rest, defined)
    if again:
        for identity in again:
            known.pop(identity, None)
        known |= _built(reader.changes(now - FAR, again), defined)
    return {identity: each for identity, each in known.items() if each.last and each.last >= now - FAR}


def _built(found: Mapping[str, Sequence[Change]], defined: Mapping[str, Monitor]) -> Timelines:
    made = {}
    for identity, each in found.items():
        made[identity] = Timeline(*_rules_of(defined.get(identity)))
        made[identity].add(each)
    return made


def _rules_of(monitor: Monitor | None) -> tuple[Rules, int]:
    return UNKNOWN if monitor is None else (monitor.rules, monitor.test_duration)


def _row(monitor: Monitor, timeline: Timeline | None, spell: dict[str, int] | None, now: int) -> Row:
    if timeline is None:
        state = NO_DATA if monitor.enabled else DISABLED
        last = spell["last"] if spell else None
        return Row(state, monitor.name, monitor.id, "", last, last, Shares(0, 0, 0, DAY))
    timeline.finish(now)
    current = timeline.segments[-1] if timeline.segments else None
    since: int | None
    if not monitor.enabled:
        state, since = DISABLED, _since(timeline, spell)
    elif current is None or current.end < now:
        state, since = NO_DATA, current.end if current else timeline.last
    elif current.planned:
        state, since = MAINTENANCE, _maintained(timeline.segments, now - DAY)
    else:
        state, since = timeline.position.state.value, _since(timeline, spell)
    result = timeline.told if timeline.position.failures else "OK"
    shares = _shares(timeline.segments, now - DAY, now)
    return Row(state, monitor.name, monitor.id, result, since, timeline.last, shares)


def _shares(segments: Sequence[Segment], begin: int, end: int) -> Shares:
    """Of a time: what ``divide`` says where nothing else is planned; 10,000 times in a tenth of a second."""
    up = down = planned = 0
    for each in segments:
        length = min(each.end, end) - max(each.begin, begin)
        if length <= 0:
            continue
        if each.planned:
            planned += length
        elif each.state == UP:
            up += length
        elif each.state == DOWN:
            down += length
    return Shares(up, down, planned, end - begin - up - down - planned)


def _since(timeline: Timeline, spell: dict[str, int] | None) -> int | None:
    """When the state last changed."""
    changed = timeline.changed
    if changed is None or changed != timeline.first or spell is None:
        return changed
    # As it was at the first test that was looked at: the collector has noted since when.
    same = bool(spell["good"]) == (timeline.position.failures == 0)
    return min(changed, spell["since"]) if same else changed


def _maintained(segments: Sequence[Segment], begin: int) -> int:
    """Since when the tests have fallen into a downtime, as far as the last 24 hours tell."""
    since = segments[-1].begin
    for each in reversed(segments):
        if not each.planned or each.end < since or each.end <= begin:
            break
        since = each.begin
    return since


def worst(rows: Sequence[Row]) -> int:
    """The exit code: 2 where a monitor is Down or Lost, else 3 where one has no data, else 1 for Warn."""
    return min(((_ORDER[row.state], SEVERITY[row.state]) for row in rows), default=(0, 0))[1]


def in_order(rows: Sequence[Row]) -> list[Row]:
    """The worst first, and by name."""
    return sorted(rows, key=lambda row: (_ORDER[row.state], row.name))
