"""What holds for any tests: shares add up, halves are the whole, a count second by second agrees."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imap4.monitor.model import Monitor
from imap4.monitor.records.rules import hold
from imap4.monitor.reports.asking import Places
from imap4.monitor.reports.counting.numbers import Shares
from imap4.monitor.reports.counting.periods import Period, zone_of
from imap4.monitor.reports.counting.spans import Ruler, intersect, measure, subtract, union
from imap4.monitor.reports.model import Report, Sources, Wish, make
from imap4.monitor.states import Delays, Position, Rules, advance
from tests.unit.imap4.monitor.records.writing import NOON, line, write

pytestmark = pytest.mark.slow

RULES = Rules(Delays(60, 20, 30, 90), failures_per_alert=2, maximum_alerts=2)
MONITOR = Monitor("Mail", "mail", "mail", rules=RULES, test_duration=5)
UTC = zone_of("UTC")

Test = tuple[int, int, bool]
"""Seconds after noon, state, downtime."""

TESTS = st.lists(
    st.tuples(st.integers(-300, 900), st.sampled_from([0, 0, 0, 1, 2, 2, 2, 3]), st.booleans()),
    max_size=40,
    unique_by=lambda test: test[0],
).map(sorted)


def counted(tests: list[Test], begin: int, end: int) -> Shares:
    """The four shares, second by second, as docs/reports.md puts it."""
    sums = dict.fromkeys(("up", "down", "planned", "uncovered"), 0)
    holds, position = [], Position()
    for moment, state, downtime in tests:
        position = advance(RULES, position, state <= 1)
        holds.append((moment, state, downtime, moment + hold(RULES, 5, position.failures)))
    for second in range(begin, end):
        last = [each for each in holds if each[0] <= second]
        if not last or second >= last[-1][3]:
            sums["uncovered"] += 1000
        elif last[-1][2]:
            sums["planned"] += 1000
        else:
            sums[{0: "up", 1: "up", 2: "down", 3: "uncovered"}[last[-1][1]]] += 1000
    return Shares(**sums)


def report(places: Places, begin: int, end: int) -> Report:
    period = Period((NOON + begin) * 1000, (NOON + end) * 1000, "any", UTC)
    return make(places, Wish(period), Sources(), (NOON + 86400) * 1000)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(TESTS, st.integers(1, 599))
def test_shares_are_those_of_every_second_and_two_halves_are_the_whole(tests: list[Test], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        places = Places((Path(folder),), Path(folder) / "store", (MONITOR,))
        write(
            Path(folder),
            [(NOON + at, line(NOON + at, state, downtime=int(down))) for at, state, down in tests],
        )
        (whole,) = report(places, 0, 600).subjects
        halves = [report(places, 0, cut).subjects[0], report(places, cut, 600).subjects[0]]
    assert whole.shares == counted(list(tests), 0, 600)
    assert whole.shares.whole == 600_000
    assert halves[0].shares + halves[1].shares == whole.shares
    assert sum(each.down for each in whole.outages) == whole.shares.down
    parts = [each.figures.tests for each in halves if each.figures]
    assert sum(parts) == (whole.figures.tests if whole.figures else 0)
    causes = [dict(each.causes) for each in halves]
    assert {name: sum(each.get(name, 0) for each in causes) for each in causes for name in each} == dict(
        whole.causes
    )


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12).map(union)


def seconds(spans: list[tuple[int, int]]) -> set[int]:
    return {each for begin, end in spans for each in range(begin, end)}


@given(SPANS, SPANS, st.integers(0, 60), st.integers(0, 60))
def test_spans_are_sets_of_moments(
    one: list[tuple[int, int]], other: list[tuple[int, int]], begin: int, end: int
) -> None:
    assert seconds(intersect(one, other)) == seconds(one) & seconds(other)
    assert seconds(subtract(one, other)) == seconds(one) - seconds(other)
    assert measure(one) == len(seconds(one))
    assert Ruler(one).within(begin, end) == len(seconds(one) & set(range(begin, end)))
