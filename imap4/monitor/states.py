"""Up, Warn, Down and Lost: the result of a test goes in; state, alert and next delay come out.

Pure: no clock, no engine. The words and rules are those of ipMonitor's manual, pages "Timing" and
"Notification Control": every N accumulated failures are one alert, after M alerts the monitor is
Lost, and one successful test at any point starts from the beginning.
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


@dataclass(frozen=True)
class Delays:
    """Seconds from the end of a test to the begin of the next one, by state."""

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

    @property
    def last_alert_failure(self) -> int | None:
        """The number of failures at which the last alert is sent; None without a limit."""
        return self.failures_per_alert * self.maximum_alerts or None

    def alert_at(self, failures: int) -> int | None:
        """The number (from 1) of the alert that ``failures`` failed tests in a row cause, or None."""
        alert, rest = divmod(failures, self.failures_per_alert)
        if alert == 0 or rest or (self.maximum_alerts and alert > self.maximum_alerts):
            return None
        return alert

    def alerts_by(self, failures: int) -> int:
        """How many alerts were sent by ``failures`` failed tests in a row."""
        alerts = failures // self.failures_per_alert
        return min(alerts, self.maximum_alerts) if self.maximum_alerts else alerts

    def state_at(self, failures: int) -> State:
        """The state after ``failures`` failed tests in a row."""
        if failures == 0:
            return State.UP
        if failures < self.failures_per_alert:
            return State.WARN
        last = self.last_alert_failure
        return State.DOWN if last is None or failures <= last else State.LOST

    def delay_after(self, failures: int) -> int:
        """Seconds to wait before the next test, after ``failures`` failed tests in a row.

        The test that sends the last alert is still Down, but the wait after it is Lost's already:
        so it is in the table that the vendor published (alert 3 at 7:00, the next test at 7:30).
        """
        if failures == 0:
            return self.delays.up
        if failures < self.failures_per_alert:
            return self.delays.warn
        last = self.last_alert_failure
        return self.delays.down if last is None or failures < last else self.delays.lost


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


def advance(rules: Rules, before: Position, passed: bool) -> Position:
    """The position after one more test.

    A recovery notification is due when a test passes and an alert was sent since the last one that did.
    """
    if passed:
        alerted = rules.alerts_by(before.failures) > 0
        return Position(recovery=alerted, delay=rules.delay_after(0))
    failures = before.failures + 1
    return Position(
        state=rules.state_at(failures),
        failures=failures,
        alert=rules.alert_at(failures),
        delay=rules.delay_after(failures),
    )
