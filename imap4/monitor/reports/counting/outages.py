"""Outages as stories: first failed test, alerts, repairs, first good test. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from imap4.monitor.model import Monitor
from imap4.monitor.reports.counting.numbers import Spent
from imap4.monitor.reports.counting.spans import intersect, measure
from imap4.monitor.reports.counting.timeline import Failed, Run, Timeline

FOREVER = 1 << 60

BEFORE = 60_000
"""Milliseconds by which the clock of who repairs may be behind ours."""


class Alert(NamedTuple):
    """An alert that was due."""

    moment: int
    number: int
    contacts: tuple[str, ...]
    planned: bool
    """Whether it fell into a downtime, in which engines send none."""
    sent: tuple[tuple[int, str], ...] = ()
    """When the engine sent it to whom, where its log was imported."""


class Repair(NamedTuple):
    """A recovery that was tried. Times are milliseconds since the epoch."""

    asked: int
    ended: int | None
    what: str
    """Such as ``restart-service dovecot on mail1``."""
    state: str
    """``proven``, ``not proven``, ``failed``, ``skipped``, ``running`` or ``interrupted``."""
    told: str
    """Its summary, or why it did not come to one."""
    proof: str
    host: str
    service: str

    @property
    def proven(self) -> bool:
        """Whether the service works again, and that was seen."""
        return self.state == "proven"

    @property
    def tried(self) -> bool:
        """Whether anything was done."""
        return self.state != "skipped"


class Notice(NamedTuple):
    """A notification that an engine's log tells of."""

    id: str
    moment: int
    contact: str
    state: str


@dataclass(frozen=True)
class Outage:
    """One outage, as far as it lies in a period."""

    begin: int
    """The first failed test, which may lie before the period."""
    end: int | None
    """The first good test, which may lie after the period; None where there was none."""
    down: int
    """Milliseconds in the period that count as down."""
    first: Failed
    tests: int
    causes: tuple[str, ...]
    """The causes of the failed tests, in the order in which they came up."""
    alerts: tuple[Alert, ...]
    repairs: tuple[Repair, ...]
    told: tuple[str, ...]
    """Who was to be told of the recovery."""

    @property
    def to_alert(self) -> int | None:
        """Milliseconds from the first failed test to the first alert."""
        return self.alerts[0].moment - self.begin if self.alerts else None

    @property
    def to_repair(self) -> int | None:
        """Milliseconds from the first failed test to the first proven repair."""
        ended = [each.ended for each in self.repairs if each.proven and each.ended is not None]
        return min(ended) - self.begin if ended else None


def outages(
    timeline: Timeline,
    spent: Spent,
    monitor: Monitor,
    repairs: Sequence[Repair] = (),
    notices: Sequence[Notice] = (),
) -> list[Outage]:
    """The outages of a period: every run of failed tests that made some of it count as down."""
    found = []
    for run in timeline.runs:
        begin, end = run.tests[0].moment, run.ended
        down = measure(intersect(spent.down, [(begin, end if end is not None else FOREVER)]))
        if down:
            found.append(_outage(run, down, monitor, repairs, notices))
    return found


def _outage(
    run: Run, down: int, monitor: Monitor, repairs: Sequence[Repair], notices: Sequence[Notice]
) -> Outage:
    begin = next((test for test in run.tests if test.state == 2), run.tests[0])
    last = run.ended if run.ended is not None else FOREVER
    alerts = tuple(
        Alert(test.moment, test.position.alert, _contacts(monitor, test.position.alert), test.planned)
        for test in run.tests
        if test.position.alert is not None
    )
    own = [
        each
        for each in repairs
        if (each.host, each.service) == (monitor.host, monitor.service)
        and run.tests[0].moment - BEFORE <= each.asked <= last
    ]
    sent = sum(alert.planned is False for alert in alerts)
    told = tuple(contact.name for contact in monitor.contacts if sent and contact.alerts.first <= len(alerts))
    causes = Counter(test.detail.cause for test in run.tests if test.detail.cause)
    return Outage(
        begin=begin.moment,
        end=run.ended,
        down=down,
        first=begin,
        tests=len(run.tests),
        causes=tuple(causes),
        alerts=tuple(_with_notices(alerts, notices, monitor, last)),
        repairs=tuple(own),
        told=told if run.ended is not None else (),
    )


def _contacts(monitor: Monitor, alert: int) -> tuple[str, ...]:
    return tuple(contact.name for contact in monitor.contacts if alert in contact.alerts)


def _with_notices(
    alerts: Sequence[Alert], notices: Sequence[Notice], monitor: Monitor, last: int
) -> list[Alert]:
    """The alerts, with what the log says of them: a notice belongs to the last alert before it."""
    mine = [each for each in notices if each.id == monitor.id and each.state != "OK"]
    if not mine:
        return list(alerts)
    found = []
    for number, alert in enumerate(alerts):
        until = alerts[number + 1].moment if number + 1 < len(alerts) else last
        sent = tuple(
            (each.moment, each.contact) for each in mine if alert.moment - 2000 <= each.moment < until - 2000
        )
        found.append(alert._replace(sent=sent))
    return found
