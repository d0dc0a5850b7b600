"""``imap4-monitor activity``: what happened to one monitor, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from operator import itemgetter

from imap4.monitor.model import Monitor
from imap4.monitor.records.reading import Reader, ask
from imap4.monitor.records.summary import FAR
from imap4.monitor.reports.asking import Places
from imap4.monitor.reports.counting.numbers import Shares, divide, percent, spelled
from imap4.monitor.reports.counting.outages import Repair
from imap4.monitor.reports.counting.periods import at
from imap4.monitor.reports.counting.timeline import Run, Timeline, build
from imap4.monitor.reports.screen import clock, plain, sparkline
from imap4.monitor.states import Position, State

Event = tuple[int, str]


def show(
    monitor: Monitor,
    places: Places,
    repairs: Sequence[Repair],
    span: tuple[int, int],
    zone: tzinfo,
    width: int,
) -> str:
    """The page, as text.

    Raises:
        RecordsError: nothing can be read.
    """
    begin, end = span
    columns = max(20, min(width, 120) - 2)

    def question(reader: Reader) -> tuple[Timeline, list[tuple[int, float, float, float]]]:
        changes = reader.changes(begin, [monitor.id]).get(monitor.id, [])
        curve = reader.curve(begin, end, columns, [monitor.id]).get(monitor.id, [])
        return build(changes, monitor.rules, monitor.test_duration, end), curve

    look_back = begin - FAR
    timeline, curve = ask(places.folders, places.store, places.rules, (look_back, end), question)
    shares = divide(timeline.segments, [span]).shares()
    lines = [
        f"{plain(monitor.name)}: {clock(begin, zone)} to {clock(end, zone)} ({zone})",
        *_known(shares, timeline.last, zone),
        "",
    ]
    seen = any(each.end > begin for each in timeline.segments)
    if seen:
        lines += [*_chart(timeline, curve, span, columns, zone), ""]
    events = [
        each
        for each in sorted(_events(timeline, monitor, repairs), key=itemgetter(0))
        if begin <= each[0] < end
    ]
    lines += [f"{clock(moment, zone)}  {text}" for moment, text in events]
    if not events and seen:
        lines.append("no change of state")
    return "\n".join(lines).rstrip("\n")


def _known(shares: Shares, last: int | None, zone: tzinfo) -> Iterator[str]:
    """What is known of the time, in a line or two."""
    if shares.availability is not None:
        said = f"availability {percent(shares.availability)} of covered time, "
        yield said + f"coverage {percent(shares.coverage)}"
    elif shares.planned:
        yield "in planned downtime for as long as anything is known"
    elif last is None:
        yield "no record of it in this time, nor in the 40 days before"
    else:
        yield f"no record of it in this time that tells whether it was up; last test: {clock(last, zone)}"


def _chart(
    timeline: Timeline,
    curve: Sequence[tuple[int, float, float, float]],
    span: tuple[int, int],
    columns: int,
    zone: tzinfo,
) -> list[str]:
    """Response times as bars; below them what was not up."""
    begin, end = span
    width = (end - begin) / columns
    values: list[float | None] = [None] * columns
    for moment, _, median, _ in curve:
        place = min(columns - 1, int((moment - begin) / width))
        values[place] = median
    marks = [" "] * columns
    for segment in timeline.segments:
        sign = "m" if segment.planned else {"down": "X", "unknown": "?"}.get(segment.state, "")
        first, last = (int((each - begin) / width) for each in (segment.begin, segment.end - 1))
        for place in range(max(first, 0), min(last, columns - 1) + 1) if sign else ():
            marks[place] = sign
    top = max((each for each in values if each is not None), default=0.0)
    left, right = (at(each, zone).strftime("%Y-%m-%d %H:%M") for each in span)
    return [
        f"response time, median; the highest bar is {top * 1000:.1f} ms; X down, m maintenance, ? not known",
        sparkline(values),
        "".join(marks).rstrip(),
        f"{left}{right:>{columns - len(left)}}",
    ]


def _events(timeline: Timeline, monitor: Monitor, repairs: Sequence[Repair]) -> list[Event]:
    """Changes of state, alerts, recoveries and repairs."""
    found: list[Event] = []
    for run in timeline.runs:
        found += _of_run(run, monitor)
    mine = [each for each in repairs if (each.host, each.service) == (monitor.host, monitor.service)]
    for repair in mine:
        found.append((repair.asked, f"repair   {plain(repair.what)}"))
        if repair.ended is not None:
            took = spelled(repair.ended - repair.asked)
            told = f"{repair.state} after {took}: {repair.proof or repair.told}"
            found.append((repair.ended, f"repair   {plain(told)}"))
    for one, two in zip(timeline.segments, timeline.segments[1:], strict=False):
        if one.planned != two.planned:
            found.append((two.begin, "In Maintenance" if two.planned else "out of maintenance"))
        if two.begin > one.end:
            found.append((one.end, f"No Data  for {spelled(two.begin - one.end)}"))
    return found


def _of_run(run: Run, monitor: Monitor) -> list[Event]:
    found: list[Event] = []
    before = Position()
    for test in run.tests:
        state, detail = test.position.state, test.detail
        if state is not before.state:
            found.append((test.moment, f"{state.value:<8} {plain(detail.message or detail.cause)}"))
        if test.position.alert is not None:
            names = [each.name for each in monitor.contacts if test.position.alert in each.alerts]
            due = "in a downtime: none is sent" if test.planned else f"due to {', '.join(names) or 'nobody'}"
            found.append((test.moment, f"alert {test.position.alert}  {plain(due)}"))
        before = test.position
    if run.ended is not None:
        took = spelled(run.ended - run.tests[0].moment)
        tests = len(run.tests)
        found.append(
            (run.ended, f"{State.UP.value:<8} after {took}, {tests} failed test{'s' * (tests != 1)}")
        )
    return found
