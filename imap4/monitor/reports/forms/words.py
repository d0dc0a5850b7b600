"""The sentences and cells that every form of a report has, so that all of them say the same."""

from __future__ import annotations

from collections.abc import Sequence

from imap4.monitor.reports.counting.numbers import percent, spelled
from imap4.monitor.reports.counting.outages import Outage
from imap4.monitor.reports.counting.periods import at
from imap4.monitor.reports.model import Report, Subject

Step = tuple[int, str, str]
"""A moment, the kind of thing (``fail``, ``alert``, ``repair``, ``proven``, ``good``), and the words."""


def counted(number: int, thing: str) -> str:
    """``1 outage``, ``3 outages``."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


def title(report: Report) -> str:
    """Names the period."""
    period = report.wish.period
    begin, end = at(period.begin, period.zone), at(period.end - 1, period.zone)
    if period.name and not period.name.startswith(("last", "this", "today", "yester")):
        return f"IMAP4 monitors, {period.name}"
    if begin.date() == end.date():
        return f"IMAP4 monitors, {begin:%Y-%m-%d}"
    return f"IMAP4 monitors, {begin:%Y-%m-%d} to {end:%Y-%m-%d}"


def head(report: Report) -> list[tuple[str, str]]:
    """What a reader must know before the numbers."""
    from imap4 import VERSION

    period = report.wish.period
    zone = period.zone
    begin, end = (f"{at(each, zone):%Y-%m-%d %H:%M}" for each in (period.begin, period.end))
    over = "" if report.made >= period.end else "; not over yet"
    return [
        ("Period", f"{begin} to {end}, {zone}{over}"),
        ("Made", f"{at(report.made, zone):%Y-%m-%d %H:%M} by imap4-monitor {VERSION}"),
        ("From", f"{counted(report.tests, 'test')} of {counted(len(report.subjects), 'monitor')}"),
        ("Coverage", percent(report.shares.coverage)),
    ]


def verdict(report: Report) -> str:
    """The whole report in a sentence or two."""
    subjects = report.subjects
    if not subjects:
        return "No monitor was tested in this period."
    dark = [each for each in subjects if each.shares.availability is None]
    hurt = [each for each in subjects if each.outages]
    target = report.wish.target
    if target is not None:
        met = [each for each in subjects if each.meets]
        known = [each for each in subjects if each.meets is not None]
        missed = [each for each in known if not each.meets]
        said = f"{len(met):,} of {counted(len(known), 'monitor')} met {_target(report)}"
        said += _those(missed, "did not") + "."
    elif hurt:
        said = f"{len(hurt):,} of {counted(len(subjects), 'monitor')} had outages" + _those(hurt, "") + "."
    else:
        said = f"No outage of {counted(len(subjects), 'monitor')}."
    if dark:
        said += f" Nothing is known of {_names(dark)}."
    return said


def _those(subjects: Sequence[Subject], verb: str) -> str:
    if not subjects:
        return ""
    named = [f"{each.monitor.name}{' ' + verb if verb else ''} ({_short(each)})" for each in subjects[:3]]
    more = f", and {len(subjects) - 3:,} more" if len(subjects) > 3 else ""
    return ("; " if verb else ": ") + "; ".join(named) + more


def _short(subject: Subject) -> str:
    outages = subject.outages
    repaired = sum(any(repair.proven for repair in each.repairs) for each in outages)
    said = f"{percent(subject.shares.availability)}, {spelled(subject.shares.down)} down in "
    said += counted(len(outages), "outage")
    return said + (f", {repaired} repaired automatically" if repaired else "")


def _names(subjects: Sequence[Subject]) -> str:
    names = ", ".join(each.monitor.name for each in subjects[:5])
    return names + (f" and {len(subjects) - 5:,} more" if len(subjects) > 5 else "")


def _target(report: Report) -> str:
    assert report.wish.target is not None
    return f"{float(report.wish.target * 100):.10g} %"


def budget(subject: Subject) -> str:
    """``3 min left`` or ``2 h over``; a dash without a target."""
    left = subject.budget
    if left is None:
        return "-"
    return f"{spelled(left)} left" if left >= 0 else f"{spelled(-left)} over"


def greeting(subject: Subject, which: int, before: bool = False) -> str:
    """A percentile (0 median, 1 the 95th, 2 the 99th) in milliseconds, without its unit; a dash for none."""
    times = subject.figures.times.get("greeting") if subject.figures else None
    if before:
        times = subject.before
    if not times:
        return "-"
    value = times[which] * 1000
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def repaired(subject: Subject) -> str:
    """``1 of 2``: proven of tried; a dash where none was tried."""
    tried = subject.repairs
    return f"{sum(each.proven for each in tried)} of {len(tried)}" if tried else "-"


def days_left(subject: Subject) -> str:
    """Days left of the certificate; a dash without one."""
    days = subject.figures.days_left if subject.figures else None
    return "-" if days is None else f"{int(days)}"


def story(outage: Outage) -> list[Step]:
    """What happened, in its order."""
    detail = outage.first.detail
    steps: list[Step] = [(outage.begin, "fail", detail.message or detail.cause or "the test failed")]
    for alert in outage.alerts:
        names = ", ".join(alert.contacts) or "nobody"
        said = f"alert {alert.number} due to {names}"
        if alert.planned:
            said = f"alert {alert.number}: in a downtime, none is sent"
        if alert.sent:
            said += "; sent to " + ", ".join(sorted({name for _, name in alert.sent}))
        steps.append((alert.moment, "alert", said))
    for repair in outage.repairs:
        steps.append((repair.asked, "repair", repair.what))
        if repair.ended is not None:
            said = f"{repair.state}: {repair.proof or repair.told}".rstrip(": ")
            steps.append((repair.ended, "proven" if repair.proven else "repair", said))
    if outage.end is not None:
        told = f"; recovery told to {', '.join(outage.told)}" if outage.told else ""
        steps.append((outage.end, "good", f"the test passes again{told}"))
    return sorted(steps, key=lambda step: step[0])


def summary(outage: Outage) -> str:
    """``down for 10 min, alert after 5 min, repaired after 6 min``."""
    parts = [f"down for {spelled(outage.down)}"]
    if outage.end is None:
        parts[0] += ", not over when this was made"
    if outage.to_alert is not None:
        parts.append(f"alert after {spelled(outage.to_alert)}")
    if outage.to_repair is not None:
        parts.append(f"repaired after {spelled(outage.to_repair)}")
    parts.append(counted(outage.tests, "failed test"))
    others = [cause for cause in outage.causes if cause != outage.first.detail.cause]
    if others:
        parts.append(f"also {', '.join(others)}")
    return ", ".join(parts)


def method(report: Report) -> list[str]:
    """How it was counted, in the words of docs/reports.md."""
    planned = "Planned downtime is neither up nor down." if report.wish.exclude_planned else ""
    said = [
        "Availability is the share of covered time in which the monitor was available, rounded down. "
        "Coverage is the share of the period in which that is known. " + planned,
        "A result holds until the next test, at most for the delay, the maximum test duration and some "
        "slack; after that, nothing is known. Tests that could not be run (UNKNOWN) cover nothing.",
        "An outage is failed tests in a row, from the first to the next good one. Time to repair is down "
        "time over outages, time between failures is up time over outages. Alerts are those that were due.",
        *report.notes,
    ]
    if report.broken:
        said.append(f"{counted(report.broken, 'line')} of this period could not be read, and left out.")
    return [each.strip() for each in said]
