"""The worked examples in docs/reports.md, from lines on the disk to the numbers."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from imap4.monitor.model import Monitor
from imap4.monitor.records.collect import collect
from imap4.monitor.reports.asking import Places
from imap4.monitor.reports.counting.numbers import percent, spelled
from imap4.monitor.reports.counting.periods import Period, zone_of
from imap4.monitor.reports.counting.planned import PlannedSpan
from imap4.monitor.reports.model import Report, Sources, Wish, make
from imap4.monitor.states import Delays, Rules
from tests.unit.imap4.monitor.records.writing import KEEP, NOON, line, write

DOCS = Path(__file__).parents[5] / "docs" / "reports.md"
EXAMPLES = re.findall(r"```example\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
RULES = Rules(Delays(600, 600, 600, 600), failures_per_alert=3, maximum_alerts=2)
MONITOR = Monitor("Mail", "mail", "mail", rules=RULES, test_duration=60)
UTC = zone_of("UTC")


def clock(text: str) -> int:
    """A time on 5 October, in milliseconds since the epoch."""
    hours, minutes = text.split(":")
    return (NOON - 12 * 3600 + int(hours) * 3600 + int(minutes) * 60) * 1000


def read(text: str, folder: Path) -> tuple[Wish, list[str]]:
    """Write an example's tests; the wish and the two lines that are meant come back."""
    lines = text.strip().splitlines()
    _, begin, end, *more = lines[0].split()
    spans, hours = [], ""
    for each in lines[1:-2]:
        first, rest = each.split(" ", 1)
        if first in ("plan", "no-plan"):
            start, stop = map(clock, rest.split())
            spans.append(PlannedSpan(start, stop, ("*",), first == "plan", ""))
        elif first == "hours":
            hours = rest
        else:
            state = {"ok": 0, "fail": 2, "unknown": 3}[rest.split()[0]]
            moment = clock(first) / 1000
            write(folder, [(moment, line(moment, state, downtime=int("downtime" in rest)))])
    period = Period(clock(begin), clock(end), "example", UTC)
    wish = Wish(period, hours=hours, exclude_planned="include" not in more, spans=tuple(spans))
    return wish, lines[-2:]


def said(report: Report) -> list[str]:
    """The two lines."""
    (subject,) = report.subjects
    shares = subject.shares
    parts = {
        "up": shares.up, "down": shares.down, "planned": shares.planned, "not covered": shares.uncovered,
    }  # fmt: skip
    first = [
        f"{name} {spelled(each)} ({percent(Fraction(each, shares.whole))})" for name, each in parts.items()
    ]
    means = ["-" if each is None else spelled(each) for each in (subject.to_repair, subject.between)]
    second = (
        f"availability {percent(shares.availability)}, coverage {percent(shares.coverage)}, "
        f"outages {len(subject.outages)}, longest {spelled(subject.longest)}, "
        f"to repair {means[0]}, between {means[1]}"
    )
    return [", ".join(first), second]


@pytest.mark.parametrize("stored", [False, True], ids=["lines", "stored"])
@pytest.mark.parametrize("text", EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_the_example_comes_out_as_it_is_written(tmp_path: Path, text: str, stored: bool) -> None:
    places = Places((tmp_path / "records",), tmp_path / "store", (MONITOR,))
    wish, meant = read(text, tmp_path / "records")
    if stored:
        collect(places.folders, places.store, places.rules, keep=KEEP, now=NOON + 86400 * 2)
    report = make(places, wish, Sources(), (NOON + 86400 * 2) * 1000)
    assert said(report) == meant


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 8
