"""Spans of time as sorted lists that do not overlap: ``[(begin, end), ...]``, ends exclusive. Pure.

Whole milliseconds since the epoch: what is added up here adds up exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

Spans = list[tuple[int, int]]


def union(spans: Iterable[tuple[int, int]]) -> Spans:
    """Any spans, made into a sorted list without overlaps and without empty ones."""
    found: Spans = []
    for begin, end in sorted(spans):
        if end <= begin:
            continue
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def intersect(one: Spans, other: Spans) -> Spans:
    """What is in both."""
    found: Spans = []
    first = second = 0
    while first < len(one) and second < len(other):
        begin = max(one[first][0], other[second][0])
        end = min(one[first][1], other[second][1])
        if begin < end:
            found.append((begin, end))
        if one[first][1] < other[second][1]:
            first += 1
        else:
            second += 1
    return found


def subtract(one: Spans, other: Spans) -> Spans:
    """What is in the first and not in the second."""
    found: Spans = []
    second = 0
    for begin, end in one:
        while second < len(other) and other[second][1] <= begin:
            second += 1
        at, place = begin, second
        while place < len(other) and other[place][0] < end:
            if other[place][0] > at:
                found.append((at, other[place][0]))
            at = max(at, other[place][1])
            place += 1
        if at < end:
            found.append((at, end))
    return found


def measure(spans: Spans) -> int:
    """How long they are together."""
    return sum(end - begin for begin, end in spans)


class Ruler:
    """Measures spans within any window, fast."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._begins = [begin for begin, _ in spans]
        self._sums = [0, *accumulate(end - begin for begin, end in spans)]

    def within(self, begin: int, end: int) -> int:
        """How long they are between two moments."""
        if begin >= end or not self._spans:
            return 0
        return self._until(end) - self._until(begin)

    def _until(self, moment: int) -> int:
        place = bisect_right(self._begins, moment)
        if not place:
            return 0
        begin, end = self._spans[place - 1]
        return self._sums[place - 1] + min(moment, end) - begin
