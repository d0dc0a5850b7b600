"""A report as data: what every form of it shows, computed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction

from imap4.monitor.model import Monitor
from imap4.monitor.records.changes import Change
from imap4.monitor.records.lines import ends
from imap4.monitor.records.reading import Figures, Percentiles, Reader, ask
from imap4.monitor.records.summary import FAR
from imap4.monitor.reports.asking import DAY, Places, chosen
from imap4.monitor.reports.clocks import Flip, disagreements, said
from imap4.monitor.reports.counting.numbers import Shares, Spent, divide
from imap4.monitor.reports.counting.outages import Notice, Outage, Repair, outages
from imap4.monitor.reports.counting.periods import Period, at, hours
from imap4.monitor.reports.counting.planned import PlannedSpan, spans_for
from imap4.monitor.reports.counting.spans import Ruler, Spans
from imap4.monitor.reports.counting.timeline import Timeline, build

Curve = list[tuple[int, float, float, float]]

POINTS = 480
"""Points of a plot, at most: one a pixel."""

_COMPARED = 100
"""Monitors, of those that several hosts test, by which their clocks are compared."""

MOST_PLOTS = 50
"""Monitors that have plots and stories; the others are rows."""


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    period: Period
    monitors: tuple[str, ...] = ()
    """Patterns of names or ids; none is all."""
    target: Fraction | None = None
    """The availability that is aimed at, from 0 to 1."""
    hours: str = ""
    exclude_planned: bool = True
    spans: tuple[PlannedSpan, ...] = ()
    curves: bool = False
    """Whether plots are wanted."""


@dataclass(frozen=True)
class Sources:
    """What is read beside the tests."""

    repairs: tuple[Repair, ...] = ()
    repairs_unknown: str = ""
    """Why nothing is known of repairs; empty where it is."""


@dataclass(frozen=True)
class Subject:
    """One monitor's part."""

    monitor: Monitor
    defined: bool
    """Whether a definition has it."""
    shares: Shares
    days: tuple[tuple[date, Shares], ...]
    outages: tuple[Outage, ...]
    causes: tuple[tuple[str, int], ...]
    """Failed tests by cause, the most frequent first; those in planned downtime are left out."""
    figures: Figures | None
    before: Percentiles | None
    """Of the greeting, in the time before the period that is as long as it is."""
    target: Fraction | None
    spent: Spent
    curve: Curve = field(default_factory=list)

    @property
    def meets(self) -> bool | None:
        """Whether the target is met; None without a target or without covered time."""
        availability = self.shares.availability
        return None if availability is None or self.target is None else availability >= self.target

    @property
    def budget(self) -> int | None:
        """Milliseconds that may still be down without missing the target; below 0 where it is overdrawn."""
        if self.target is None or not self.shares.covered:
            return None
        allowed = (1 - self.target) * self.shares.covered
        return allowed.numerator // allowed.denominator - self.shares.down

    @property
    def longest(self) -> int:
        """Milliseconds down of the longest outage."""
        return max((each.down for each in self.outages), default=0)

    @property
    def to_repair(self) -> int | None:
        """Mean time to repair: the down time over the number of outages, in milliseconds."""
        return self.shares.down // len(self.outages) if self.outages else None

    @property
    def between(self) -> int | None:
        """Mean time between failures: the up time over the number of outages, in milliseconds."""
        return self.shares.up // len(self.outages) if self.outages else None

    @property
    def alerts(self) -> int:
        """Alerts that were due, but for those in a downtime."""
        return sum(not alert.planned for each in self.outages for alert in each.alerts)

    @property
    def repairs(self) -> list[Repair]:
        """Those of the outages that did something."""
        return [repair for each in self.outages for repair in each.repairs if repair.tried]


@dataclass(frozen=True)
class Report:
    """All of it."""

    wish: Wish
    made: int
    subjects: tuple[Subject, ...]
    """The worst first."""
    broken: int
    """Lines of the period that could not be read."""
    notes: tuple[str, ...]

    @property
    def shares(self) -> Shares:
        """Of all monitors together."""
        return sum((each.shares for each in self.subjects), Shares(0, 0, 0, 0))

    @property
    def tests(self) -> int:
        """How many tests it is made from."""
        return sum(each.figures.tests for each in self.subjects if each.figures)


@dataclass
class _Read:
    """What was read."""

    changes: dict[str, list[Change]]
    figures: dict[str, Figures]
    before: dict[str, Percentiles]
    broken: Mapping[str, int]
    recorded: set[str]
    notices: list[Notice]
    days: list[tuple[date, tuple[int, int]]]
    clocks: list[str]
    """What is known of clocks that are wrong."""


def make(places: Places, wish: Wish, sources: Sources, now: int) -> Report:
    """Compute a report.

    Raises:
        RecordsError: nothing can be read, or nothing fits.
    """
    period = wish.period
    until = min(period.end + DAY, now)

    def question(reader: Reader) -> _Read:
        changes = reader.changes(period.begin)
        figures = reader.figures(period.begin, period.end)
        twice = [identity for identity, each in figures.items() if each.recorders > 1][:_COMPARED]
        flips = [Flip(*each) for each in reader.flips(period.begin, period.end, twice)]
        return _Read(
            changes,
            figures,
            reader.percentiles(*period.before, "greeting"),
            reader.broken,
            set(reader.manifest.spells) | set(changes),
            [Notice(*each) for each in reader.notices()],
            period.days(),
            said(reader.ahead(period.begin, period.end), disagreements(flips)),
        )

    first = min(period.begin - FAR, period.before[0])
    read = ask(places.folders, places.store, places.rules, (first, until), question)
    counted = hours(wish.hours, period) if wish.hours else [(period.begin, period.end)]
    # What has not been yet is neither covered nor not.
    counted = [(begin, min(end, now)) for begin, end in counted if begin < now]
    monitors = [
        each
        for each in chosen(places.all(read.recorded), wish.monitors)
        if each.enabled or each.id in read.figures
    ]
    defined = {each.id for each in places.monitors}
    subjects = [_subject(each, each.id in defined, read, wish, counted, sources, until) for each in monitors]
    # A monitor that is gone is there as long as the period has tests of it.
    subjects = [each for each in subjects if each.defined or each.figures]
    subjects.sort(key=_worst_first)
    return Report(
        wish=wish,
        made=now,
        subjects=tuple(_with_curves(subjects, places, wish, now) if wish.curves else subjects),
        broken=_broken(read.broken, period),
        notes=(*_notes(wish, sources, subjects), *read.clocks),
    )


def _subject(
    monitor: Monitor, defined: bool, read: _Read, wish: Wish, counted: Spans, sources: Sources, until: int
) -> Subject:
    period = wish.period
    changes = read.changes.get(monitor.id, [])
    days = read.days
    timeline = build(changes, monitor.rules, monitor.test_duration, until)
    planned, unplanned = spans_for(wish.spans, monitor.name, monitor.id)
    spent = divide(
        timeline.segments, counted, planned=planned, unplanned=unplanned, exclude=wish.exclude_planned
    )
    return Subject(
        monitor=monitor,
        defined=defined,
        shares=spent.shares(),
        days=tuple(zip((day for day, _ in days), spent.by([window for _, window in days]), strict=True)),
        outages=tuple(outages(timeline, spent, monitor, sources.repairs, read.notices)),
        causes=_causes(timeline, spent, period),
        figures=read.figures.get(monitor.id),
        before=read.before.get(monitor.id),
        target=wish.target,
        spent=spent,
    )


def _causes(timeline: Timeline, spent: Spent, period: Period) -> tuple[tuple[str, int], ...]:
    planned = Ruler(spent.planned)
    found = Counter(
        test.detail.cause or ("the test could not be run" if test.state == 3 else "no cause recorded")
        for run in timeline.runs
        for test in run.tests
        if period.begin <= test.moment < period.end and not planned.within(test.moment, test.moment + 1)
    )
    return tuple(sorted(found.items(), key=lambda each: (-each[1], each[0])))


def _worst_first(subject: Subject) -> tuple[bool, Fraction, int, str]:
    availability = subject.shares.availability
    return (availability is None, availability or Fraction(1), -subject.shares.down, subject.monitor.name)


def _with_curves(subjects: Sequence[Subject], places: Places, wish: Wish, now: int) -> list[Subject]:
    """The worst ones with their response times."""
    period = wish.period
    shown = [each.monitor.id for each in subjects[:MOST_PLOTS]]
    curves = ask(
        places.folders,
        places.store,
        places.rules,
        (period.begin, min(period.end, now)),
        lambda reader: reader.curve(period.begin, period.end, POINTS, shown),
    )
    return [replace(each, curve=curves.get(each.monitor.id, [])) for each in subjects]


def _broken(broken: Mapping[str, int], period: Period) -> int:
    """Unreadable lines of the period's hours; of open hours, only where the period is not over."""
    return sum(
        count
        for hour, count in broken.items()
        if hour == "open" or (ends(hour) * 1000 > period.begin and ends(hour) * 1000 - 3_600_000 < period.end)
    )


def _notes(wish: Wish, sources: Sources, subjects: Sequence[Subject]) -> tuple[str, ...]:
    notes = []
    if wish.hours:
        notes.append(f"Only {wish.hours} counts.")
    if not wish.exclude_planned:
        notes.append("Planned downtime counts as what the tests said.")
    for each in wish.spans:
        what = "planned downtime" if each.planned else "no downtime"
        begin, end = each.begin, each.end
        if begin < wish.period.end and end > wish.period.begin:
            times = " to ".join(f"{at(moment, wish.period.zone):%Y-%m-%d %H:%M}" for moment in (begin, end))
            reason = f": {each.reason}" if each.reason else ""
            notes.append(f"{times} counts as {what} for {', '.join(each.monitors)}{reason}.")
    if sources.repairs_unknown:
        notes.append(f"Repairs are not known: {sources.repairs_unknown}.")
    several = [each.monitor.name for each in subjects if each.figures and each.figures.recorders > 1]
    if several:
        notes.append(
            f"Tested by more than one host, the newest result counts: {', '.join(several[:10])}"
            + (f" and {len(several) - 10} more." if len(several) > 10 else ".")
        )
    gone = [each.monitor.id for each in subjects if not each.defined]
    if gone:
        notes.append(
            f"In no definition, judged by the default rules: {', '.join(gone[:10])}"
            + (f" and {len(gone) - 10} more." if len(gone) > 10 else ".")
        )
    return tuple(notes)
