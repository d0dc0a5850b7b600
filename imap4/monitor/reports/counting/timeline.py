"""Tests -> what held when: segments, and runs of failed tests with states and alerts. Pure.

A result holds from the moment its verdict was known to the next one's, at most for as long as the rules
allow (``records.rules.hold``). States and alerts are those of ``imap4.monitor.states``, as in the simulator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from imap4.monitor.records.reading import Change, Detail
from imap4.monitor.records.rules import hold
from imap4.monitor.states import Delays, Position, Rules, advance

UP, DOWN, UNKNOWN = "up", "down", "unknown"


class Segment(NamedTuple):
    """A time in which the tests said the same, without a gap."""

    begin: int
    end: int
    state: str
    """``up``, ``down``, or ``unknown``: the test could not be run."""
    planned: bool
    """Whether the tests fell into a downtime that the engine knew."""


class Failed(NamedTuple):
    """One failed test, and what it meant."""

    moment: int
    state: int
    planned: bool
    detail: Detail
    position: Position


@dataclass
class Run:
    """Failed tests in a row."""

    tests: list[Failed] = field(default_factory=list)
    ended: int | None = None
    """When the first test passed again."""

    @property
    def alerts(self) -> int:
        """How many alerts were due."""
        return sum(test.position.alert is not None for test in self.tests)


@dataclass
class Timeline:
    """One monitor's."""

    segments: list[Segment] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    position: Position = field(default_factory=Position)
    """After the last test."""
    last: int | None = None
    """The last test."""


_NOTHING = Detail(None, "", "", "", *([None] * 8))


def build(changes: Sequence[Change], rules: Rules, duration: int, end: int) -> Timeline:
    """A monitor's timeline up to ``end``.

    Args:
        changes: as ``Reader.changes`` gives them.
        rules: where a test was recorded without.
        duration: the maximum test duration in seconds, likewise.
    """
    found = Timeline()
    previous: Change | None = None
    until = 0
    for change in changes:
        if previous is not None:
            between = change.before is not None and change.before > previous.moment
            stop = change.before_until if between and change.before_until is not None else until
            _add(found.segments, previous, min(change.moment, stop))
        until = _judge(found, change, rules, duration)
        previous = change
    if previous is not None:
        _add(found.segments, previous, min(end, until))
        found.last = previous.moment
    return found


def _judge(found: Timeline, change: Change, rules: Rules, duration: int) -> int:
    """Take one test into the runs; until when it counts at most."""
    before = found.position
    own, longest = _rules(change.detail, rules, duration)
    found.position = advance(own, before, change.state <= 1)
    if change.state <= 1:
        if before.failures and found.runs[-1].ended is None:
            found.runs[-1].ended = change.moment
        return change.until
    if not before.failures:
        found.runs.append(Run())
    detail = change.detail or _NOTHING
    found.runs[-1].tests.append(Failed(change.moment, change.state, change.planned, detail, found.position))
    if detail.holds is not None:
        return change.moment + 1000 * detail.holds
    return change.moment + round(1000 * hold(own, longest, found.position.failures))


def _rules(detail: Detail | None, rules: Rules, duration: int) -> tuple[Rules, int]:
    """The rules of the test itself, as they were when it was collected."""
    if detail is None or detail.up is None:
        return rules, duration
    delays = Delays(detail.up, detail.warn or 0, detail.down or 0, detail.lost or 0)
    return Rules(delays, detail.failures or 1, detail.alerts or 0), detail.duration or duration


def _add(segments: list[Segment], change: Change, end: int) -> None:
    """Add what holds from a test on; joined to the last one where it is the same."""
    if end <= change.moment:
        return
    state = UP if change.state <= 1 else DOWN if change.state == 2 else UNKNOWN
    last = segments[-1] if segments else None
    if last and (last.end, last.state, last.planned) == (change.moment, state, change.planned):
        segments[-1] = last._replace(end=end)
    else:
        segments.append(Segment(change.moment, end, state, change.planned))
