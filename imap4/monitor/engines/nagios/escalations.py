"""Which of a volatile service's notifications goes to whom: Nagios' escalations, computed from the states.

The number of a service's notification is where our count is kept. The core adds one before it sends a
notification, ``imap4-monitor pace`` corrects the number after every failing test, and each number means
one thing, whatever the core was kept from sending before. With N failures per alert:

- 1 to N-1: failing tests before the first alert, to nobody. N is the first alert: so far the core counts
  by itself.
- alert a is number N + 4(a-1). After it the number rests one above; a failing test that is no alert has
  the next one, and goes to nobody. Before the test that is to be the next alert it rests one below that.
- A recovery's number is one lower than the last of a problem since Nagios 4.5.7, and the same before it
  and in Naemon. Both are in the same band, because of the rests.
- From FAR on, a recovery is nobody's: Nagios since 4.5.7 still has to send one of an outage that nobody
  was told of, if it was kept from sending it into silence at once.
- An acknowledgement, or what somebody sends by hand, has the number at rest: it goes to who was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imap4.monitor.model import Contact, Monitor

SILENCE = "imap4-silence"
"""The contact whose command is ``/bin/true``: an engine counts only what somebody gets."""
STEP = 4
"""Numbers from one alert to the next."""
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


def number_of(alert: int, failures_per_alert: int) -> int:
    """The number of the notification that is alert ``alert`` (from 1)."""
    return failures_per_alert + STEP * (alert - 1)


def alerts_by(number: int, failures_per_alert: int) -> int:
    """How many alerts were sent when the last notification had ``number``."""
    return 0 if number < failures_per_alert else (number - failures_per_alert) // STEP + 1


def wrap_at(monitor: Monitor) -> int:
    """The alert whose number pace gives again and again where alerts have no limit; 0 where they have.

    Escalations are a finite list. By this alert, all ranges have ended or will not end any more.
    """
    if monitor.rules.maximum_alerts:
        return 0
    ranges = [each.alerts for each in monitor.contacts] + [each.alerts for each in monitor.recovery.actions]
    return max([9, *(max(alerts.first, alerts.last or 0) for alerts in ranges)]) + 1


def _split(told: Iterable[Contact | str]) -> tuple[Members, Members]:
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

    problems, recoveries = [], []
    if failures > 1:
        # From 0: what is acknowledged before the first test was counted, and a core that counts from below.
        problems.append(Band(0, failures - 1, "w,u,c", (SILENCE,), ()))
        recoveries.append(Band(0, failures - 1, "r", (SILENCE,), ()))
    for alert in range(1, most + 1):
        first = number_of(alert, failures)
        told: list[Contact | str] = [each for each in monitor.contacts if alert in each.alerts]
        told += [name for name, action in actions if alert in action.alerts]
        last = alert == most
        problems.append(Band(first, first, "w,u,c", *_split(told)))
        problems.append(Band(first + 1, first + 1, "w,u,c", *people(alert)))
        problems.append(Band(first + 2, 0 if last else first + 2, "w,u,c", (SILENCE,), ()))
        if not last:
            problems.append(Band(first + 3, first + 3, "w,u,c", *people(alert)))
        recoveries.append(Band(first, FAR - 1 if last else first + STEP - 1, "r", *people(alert)))
    recoveries.append(Band(FAR, 0, "r", (SILENCE,), ()))
    return (Band(1, 1, "w,u,c,r", *people(1)), *_merged(problems), *_merged(recoveries))
