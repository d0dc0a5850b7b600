"""What the event handler tells Nagios and Naemon after every failing test.

An engine places the next test, from its own interval, before it runs the handler. An unforced
``SCHEDULE_SVC_CHECK`` can only pull that test forward. So the intervals that the engine has are the
longest that there may be (the delay and a test that takes all its time), and the handler pulls the next
test to just the delay after the end of this one. The engine's own interval is the Up delay; it is changed
only where that is too short, since a changed one outlives the engine's restart, and can only be a whole
number of the engine's units (interval_length), which the configured one need not be. A forced check would
override the engine's intervals, but also an administrator who has switched the service's tests off: it is
used only at the recovery and, where Up's delay is the shorter one, at the first failing test: there the
engine's interval is still another state's.

The handler (``pace_program.py``) is also who counts (``counted``): it sets the number that the next
notification builds on. A core that is killed has lost what it has not saved, and would count and repair anew;
so the handler asks it to save (``saves``).
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

from imap4.monitor.engines.nagios.command_file import Command
from imap4.monitor.engines.nagios.escalations import BASE, FAR, STEP, alerts_by, is_alert, number_of
from imap4.monitor.states import Rules

VARIABLE = "IMAP4_COUNT"
"""The service's variable that keeps the count."""
FORCED = 2
"""The option of SEND_CUSTOM_SVC_NOTIFICATION by which it is sent in a downtime, too."""
LATE = "RECOVERY: the service is up again"
SAVE_AFTER = 1.0
"""Seconds in which an engine that was asked to save may not have begun to."""


@dataclass(frozen=True)
class Count:
    """What is kept from one failing test to the next, in the service's variable ``_IMAP4_COUNT``."""

    problem: str = ""
    """The core's id of the problem that is counted; empty: none, all is well."""
    failures: int = 0
    """Failed tests in a row."""
    since: int = 0
    """How many there were when the last alert was sent."""
    rest: int = 0
    """The notification number that was set."""
    noticed: bool = False
    """Whether the core has sent any notification of this problem, be it into silence."""
    notice: str = ""
    """The core's id of the last notification."""
    left: bool = False
    """All is well, but the core still has to send the recovery notification, by the number left to it."""

    @classmethod
    def read(cls, text: str) -> Count:
        """What ``text`` says; a count of nothing where it is not ours."""
        if text == "left":
            return cls(left=True)
        found = re.fullmatch(r"([0-9A-Za-z-]+):(\d+):(\d+):(\d+):([01]):([0-9A-Za-z-]*)", text, re.ASCII)
        if not found:
            return cls()
        problem, failures, since, rest, noticed, notice = found.groups()
        return cls(problem, int(failures), int(since), int(rest), noticed == "1", notice)

    def __str__(self) -> str:
        if not self.problem:
            return "left" if self.left else "-"
        numbers = f"{self.failures}:{self.since}:{self.rest}:{self.noticed:d}"
        return f"{self.problem}:{numbers}:{self.notice}"


@dataclass(frozen=True)
class Told:
    """What the engine's macros say about the test."""

    host: str
    service: str
    ok: bool
    number: int
    """The number of the last notification: this test's, where one was sent for it."""
    notice: str = ""
    """The id of the last notification, for Nagios a number, for Naemon a UUID."""
    problem: str = ""
    """The id of the problem; Nagios until 4.5.6 has it at the recovery too, others have none then."""
    host_down: bool = False
    """Whether the core takes the host for down, and is sure."""
    downtime: bool = False
    """Whether service or host are in a downtime."""


def changes_interval(rules: Rules, duration: float) -> bool:
    """Whether some delay and a test of ``duration`` seconds are longer than the engine's interval, Up's."""
    delays = [rules.delays.down]
    if rules.failures_per_alert > 1:
        delays.append(rules.delays.warn)
    if rules.maximum_alerts:
        delays.append(rules.delays.lost)
    return max(delays) + math.ceil(duration) > rules.delays.up


def counted(rules: Rules, told: Told, before: Count, wrap: int) -> tuple[Count, int]:
    """The count after a test that failed, and how many alerts were sent so far.

    The count itself decides what the number means next; whether the core sent anything for this test
    only decides whether an alert that was due is done, or is owed.
    """
    per_alert = rules.failures_per_alert
    same = before.problem == told.problem != ""
    # A number that was set is there in a new problem where the core has not sent the last one's recovery yet:
    # only this test can have added to it.
    left = not same and (told.number >= BASE or (before.left and told.number > 1))
    alerts = 0 if left else alerts_by(told.number, per_alert)
    # Fewer may be allowed than were sent: then all that there may be were sent.
    most = rules.maximum_alerts or wrap
    alerts = min(alerts, most) if most else alerts
    if same:
        failures, since = before.failures + 1, before.since
    elif left:
        failures, since = 1, 0
    else:
        # A new problem, or one whose first tests were not handled: then the core has counted.
        failures, since = max(1, told.number), alerts * per_alert
    if alerts and is_alert(told.number, per_alert):
        since = failures
    soon = rules.due(failures + 1, since, alerts)
    resting = min(alerts, wrap - 1) if wrap and soon else alerts
    rest = number_of(resting) + (STEP - 1 if soon else 1)
    sent = told.number != (before.rest if same else 0) and not left
    noticed = (same and before.noticed) or sent
    return Count(told.problem or "0", failures, since, rest, noticed, told.notice), alerts


def commands(
    rules: Rules,
    told: Told,
    before: Count,
    now: float,
    *,
    duration: float,
    wrap: int = 0,
    length: int = 1,
) -> list[Command]:
    """The external commands to send after a test.

    Args:
        before: what the last failing test has left.
        now: the end of the test, in seconds since the epoch.
        duration: the longest that a test takes, in seconds.
        wrap: the alert whose number is given again and again, where alerts have no limit; 0 for none.
        length: the engine's interval_length, in seconds.
    """
    if told.ok:
        changed = changes_interval(rules, duration)
        return _recovered(rules, told, before, now, math.ceil(rules.delays.up / length) if changed else 0)
    name = (told.host, told.service)
    count, alerts = counted(rules, told, before, wrap)
    found: list[Command] = []
    if count.rest != told.number:
        found.append(("SET_SVC_NOTIFICATION_NUMBER", *name, count.rest))
    found.append(("CHANGE_CUSTOM_SVC_VAR", *name, VARIABLE, str(count)))
    # For the next test: when this handler runs for it, the engine has placed the one after it.
    soon = rules.due(count.failures + 1, count.since, alerts)
    longest = rules.delay_after(count.failures + 1, alerts + soon) + math.ceil(duration)
    if longest > rules.delays.up:
        found.append(("CHANGE_NORMAL_SVC_CHECK_INTERVAL", *name, math.ceil(longest / length)))
    delay = rules.delay_after(count.failures, alerts)
    forced = count.failures == 1 and delay > rules.delays.up
    found.append((f"SCHEDULE_{'FORCED_' * forced}SVC_CHECK", *name, round(now + delay)))
    return found


def _recovered(rules: Rules, told: Told, before: Count, now: float, interval: int) -> list[Command]:
    """The commands after a test that passed again; ``interval`` is the engine's own to set, 0 for none.

    Nagios sends no recovery notification while the host is down or in a downtime. It makes up for it since
    4.5.7, by the number that it had; older ones have set that to 0 and forgotten it, so that it is sent
    here, as a custom notification: to the same contacts, by the same escalations. Naemon sends it at once.
    """
    name = (told.host, told.service)
    per_alert = rules.failures_per_alert
    unsent = told.notice == before.notice or told.downtime or told.host_down
    alerts = alerts_by(before.rest, per_alert) if before.problem else 0
    # Nagios since 4.5.7 sets the number to 0 once somebody has got the recovery, Naemon only after this.
    left = before.noticed and told.number != 0 and (unsent or alerts > 0)
    found: list[Command] = []
    if left and not alerts:
        # Nobody was told; nor may the number be one that the next outage counts on.
        found.append(("SET_SVC_NOTIFICATION_NUMBER", *name, FAR + 1))
    elif not left:
        if unsent and alerts:
            found.append(("SET_SVC_NOTIFICATION_NUMBER", *name, number_of(alerts) + 1))
            # A downtime stops custom notifications too, unless they are forced.
            option = FORCED if told.downtime else 0
            found.append(("SEND_CUSTOM_SVC_NOTIFICATION", *name, option, "imap4-monitor", LATE))
        found.append(("SET_SVC_NOTIFICATION_NUMBER", *name, 0))
    found.append(("CHANGE_CUSTOM_SVC_VAR", *name, VARIABLE, str(Count(left=left))))
    if interval:
        found.append(("CHANGE_NORMAL_SVC_CHECK_INTERVAL", *name, interval))
    found.append(("SCHEDULE_FORCED_SVC_CHECK", *name, round(now + rules.delays.up)))
    return found


def saves(rules: Rules, told: Told, before: Count, path: str, now: float) -> bool:
    """Whether the engine is to save what it retains, so that one that is killed does not count anew.

    Not where nothing depends on it any more: all alerts were sent before this test, or all was well. Nor,
    with more than a megabyte to save, more often than once in a second for each further one, which is about
    a hundredth of its time: a large installation in which much fails at once would do nothing else.

    Args:
        path: the file that the engine saves to; empty: not known, and nothing is asked for.
        now: seconds since the epoch.
    """
    sent = alerts_by(before.rest, rules.failures_per_alert) if before.problem else 0
    lost = not told.ok and before.problem == told.problem and 0 < rules.maximum_alerts <= sent
    if not path or lost or (told.ok and not before.problem):
        return False
    try:
        seen = os.stat(path)
    except OSError:
        return True
    age = now - seen.st_mtime
    # A file from the future is of a clock that was set back.
    return age < 0 or age >= seen.st_size / 1e6 - 1
