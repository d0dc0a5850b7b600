"""Periods in time zones: clock changes, month ends, working hours."""

from __future__ import annotations

import itertools
from datetime import date

import pytest

from imap4.monitor.records.errors import RecordsError
from imap4.monitor.reports.counting.periods import Period, at, hours, moment, named, zone_of
from imap4.monitor.reports.counting.spans import measure

BERLIN = zone_of("Europe/Berlin")
NOW = moment("2026-11-26T20:00:00", BERLIN)
HOUR = 3_600_000


def told(period: Period) -> list[str]:
    return [at(each, period.zone).isoformat() for each in (period.begin, period.end)]


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026", "2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("2026-10", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
        ("2024-02", "2024-02-01T00:00:00+01:00", "2024-03-01T00:00:00+01:00"),
        ("2026-12", "2026-12-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("2026-03-29", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
        ("2026-W01", "2025-12-29T00:00:00+01:00", "2026-01-05T00:00:00+01:00"),
        ("today", "2026-11-26T00:00:00+01:00", "2026-11-27T00:00:00+01:00"),
        ("yesterday", "2026-11-25T00:00:00+01:00", "2026-11-26T00:00:00+01:00"),
        ("this-week", "2026-11-23T00:00:00+01:00", "2026-11-30T00:00:00+01:00"),
        ("last-week", "2026-11-16T00:00:00+01:00", "2026-11-23T00:00:00+01:00"),
        ("this-month", "2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00"),
        ("last-month", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
    ],
)
def test_a_period_is_the_calendars(text: str, begin: str, end: str) -> None:
    assert told(named(text, BERLIN, NOW)) == [begin, end]


def test_days_are_23_and_25_hours_where_clocks_change() -> None:
    for month, length in (("2026-03", 23), ("2026-10", 25)):
        days = named(month, BERLIN, NOW).days()
        assert len(days) == 31
        lengths = {day: (end - begin) // HOUR for day, (begin, end) in days}
        other = {day: each for day, each in lengths.items() if each != 24}
        assert other == {date(2026, int(month[-2:]), 29 if length == 23 else 25): length}
        assert all(one[1][1] == two[1][0] for one, two in itertools.pairwise(days))


def test_days_at_the_edges_are_as_long_as_the_period_has_of_them() -> None:
    period = Period(moment("2026-10-05T18:00", BERLIN), moment("2026-10-06T06:00", BERLIN), "", BERLIN)
    assert [(day.day, (end - begin) // HOUR) for day, (begin, end) in period.days()] == [(5, 6), (6, 6)]


def test_working_hours_are_on_the_clock_of_the_zone_and_know_the_weekday() -> None:
    week = named("2026-W43", BERLIN, NOW)  # its Sunday has 25 hours
    assert measure(hours("mon-fri 08:00-18:00", week)) == 50 * HOUR
    assert measure(hours("sat 10:00-14:00, sun 00:00-24:00", week)) == (4 + 25) * HOUR
    assert measure(hours("fri-mon 00:00-24:00", week)) == (24 * 3 + 25) * HOUR
    first = hours("mon 08:00-09:30, mon 09:00-10:00", week)
    assert [at(each, BERLIN).strftime("%a %H:%M") for span in first for each in span] == [
        "Mon 08:00",
        "Mon 10:00",
    ]


@pytest.mark.parametrize(
    "text", ["2026-13", "20261", "2026-02-30", "soon", "2026-W54", "9999-12", "", "2026-1"]
)
def test_what_is_no_period_is_said(text: str) -> None:
    with pytest.raises(RecordsError, match="is no period; write 2026, 2026-10"):
        named(text, BERLIN, NOW)


@pytest.mark.parametrize(
    "text", ["mon", "mon 8-18", "mon 25:00-26:00", "mon 18:00-08:00", "mo 08:00-18:00", ""]
)
def test_what_are_no_working_hours_is_said(text: str) -> None:
    with pytest.raises(RecordsError, match="are no working hours; write 'mon-fri 08:00-18:00"):
        hours(text, named("today", BERLIN, NOW))


def test_a_time_has_the_zone_of_the_report_unless_it_says_another() -> None:
    assert moment("2026-10-25T02:30:00+01:00", BERLIN) == moment("2026-10-25T01:30:00+00:00", zone_of("UTC"))
    assert moment("2026-10-05", BERLIN) == moment("2026-10-04T22:00Z", BERLIN)
    with pytest.raises(RecordsError, match="'soon' is no time"):
        moment("soon", BERLIN)
    with pytest.raises(RecordsError, match="Mars/Olympus: no such time zone"):
        zone_of("Mars/Olympus")
