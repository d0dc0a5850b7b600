"""Hosts whose clocks disagree: what their tests, and the files that they came in, tell of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from operator import itemgetter
from typing import NamedTuple

from imap4.monitor.reports.counting.numbers import spelled
from imap4.text import clean

_WINDOW = 6 * 3_600_000
"""Milliseconds by which clocks may differ for two hosts' views of one outage to be taken for the same."""

_LEAST = 4
"""Changes that two hosts must have seen both, before anything is said: two outages' beginnings and ends."""


class Flip(NamedTuple):
    """A test of one host that said otherwise than its test before: what it saw happened between the two."""

    id: str
    recorder: str
    passed: bool
    after: int
    """The test before it, in milliseconds since the epoch."""
    moment: int


class Apart(NamedTuple):
    """Two hosts that saw the same things at different times."""

    early: str
    late: str
    by: int
    """Milliseconds, about."""
    seen: int
    """How many changes of state say so."""


def disagreements(flips: Iterable[Flip]) -> list[Apart]:
    """Every two hosts whose clocks cannot both be right, for what they saw of the same monitors.

    A change that two hosts saw happened after the one's test before it and before the other's test that saw
    it, and the other way round: each change leaves a range of what the clocks may differ by. Where no
    difference of most ranges' is zero, they differ. A flapping server's changes match no two times alike.
    """
    seen: dict[str, dict[tuple[str, bool], list[Flip]]] = defaultdict(lambda: defaultdict(list))
    for each in flips:
        seen[each.recorder][each.id, each.passed].append(each)
    found = []
    for one, other in combinations(sorted(seen), 2):
        ranges = [
            _range(flip, min(candidates, key=lambda each, at=flip.moment: abs(each.moment - at)))  # type: ignore[misc]
            for key, mine in seen[one].items()
            if (candidates := seen[other].get(key))
            for flip in mine
        ]
        apart = _apart([each for each in ranges if each is not None])
        if apart is not None:
            by, count = apart
            early, late = (one, other) if by > 0 else (other, one)
            found.append(Apart(early, late, abs(by), count))
    return found


def _range(mine: Flip, other: Flip) -> tuple[int, int] | None:
    """What the other's clock may be ahead of mine by, if both saw the same."""
    if abs(other.moment - mine.moment) > _WINDOW:
        return None
    return other.after - mine.moment, other.moment - mine.after


def _apart(ranges: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The middle of what most ranges have in common, if that is not zero, and how many they are."""
    edges = sorted([(low, 1) for low, _ in ranges] + [(high, -1) for _, high in ranges], key=itemgetter(0, 1))
    best, depth, common = 0, 0, (0, 0)
    for number, (at, step) in enumerate(edges):
        depth += step
        if depth > best:
            best, common = depth, (at, edges[number + 1][0])
    if best < _LEAST or best < 0.8 * len(ranges) or common[0] <= 0 <= common[1]:
        return None
    return (common[0] + common[1]) // 2, best


def said(ahead: Mapping[str, int], apart: Sequence[Apart] = ()) -> list[str]:
    """The same for a person, a sentence each."""
    found = [
        f"The clock of {clean(name)} is ahead by {spelled(by)} or more: tests of it came before the times "
        "that they give. They count at those times, and not before."
        for name, by in sorted(ahead.items())
    ]
    found += [
        f"{clean(each.late)} saw the same as {clean(each.early)}, {each.seen} times, about"
        f" {spelled(each.by)} later: one of the two clocks is wrong."
        " Each test counts at the time that its own host gave it."
        for each in apart
    ]
    return found
