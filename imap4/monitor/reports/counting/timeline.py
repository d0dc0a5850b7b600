"""Tests -> what held when: segments, and runs of failed tests with states and alerts. Pure.

A result holds from the moment its verdict was known to the next one's, at most for as long as the rules
allow (``records.rules.hold``). States and alerts are those of ``imap4.monitor.states``, as in the simulator.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from imap4.monitor.records.changes import Change, Detail
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
    """One monitor's: changes go in, one after the other, until ``finish``."""

    rules: Rules
    """Where a test was recorded without."""
    duration: int
    """The maximum test duration in seconds, likewise."""
    segments: list[Segment] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    position: Position = field(default_factory=Position)
    """After the last test."""
    first: int | None = None
    """The first test."""
    changed: int | None = None
    """When ``position`` came to its state."""
    told: str = ""
    """What the last failed test said, in short."""
    previous: Change | None = None
    """The last one."""
    until: int = 0
    """Until when that one counts at most."""
    assumed: int | None = None
    """The last test that was judged by ``rules``, since none were collected with it, though they matter."""

    @property
    def last(self) -> int | None:
        """The last test."""
        return None if self.previous is None else self.previous.moment

    def add(self, changes: Iterable[Change]) -> None:
        """Take what came next, as ``Reader.changes`` gives it."""
        for change in changes:
            previous = self.previous
            if previous is not None:
                # Whatever lies between two changes passed: what failed was the test right before this one.
                held = self.until if previous.state > 1 or change.held is None else change.held
                self._hold(previous, min(change.moment, held))
            else:
                self.first = self.changed = change.moment
            self.until = self._judge(change)
            self.previous = change

    def finish(self, end: int) -> None:
        """Let the last result hold, at most until ``end``."""
        if self.previous is not None:
            self._hold(self.previous, min(end, self.until))

    def _judge(self, change: Change) -> int:
        """Take one test into the runs; until when it counts at most."""
        before = self.position
        if change.state <= 1 and not before.failures:
            return change.until
        own, longest = self._rules_of(change)
        self.position = advance(own, before, change.state <= 1)
        if self.position.state is not before.state:
            self.changed = change.moment
        if change.state <= 1:
            if self.runs and self.runs[-1].ended is None:
                self.runs[-1].ended = change.moment
            return change.until
        if not self.runs or self.runs[-1].ended is not None:
            self.runs.append(Run())
        detail = change.detail or _NOTHING
        self.told = detail.message or detail.cause or "failed"
        self.runs[-1].tests.append(Failed(change.moment, change.state, change.planned, detail, self.position))
        if detail.holds is not None:
            return change.moment + 1000 * detail.holds
        return change.moment + round(1000 * hold(own, longest, self.position.failures))

    def _rules_of(self, change: Change) -> tuple[Rules, int]:
        """The rules of the test itself, as they were when it was collected."""
        detail = change.detail
        if detail is None or detail.up is None:
            if detail is not None:
                self.assumed = change.moment
            return self.rules, self.duration
        own = _made(
            (detail.up, detail.warn or 0, detail.down or 0, detail.lost or 0),
            detail.failures or 1,
            detail.alerts or 0,
        )
        return own, detail.duration or self.duration

    def _hold(self, change: Change, end: int) -> None:
        """Add what holds from a test on; joined to the last one where it is the same."""
        if end <= change.moment:
            return
        state = UP if change.state <= 1 else DOWN if change.state == 2 else UNKNOWN
        last = self.segments[-1] if self.segments else None
        if last and (last.end, last.state, last.planned) == (change.moment, state, change.planned):
            self.segments[-1] = Segment(last.begin, end, state, change.planned)
        else:
            self.segments.append(Segment(change.moment, end, state, change.planned))


_NOTHING = Detail(None, "", "", "", *([None] * 8))


@functools.lru_cache(1000)
def _made(delays: tuple[int, int, int, int], failures: int, alerts: int) -> Rules:
    return Rules(Delays(*delays), failures, alerts)


def build(changes: Sequence[Change], rules: Rules, duration: int, end: int) -> Timeline:
    """A monitor's timeline up to ``end``.

    Args:
        changes: as ``Reader.changes`` gives them.
        rules: where a test was recorded without.
        duration: the maximum test duration in seconds, likewise.
    """
    found = Timeline(rules, duration)
    found.add(changes)
    found.finish(end)
    return found
