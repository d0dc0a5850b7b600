"""A report for programs: CSV, one row a monitor, and JSON with every outage. Times are ISO 8601 with zone."""

from __future__ import annotations

import csv
import io
import json
from datetime import tzinfo
from typing import Any

from imap4.monitor.reports.counting.numbers import Shares
from imap4.monitor.reports.counting.outages import Outage
from imap4.monitor.reports.counting.periods import at
from imap4.monitor.reports.forms import words
from imap4.monitor.reports.model import Report, Subject

VERSION = 1
"""Of the JSON: fields may be added; where one changes its meaning, this number rises."""


def as_csv(report: Report) -> str:
    """One row a monitor, the worst first, with a header (RFC 4180). What is not known is empty."""
    target = io.StringIO()
    rows = [_row(each) for each in report.subjects]
    names = list(rows[0]) if rows else ["id", "name"]
    writer = csv.DictWriter(target, names)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value is None else _harmless(value) for name, value in row.items()})
    return target.getvalue()


def _harmless(value: object) -> object:
    """A text that no spreadsheet takes for a formula."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def as_json(report: Report) -> str:
    """Everything."""
    period = report.wish.period
    zone = period.zone
    target = report.wish.target
    return json.dumps(
        {
            "version": VERSION,
            "period": {
                "name": period.name, "begin": _time(period.begin, zone), "end": _time(period.end, zone),
                "timezone": str(zone),
            },
            "made": _time(report.made, zone),
            "target": None if target is None else float(target),
            "hours": report.wish.hours or None,
            "planned": "exclude" if report.wish.exclude_planned else "include",
            "verdict": words.verdict(report),
            "tests": report.tests,
            "broken_lines": report.broken,
            "notes": list(report.notes),
            "shares": _shares(report.shares),
            "monitors": [_subject(each, zone) for each in report.subjects],
        },
        indent=2,
        ensure_ascii=False,
    ) + "\n"  # fmt: skip


def _row(subject: Subject) -> dict[str, Any]:
    shares, figures = subject.shares, subject.figures
    budget = subject.budget
    alerts = [each.to_alert for each in subject.outages if each.to_alert is not None]
    repairs = [each.to_repair for each in subject.outages if each.to_repair is not None]
    row: dict[str, Any] = {
        "id": subject.monitor.id,
        "name": subject.monitor.name,
        **_shares(shares),
        "target_met": subject.meets,
        "budget_s": None if budget is None else budget / 1000,
        "tests": figures.tests if figures else 0,
        "outages": len(subject.outages),
        "longest_s": subject.longest / 1000,
        "mean_time_to_repair_s": None if subject.to_repair is None else subject.to_repair / 1000,
        "mean_time_between_failures_s": None if subject.between is None else subject.between / 1000,
        "alerts": subject.alerts,
        "repairs_tried": len(subject.repairs),
        "repairs_proven": sum(each.proven for each in subject.repairs),
        "mean_time_to_alert_s": sum(alerts) / len(alerts) / 1000 if alerts else None,
        "mean_time_to_proven_repair_s": sum(repairs) / len(repairs) / 1000 if repairs else None,
    }
    for name in ("connect", "tls", "greeting"):
        times = figures.times.get(name) if figures else None
        for which, label in enumerate(("median", "p95", "p99")):
            row[f"{name}_{label}_s"] = round(times[which], 6) if times else None
    row["certificate_days"] = figures.days_left if figures else None
    return row


def _shares(shares: Shares) -> dict[str, Any]:
    availability, coverage = shares.availability, shares.coverage
    return {
        "availability": None if availability is None else float(availability),
        "coverage": None if coverage is None else float(coverage),
        "up_s": shares.up / 1000,
        "down_s": shares.down / 1000,
        "planned_s": shares.planned / 1000,
        "not_covered_s": shares.uncovered / 1000,
    }


def _subject(subject: Subject, zone: tzinfo) -> dict[str, Any]:
    return {
        **_row(subject),
        "causes": dict(subject.causes),
        "days": [{"day": day.isoformat(), **_shares(shares)} for day, shares in subject.days],
        "stories": [_outage(each, zone) for each in subject.outages],
    }


def _outage(outage: Outage, zone: tzinfo) -> dict[str, Any]:
    return {
        "begin": _time(outage.begin, zone),
        "end": _time(outage.end, zone),
        "down_s": outage.down / 1000,
        "cause": outage.first.detail.cause,
        "message": outage.first.detail.message,
        "address": outage.first.detail.address,
        "failed_tests": outage.tests,
        "causes": list(outage.causes),
        "alert_after_s": None if outage.to_alert is None else outage.to_alert / 1000,
        "repaired_after_s": None if outage.to_repair is None else outage.to_repair / 1000,
        "alerts": [
            {
                "time": _time(alert.moment, zone),
                "alert": alert.number,
                "due": list(alert.contacts),
                "in_downtime": alert.planned,
                "sent": [{"time": _time(moment, zone), "contact": name} for moment, name in alert.sent],
            }
            for alert in outage.alerts
        ],
        "repairs": [
            {
                "asked": _time(repair.asked, zone),
                "ended": _time(repair.ended, zone),
                "what": repair.what,
                "state": repair.state,
                "proof": repair.proof,
                "told": repair.told,
            }
            for repair in outage.repairs
        ],
        "recovery_due": list(outage.told),
    }


def _time(moment: int | None, zone: tzinfo) -> str | None:
    return None if moment is None else at(moment, zone).isoformat(timespec="milliseconds")
