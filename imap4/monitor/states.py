"""Up, Warn, Down and Lost: the result of a test goes in; state, alert and next delay come out.

Pure: no clock, no engine. The words and rules are those of ipMonitor's manual, pages "Timing" and
"Notification Control": every N accumulated failures are one alert, after M alerts the monitor is
Lost, and one successful test at any point starts from the beginning.

What nobody can be told (a downtime, an acknowledgement, a host that is down) is owed: an alert that is
due waits for the first failing test at which it can be sent, and takes the next number then. So numbers
have no holes, and repairs come in their order. ``docs/decisions/one-count.md`` says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class State(Enum):
    """What a monitor is after a test."""

    UP = "Up"
    WARN = "Warn"
    """Failing, but not often enough for an alert."""
    DOWN = "Down"
    """The failure is confirmed; alerts are sent."""
    LOST = "Lost"
    """Every alert was sent; testing goes on in silence."""


class Situation(Enum):
    """What may be going on while a service fails, by the word that ``simulate --during`` takes."""

    DOWNTIME = "downtime"
    ACKNOWLEDGED = "acknowledged"
    HOST_DOWN = "host-down"
    PARENT_DOWN = "parent-down"
    OUTSIDE_PERIOD = "outside-period"
    NOTIFICATIONS_OFF = "notifications-off"
    CHECKS_OFF = "checks-off"
    """Nothing is tested; the next test comes when they are on again."""
    ENGINE_DOWN = "engine-down"
    """The engine restarts, or was killed: nothing is tested, and the count is kept."""
    CLOCK_BACK = "clock-back"
    """The clock was set back by as much as this lasts. Icinga 2 tests nothing until it is as late again."""
    HANDLERS_OFF = "handlers-off"
    """Every delay is Up's."""

    @property
    def silences(self) -> bool:
        """Whether an engine sends no notification meanwhile."""
        return self is not Situation.HANDLERS_OFF and not self.stops_tests

    @property
    def stops_tests(self) -> bool:
        """Whether nothing is tested meanwhile."""
        return self in (Situation.CHECKS_OFF, Situation.ENGINE_DOWN, Situation.CLOCK_BACK)


@dataclass(frozen=True)
class Delays:
    """Seconds from the end of a test to the beginning of the next one, by state."""

    up: int = 300
    warn: int = 300
    down: int = 300
    lost: int = 300


@dataclass(frozen=True)
class Rules:
    """What decides about states and alerts."""

    delays: Delays = field(default_factory=Delays)
    failures_per_alert: int = 3
    maximum_alerts: int = 3
    """0 is no limit: the monitor is never Lost."""

    def due(self, failures: int, since: int, alerts: int) -> bool:
        """Whether the next alert is due.

        Args:
            failures: failed tests in a row.
            since: how many there were when the last alert was sent; 0 before the first.
            alerts: how many alerts were sent.
        """
        if self.maximum_alerts and alerts >= self.maximum_alerts:
            return False
        return failures - since >= self.failures_per_alert

    def delay_after(self, failures: int, alerts: int | None = None) -> int:
        """Seconds to wait before the next test, after ``failures`` failed tests in a row and ``alerts`` sent.

        Without ``alerts``: as many as are sent where nothing keeps the engine from it.

        The test that sends the last alert is still Down, but the wait after it is Lost's already:
        so it is in the table that the vendor published (alert 3 at 7:00, the next test at 7:30).
        """
        if failures == 0:
            return self.delays.up
        if alerts is None:
            alerts = failures // self.failures_per_alert
        if self.maximum_alerts and alerts >= self.maximum_alerts:
            return self.delays.lost
        return self.delays.warn if failures < self.failures_per_alert else self.delays.down


@dataclass(frozen=True)
class Position:
    """Where a monitor is after a test, and what that test caused."""

    state: State = State.UP
    failures: int = 0
    """Failed tests in a row."""
    alert: int | None = None
    """The number of the alert that this test caused."""
    recovery: bool = False
    """Whether this test caused a recovery notification."""
    delay: int = 0
    """Seconds until the next test begins."""
    alerts: int = 0
    """How many alerts of this outage were sent."""
    since: int = 0
    """How many tests had failed when the last of them was sent."""
    owed: bool = False
    """Somebody has to be told, of the outage or of its end, and could not be at this test."""
    unrecovered: bool = False
    """Somebody was told of an earlier outage, and not yet of its end."""


def advance(rules: Rules, before: Position, passed: bool, tellable: bool = True) -> Position:
    """The position after one more test.

    A recovery notification is due when a test passes and an alert was sent since the last one that did.

    Args:
        tellable: whether the engine sends notifications at this test. It does not in a downtime, while the
            problem is acknowledged or the host is down, outside of the period, while they are off.
    """
    if passed:
        told = before.alerts > 0 or before.unrecovered
        late = told and not tellable
        return Position(recovery=told and tellable, delay=rules.delay_after(0), owed=late, unrecovered=late)
    failures = before.failures + 1
    due = rules.due(failures, before.since, before.alerts)
    sent = due and tellable
    alerts = before.alerts + sent
    state = State.DOWN
    if rules.maximum_alerts and before.alerts >= rules.maximum_alerts:
        state = State.LOST
    elif failures < rules.failures_per_alert:
        state = State.WARN
    return Position(
        state=state,
        failures=failures,
        alert=alerts if sent else None,
        delay=rules.delay_after(failures, alerts),
        alerts=alerts,
        since=failures if sent else before.since,
        owed=due and not sent,
        unrecovered=before.unrecovered,
    )
