"""Which of a volatile service's notifications goes to whom: Nagios' escalations, computed from the states.

The number of a service's notification is where our count is kept. The core adds one before it sends a
notification, ``imap4-monitor pace`` corrects the number after every failing test, and each number means
one thing, whatever the core was kept from sending before:

- Below BASE the core has counted by itself: the first failing test, and all where event handlers are off.
  With N failures per alert, alert a is number N*a; the others go to nobody.
- From BASE on it was set. What a number means does not depend on N or on how many alerts there may be, so
  both can be changed in an outage: alert a is number BASE + 4a. After it the number rests one above; a
  failing test that is no alert has the next one, and goes to nobody. Before the test that is to be the next
  alert it rests one below that.
- A recovery's number is one lower than the last of a problem since Nagios 4.5.7, and the same before it
  and in Naemon. Both are in the same band, because of the rests.
- From FAR on, a recovery is nobody's: Nagios since 4.5.7 still has to send one of an outage that nobody
  was told of, if it was kept from sending it into silence at once.
- An acknowledgement, or what somebody sends by hand, has the number at rest: it goes to who was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imap4.monitor.model import Contact, Monitor

SILENCE = "imap4-silence"
"""The contact whose command is ``/bin/true``: an engine counts only what somebody gets."""
STEP = 4
"""Numbers from one alert to the next."""
BASE = 100_000
"""From here on the handler has set the number; below, the core has counted by itself."""
FAR = 1_000_000
"""From here on a recovery is nobody's."""
Members = tuple[str, ...]


@dataclass(frozen=True)
class Band:
    """Notifications ``first`` to ``last`` (0: all that follow) go to ``contacts`` and ``groups`` only."""

    first: int
    last: int
    options: str
    """Nagios' letters for the states: ``w,u,c`` problems, ``r`` recovery."""
    contacts: Members
    groups: Members


def number_of(alert: int) -> int:
    """The number of the notification that is alert ``alert``; for 0, that before all alerts."""
    return BASE + STEP * alert


def alerts_by(number: int, failures_per_alert: int) -> int:
    """How many alerts were sent when the last notification had ``number``."""
    return number // failures_per_alert if number < BASE else (number - BASE) // STEP


def is_alert(number: int, failures_per_alert: int) -> bool:
    """Whether the notification with this number is an alert."""
    if number < BASE:
        return number > 0 and number % failures_per_alert == 0
    return number > BASE and (number - BASE) % STEP == 0


def wrap_at(monitor: Monitor) -> int:
    """The alert whose number pace gives again and again where alerts have no limit; 0 where they have.

    Escalations are a finite list. By this alert, all ranges have ended or will not end any more.
    """
    if monitor.rules.maximum_alerts:
        return 0
    ranges = [each.alerts for each in monitor.contacts] + [each.alerts for each in monitor.recovery.actions]
    return max([9, *(max(alerts.first, alerts.last or 0) for alerts in ranges)]) + 1


def _split(told: Iterable[Contact | str]) -> tuple[Members, Members]:
    from imap4.monitor.model import Contact  # the pacing handler needs no definitions, and runs often

    people = tuple(told)
    groups = tuple(each.name for each in people if isinstance(each, Contact) and each.group)
    names = tuple(
        each if isinstance(each, str) else each.name
        for each in people
        if isinstance(each, str) or not each.group
    )
    return names if names or groups else (SILENCE,), groups


def _merged(bands: Sequence[Band]) -> tuple[Band, ...]:
    """Neighbours that go to the same contacts, as one."""
    found: list[Band] = []
    for band in bands:
        before = found[-1] if found else None
        alike = before and (before.contacts, before.groups) == (band.contacts, band.groups)
        if before and alike and before.last + 1 == band.first:
            found[-1] = Band(before.first, band.last, band.options, band.contacts, band.groups)
        else:
            found.append(band)
    return tuple(found)


def notified(monitor: Monitor, own: Sequence[str]) -> tuple[Band, ...]:
    """Who gets which notification: first the service's own contacts (first = last = 1), then escalations.

    The service's own contacts get only what is sent by hand while all is well; every other number has its
    escalation. ``own`` are the contacts that stand for the monitor's repairs, in their order.
    """
    failures = monitor.rules.failures_per_alert
    most = monitor.rules.maximum_alerts or wrap_at(monitor)
    actions = tuple(zip(own, monitor.recovery.actions, strict=True))

    def people(by: int) -> tuple[Members, Members]:
        """Those who were told when ``by`` alerts were sent."""
        return _split(each for each in monitor.contacts if each.alerts.first <= by)

    def at(alert: int) -> tuple[Members, Members]:
        """Those whom this alert concerns, and its repairs."""
        told: list[Contact | str] = [each for each in monitor.contacts if alert in each.alerts]
        return _split([*told, *(name for name, action in actions if alert in action.alerts)])

    own_count = [failures * alert for alert in range(1, most + 1) if failures * alert < BASE]
    # From 0: what is acknowledged before the first test was counted, and a core that counts from below. A
    # core that takes one off has no other number than 0 for the recovery after one failing test.
    problems, recoveries = [], []
    if failures > 1:
        problems.append(Band(0, failures - 1, "w,u,c", (SILENCE,), ()))
        recoveries.append(Band(0, failures - 1, "r", (SILENCE,), ()))
    for alert, (first, following) in enumerate(pairwise([*own_count, BASE]), 1):
        problems.append(Band(first, first, "w,u,c", *at(alert)))
        if first + 1 < following:
            problems.append(Band(first + 1, following - 1, "w,u,c", (SILENCE,), ()))
        recoveries.append(Band(0 if first == 1 else first, following - 1, "r", *people(alert)))
    problems.append(Band(BASE, BASE + STEP - 1, "w,u,c", (SILENCE,), ()))
    recoveries.append(Band(BASE, BASE + STEP - 1, "r", (SILENCE,), ()))
    for alert in range(1, most + 1):
        first = number_of(alert)
        last = alert == most
        problems.append(Band(first, first, "w,u,c", *at(alert)))
        problems.append(Band(first + 1, first + 1, "w,u,c", *people(alert)))
        problems.append(Band(first + 2, 0 if last else first + 2, "w,u,c", (SILENCE,), ()))
        if not last:
            problems.append(Band(first + 3, first + 3, "w,u,c", *people(alert)))
        recoveries.append(Band(first, FAR - 1 if last else first + STEP - 1, "r", *people(alert)))
    recoveries.append(Band(FAR, 0, "r", (SILENCE,), ()))
    return (Band(1, 1, "w,u,c,r", *people(1)), *_merged(problems), *_merged(recoveries))
