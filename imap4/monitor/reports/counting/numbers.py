"""Availability, coverage and the four shares, as ``docs/reports.md`` defines them. Pure, and exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from imap4.monitor.reports.counting.spans import Ruler, Spans, intersect, measure, subtract, union
from imap4.monitor.reports.counting.timeline import DOWN, UP, Segment


@dataclass(frozen=True)
class Shares:
    """The four parts of a time, in milliseconds; together they are the whole of it."""

    up: int
    down: int
    planned: int
    uncovered: int

    @property
    def whole(self) -> int:
        """All of it."""
        return self.up + self.down + self.planned + self.uncovered

    @property
    def covered(self) -> int:
        """The time in which it is known whether the monitor was available, and in which that counts."""
        return self.up + self.down

    @property
    def availability(self) -> Fraction | None:
        """The share of covered time in which it was available; None without covered time."""
        return Fraction(self.up, self.covered) if self.covered else None

    @property
    def coverage(self) -> Fraction | None:
        """The share of the whole that is covered; None where there is no whole."""
        return Fraction(self.covered, self.whole) if self.whole else None

    def __add__(self, other: Shares) -> Shares:
        return Shares(
            self.up + other.up,
            self.down + other.down,
            self.planned + other.planned,
            self.uncovered + other.uncovered,
        )


@dataclass(frozen=True)
class Spent:
    """Where a period's time has gone, as spans."""

    counted: Spans
    """What of the period counts at all, such as working hours."""
    up: Spans
    down: Spans
    planned: Spans

    def shares(self) -> Shares:
        """Of the whole period."""
        return _shares(*(measure(each) for each in (self.counted, self.up, self.down, self.planned)))

    def by(self, windows: Sequence[tuple[int, int]]) -> list[Shares]:
        """Of each window."""
        rulers = [Ruler(each) for each in (self.counted, self.up, self.down, self.planned)]
        return [_shares(*(ruler.within(*window) for ruler in rulers)) for window in windows]


def _shares(counted: int, up: int, down: int, planned: int) -> Shares:
    return Shares(up, down, planned, counted - up - down - planned)


def divide(
    segments: Sequence[Segment],
    counted: Spans,
    *,
    planned: Spans = [],  # noqa: B006 - never changed
    unplanned: Spans = [],  # noqa: B006
    exclude: bool = True,
) -> Spent:
    """Divide the time that counts.

    Args:
        counted: what of the period counts.
        planned: downtimes that the engine did not know; they are planned even where no test was.
        unplanned: spans in which a downtime that the engine knew is none.
        exclude: whether planned downtime is neither up nor down. Otherwise what the tests say counts.
    """
    known = subtract(union((each.begin, each.end) for each in segments if each.planned), unplanned)
    out = intersect(union([*known, *planned]), counted) if exclude else []
    rest = subtract(counted, out)
    up, down = (
        intersect(union((each.begin, each.end) for each in segments if each.state == state), rest)
        for state in (UP, DOWN)
    )
    return Spent(counted, up, down, out)


def percent(share: Fraction | None, digits: int = 2) -> str:
    """``99.95 %``, rounded down, so that 100 % means that nothing was missing; a dash for None."""
    if share is None:
        return "-"
    number = share.numerator * 100 * 10**digits // share.denominator
    return f"{number // 10**digits}.{number % 10**digits:0{digits}} %" if digits else f"{number} %"


def spelled(milliseconds: float) -> str:
    """``5 h 46 min``: the two largest units, rounded to the smaller of them."""
    seconds = round(milliseconds / 1000)
    if seconds < 60:
        return f"{seconds} s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
