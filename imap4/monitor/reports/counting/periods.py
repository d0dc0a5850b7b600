"""Periods, days and working hours in a time zone, as spans of milliseconds since the epoch. Pure.

A day is a calendar's day in the zone: 23 or 25 hours long where clocks change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from imap4.monitor.records.errors import RecordsError
from imap4.monitor.reports.counting.spans import Spans, union

WORDS = ("today", "yesterday", "this-week", "last-week", "this-month", "last-month")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Period:
    """From a moment to another one, which is exclusive."""

    begin: int
    end: int
    name: str
    zone: tzinfo

    @property
    def before(self) -> tuple[int, int]:
        """The time before it, as long as it is."""
        return self.begin - (self.end - self.begin), self.begin

    def days(self) -> list[tuple[date, tuple[int, int]]]:
        """Each day of it, with what of it lies in the period."""
        found = []
        day = at(self.begin, self.zone).date()
        while midnight(day, self.zone) < self.end:
            begin, end = midnight(day, self.zone), midnight(day + timedelta(1), self.zone)
            found.append((day, (max(begin, self.begin), min(end, self.end))))
            day += timedelta(1)
        return found


def zone_of(name: str | None) -> tzinfo:
    """A time zone by its name; without one, the system's, with its changes of clocks.

    Raises:
        RecordsError: there is no such zone.
    """
    try:
        if name is not None:
            return ZoneInfo(name)
        link = Path("/etc/localtime").resolve().as_posix()
        _, found, local = link.partition("/zoneinfo/")
        return ZoneInfo(local) if found else ZoneInfo("UTC")
    except (OSError, ValueError, KeyError):
        raise RecordsError(f"{name}: no such time zone; write one such as Europe/Berlin or UTC") from None


def at(moment: int, zone: tzinfo) -> datetime:
    """A moment on the clocks of a zone."""
    return datetime.fromtimestamp(moment / 1000, zone)


def midnight(day: date, zone: tzinfo) -> int:
    """When a day begins."""
    return round(datetime.combine(day, time(), zone).timestamp() * 1000)


def named(text: str, zone: tzinfo, now: int) -> Period:
    """``2026``, ``2026-10``, ``2026-10-05``, ``2026-W41``, or one of WORDS.

    Raises:
        RecordsError: it is none of these.
    """
    today = at(now, zone).date()
    monday = today - timedelta(today.weekday())
    first = today.replace(day=1)
    before = (first - timedelta(1)).replace(day=1)
    days = {
        "today": (today, today + timedelta(1)),
        "yesterday": (today - timedelta(1), today),
        "this-week": (monday, monday + timedelta(7)),
        "last-week": (monday - timedelta(7), monday),
        "this-month": (first, _next_month(first)),
        "last-month": (before, first),
    }
    try:
        begin, end = days[text] if text in days else _dates(text)
    except (ValueError, OverflowError):
        raise RecordsError(
            f"{text!r} is no period; write 2026, 2026-10, 2026-10-05, 2026-W41 or {', '.join(WORDS)}"
        ) from None
    return Period(midnight(begin, zone), midnight(end, zone), text, zone)


def _dates(text: str) -> tuple[date, date]:
    if found := re.fullmatch(r"(\d{4})-W(\d{2})", text):
        monday = date.fromisocalendar(int(found[1]), int(found[2]), 1)
        return monday, monday + timedelta(7)
    if found := re.fullmatch(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", text):
        begin = date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
        if found[3]:
            return begin, begin + timedelta(1)
        return begin, _next_month(begin) if found[2] else date(begin.year + 1, 1, 1)
    raise ValueError(text)


def _next_month(first: date) -> date:
    return (first + timedelta(32)).replace(day=1)


def moment(text: str, zone: tzinfo) -> int:
    """``2026-10-05``, ``2026-10-05T08:00`` or with seconds and an offset, in milliseconds since the epoch.

    Raises:
        RecordsError: it is none of these.
    """
    try:
        found = datetime.fromisoformat(text)
        return round((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise RecordsError(f"{text!r} is no time; write 2026-10-05T08:00 or 2026-10-05") from None


def hours(text: str, period: Period) -> Spans:
    """What of a period lies in working hours such as ``mon-fri 08:00-18:00, sat 10:00-14:00``.

    Raises:
        RecordsError: it is not written so.
    """
    wanted: dict[int, list[tuple[time, time | None]]] = {}
    for part in text.lower().split(","):
        days, _, clock = part.strip().partition(" ")
        span = _clock(clock.strip(), text)
        for day in _days(days, text):
            wanted.setdefault(day, []).append(span)
    found = []
    for date_, (first, last) in period.days():
        for begin, end in wanted.get(date_.weekday(), ()):
            start = round(datetime.combine(date_, begin, period.zone).timestamp() * 1000)
            stop = (
                midnight(date_ + timedelta(1), period.zone)
                if end is None
                else round(datetime.combine(date_, end, period.zone).timestamp() * 1000)
            )
            found.append((max(start, first), min(stop, last)))
    return union(found)


def _days(text: str, whole: str) -> list[int]:
    first, dash, last = text.partition("-")
    if first not in _WEEKDAYS or (dash and last not in _WEEKDAYS):
        raise _no_hours(whole)
    begin = _WEEKDAYS.index(first)
    length = (_WEEKDAYS.index(last) - begin) % 7 if dash else 0
    return [(begin + number) % 7 for number in range(length + 1)]


def _clock(text: str, whole: str) -> tuple[time, time | None]:
    """Begin and end; None is midnight."""
    found = re.fullmatch(r"(\d\d):(\d\d)-(\d\d):(\d\d)", text)
    try:
        if not found:
            raise ValueError
        begin = time(int(found[1]), int(found[2]))
        end = None if text.endswith("-24:00") else time(int(found[3]), int(found[4]))
    except ValueError:
        raise _no_hours(whole) from None
    if end is not None and end <= begin:
        raise _no_hours(whole)
    return begin, end


def _no_hours(text: str) -> RecordsError:
    return RecordsError(f"{text!r} are no working hours; write 'mon-fri 08:00-18:00, sat 10:00-14:00'")
