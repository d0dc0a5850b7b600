"""Plots as SVG paths for the page: response times, strips and calendars of days. Pure.

Drawn by ourselves: matplotlib's SVG has its colours baked in, so that no page can follow dark mode, costs
0.5 s to import and a tenth of a second a plot, and what is needed here are four shapes and two axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from imap4.monitor.reports.counting.numbers import Shares, percent, spelled
from imap4.monitor.reports.counting.periods import Period, at, midnight
from imap4.monitor.reports.counting.spans import Spans, subtract, union
from imap4.monitor.reports.model import Curve, Subject

WIDTH, HEIGHT = 960, 200
LEFT, TOP, BOTTOM = 56, 16, 24
"""Room for the axes."""

_INNER = HEIGHT - TOP - BOTTOM

GOOD, HURT, BAD, PLANNED, DARK = "good", "hurt", "bad", "planned", "dark"
"""What a day was: all up; down for less than a hundredth of it; for more; all planned; nothing known."""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Plot:
    """Response times of one monitor, in the coordinates of the drawing."""

    band: str
    line: str
    down: tuple[tuple[float, float], ...]
    """Left edge and width."""
    planned: tuple[tuple[float, float], ...]
    dark: tuple[tuple[float, float], ...]
    times: tuple[Tick, ...]
    values: tuple[Tick, ...]
    finding: str
    """What is to be seen, in words."""


def plot(subject: Subject, period: Period, now: int) -> Plot | None:
    """The plot of a monitor; None where no test has passed."""
    curve = subject.curve
    if not curve:
        return None
    # A single slow piece must not press all others to the ground; the line is cut at the top instead.
    highs = sorted(high for _, _, _, high in curve)
    top = _round_up(highs[min(len(highs) - 1, int(len(highs) * 0.995))] * 1000)
    spent = subject.spent
    known = union([*spent.up, *spent.down, *spent.planned])
    dark = subtract([(period.begin, min(period.end, now))], known)
    pieces = _pieces(curve, union([*dark, *spent.down]), period)
    band, line = [], []
    for piece in pieces:
        points = [(_x(moment, period), *(_y(value, top) for value in values)) for moment, *values in piece]
        if len(points) == 1:
            x, low, middle, high = points[0]
            points = [(x - 0.7, low, middle, high), (x + 0.7, low, middle, high)]
        upper = [f"{x:.1f} {high:.1f}" for x, _, _, high in points]
        lower = [f"{x:.1f} {low:.1f}" for x, low, _, _ in reversed(points)]
        band.append("M" + "L".join(upper + lower) + "z")
        line.append("M" + "L".join(f"{x:.1f} {middle:.1f}" for x, _, middle, _ in points))
    return Plot(
        band="".join(band),
        line="".join(line),
        down=_bars(spent.down, period),
        planned=_bars(spent.planned, period),
        dark=_bars(dark, period),
        times=_times(period),
        values=tuple(Tick(_y(top / 1000 * part, top), f"{top * part:g}") for part in (0, 0.5, 1)),
        finding=finding(subject, period),
    )


def finding(subject: Subject, period: Period) -> str:
    """What the response times say: when they were worse than usual, or that they never were."""
    curve = subject.curve
    middles = [middle * 1000 for _, _, middle, _ in curve]
    usual = median(middles)
    said = f"Half of the tests took less than {_ms(usual)} ms"
    groups: dict[tuple[int, int], list[float]] = {}
    for moment, _, middle, _ in curve:
        clock = at(moment, period.zone)
        groups.setdefault((clock.weekday(), clock.hour), []).append(middle * 1000)
    often = {each: median(values) for each, values in groups.items() if len(values) >= 3}
    if often:
        (day, hour), worst = max(often.items(), key=lambda each: each[1])
        if worst >= 1.5 * usual:
            names = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
            said += f"; slower on {names[day]} {hour:02}:00 to {hour + 1:02}:00, with {_ms(worst)} ms"
            return f"{said}. {_outages(subject)}"
    worst, moment = max((middle * 1000, moment) for moment, _, middle, _ in curve)
    if worst >= 2 * usual:
        said += f"; the slowest time was {at(moment, period.zone):%d %b %H:%M}, with {_ms(worst)} ms"
    else:
        said += ", and no time stands out"
    return f"{said}. {_outages(subject)}"


def _outages(subject: Subject) -> str:
    count = len(subject.outages)
    if not count:
        return "No outage."
    longest = max(subject.outages, key=lambda each: each.down)
    return f"{count} outage{'s' * (count != 1)}, the longest {spelled(longest.down)}."


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _pieces(curve: Curve, breaks: Spans, period: Period) -> list[Curve]:
    """The curve, cut where it was down or where nothing is known: no line goes across a gap."""
    found: list[Curve] = []
    place = 0
    width = (period.end - period.begin) / 480
    for point in curve:
        moved = False
        while place < len(breaks) and breaks[place][1] <= point[0]:
            place += 1
            moved = True
        if not found or moved or point[0] - found[-1][-1][0] > 2.5 * width:
            found.append([])
        found[-1].append(point)
    return found


def _x(moment: float, period: Period) -> float:
    return LEFT + (WIDTH - LEFT) * (moment - period.begin) / (period.end - period.begin)


def _y(seconds: float, top: float) -> float:
    return TOP + _INNER * (1 - min(1.0, seconds * 1000 / top))


def _bars(spans: Spans, period: Period) -> tuple[tuple[float, float], ...]:
    """Spans as bars; those closer than half a pixel are one, and none is too thin to be seen."""
    found: list[list[float]] = []
    for begin, end in spans:
        left, right = _x(begin, period), _x(end, period)
        if found and left - found[-1][1] < 0.5:
            found[-1][1] = max(right, found[-1][1])
        else:
            found.append([left, right])
    return tuple((round(left, 1), round(max(1.5, right - left), 1)) for left, right in found)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 ... from ``value`` on."""
    if value <= 0:
        return 1
    power = 10 ** math.floor(math.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999))


def _times(period: Period) -> tuple[Tick, ...]:
    """Days where there are few, else weeks or months; hours where it is about a day."""
    zone = period.zone
    days = [day for day, _ in period.days()]
    if len(days) <= 2:
        step = max(1, round((period.end - period.begin) / 3_600_000 / 8))
        hours = range(period.begin, period.end, step * 3_600_000)
        return tuple(Tick(_x(each, period), f"{at(each, zone):%H:%M}") for each in hours)
    step = 1 if len(days) <= 10 else 7 if len(days) <= 100 else 0
    chosen = [day for number, day in enumerate(days) if (day.day == 1 if not step else number % step == 0)]
    ticks = [(max(midnight(day, zone), period.begin), f"{day:%-d %b}") for day in chosen]
    return tuple(
        Tick(_x(moment, period), label) for moment, label in ticks if _x(moment, period) < WIDTH - 30
    )


def kind(shares: Shares) -> str:
    """What a day was."""
    if not shares.covered:
        return PLANNED if shares.planned else DARK
    return GOOD if not shares.down else HURT if 100 * shares.down <= shares.covered else BAD


_SHAPES = {GOOD: (0, 16), HURT: (4, 12), BAD: (9, 7), PLANNED: (5, 6), DARK: (7, 2)}
"""Top and height of a day's bar: it is told by its shape too, not by its colour alone."""


def strip(days: Sequence[Shares]) -> dict[str, str]:
    """One path for each kind of day, in a drawing that is 16 high and 8 wide a day."""
    found: dict[str, list[str]] = {}
    for number, shares in enumerate(days):
        name = kind(shares)
        top, height = _SHAPES[name]
        found.setdefault(name, []).append(f"M{8 * number} {top}h7v{height}h-7z")
    return {name: "".join(parts) for name, parts in found.items()}


def strip_of(name: str) -> str:
    """The path of one day of a kind, for a legend."""
    top, height = _SHAPES[name]
    return f"M0 {top}h7v{height}h-7z"


def strip_in_words(subject: Subject) -> str:
    """What a strip shows."""
    kinds = [kind(shares) for _, shares in subject.days]
    words = {
        GOOD: "all up", HURT: "down for less than 1 %", BAD: "down for more than 1 %",
        PLANNED: "planned downtime", DARK: "not covered",
    }  # fmt: skip
    parts = [f"{kinds.count(name)} {text}" for name, text in words.items() if name in kinds]
    return f"{len(kinds)} day{'s' * (len(kinds) != 1)}: " + ", ".join(parts)


@dataclass(frozen=True)
class Cell:
    """A day in a calendar."""

    x: int
    y: int
    kind: str
    day: int
    text: str


@dataclass(frozen=True)
class Calendar:
    """The days of a period, a column a week."""

    cells: tuple[Cell, ...]
    months: tuple[Tick, ...]
    width: int


def calendar(subject: Subject) -> Calendar:
    """Days coloured by their availability."""
    first = subject.days[0][0]
    monday = first - timedelta(first.weekday())
    cells, months = [], []
    for day, shares in subject.days:
        week, weekday = divmod((day - monday).days, 7)
        text = f"{day:%a %-d %b}: {percent(shares.availability)}"
        if shares.down:
            text += f", {spelled(shares.down)} down"
        if shares.availability is None:
            text = f"{day:%a %-d %b}: " + ("planned downtime" if shares.planned else "not covered")
        cells.append(Cell(34 + 24 * week, 16 + 24 * weekday, kind(shares), day.day, text))
        if day.day == 1 or day == first:
            months.append(Tick(34 + 24 * week, f"{day:%b}"))
    return Calendar(
        tuple(cells), tuple(months), max(34 + 24 * (1 + max((c.x - 34) // 24 for c in cells)), 60)
    )
