"""Which of a volatile service's notifications goes to whom: Nagios' escalations, computed from the states.

Notification number (i-1)N+1 is alert i of a monitor with N failures per alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imap4.monitor.model import Contact, Monitor

SILENCE = "imap4-silence"
"""The contact whose command is ``/bin/true``: an engine counts only what somebody gets."""
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

    ``own`` are the contacts that stand for the monitor's repairs, in their order.
    """
    failures = monitor.rules.failures_per_alert
    most = monitor.rules.maximum_alerts or wrap_at(monitor) + 1
    actions = tuple(zip(own, monitor.recovery.actions, strict=True))

    def told(alert: int) -> tuple[Members, Members]:
        people: list[Contact | str] = [each for each in monitor.contacts if alert in each.alerts]
        return _split([*people, *(name for name, action in actions if alert in action.alerts)])

    base = told(1)
    problems, recoveries = [], []
    for alert in range(1, most + 1):
        first = (alert - 1) * failures + 1
        contacts, groups = told(alert)
        problems.append(Band(first, first, "w,u,c", contacts, groups))
        if alert == most:
            problems.append(Band(first + 1, 0, "w,u,c", (SILENCE,), ()))
        elif failures > 1:
            problems.append(Band(first + 1, first + failures - 1, "w,u,c", (SILENCE,), ()))
        contacts, groups = _split(each for each in monitor.contacts if each.alerts.first <= alert)
        last = 0 if alert == most else first + failures - 1
        recoveries.append(Band(first, last, "r", contacts, groups))
    people = _split(each for each in monitor.contacts if 1 in each.alerts)
    bands = [Band(1, 1, "w,u,c,r", *base)]
    bands += [band for band in _merged(problems) if (band.contacts, band.groups) != base]
    return (*bands, *(band for band in _merged(recoveries) if (band.contacts, band.groups) != people))
