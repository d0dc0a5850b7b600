"""What a worker has done: counts, and how long checks took. Plain numbers that add up over workers."""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterable
from typing import Any

# Upper ends of the bins, in seconds; a factor of the square root of 2 apart, from 0.1 ms to a minute.
BINS = [0.0001 * 2 ** (step / 2) for step in range(40)]


class Statistics:
    """Counters of one process."""

    def __init__(self) -> None:
        self.started = time.time()
        self.jobs = 0
        self.in_process = 0
        self.handled = 0
        """Event handlers and silent notifications that were done in the process."""
        self.programs = 0
        self.timed_out = 0
        self.refused = 0
        self.taken_over = 0
        self.served = 0
        """Checks of programs that have handed them over; no jobs of a core."""
        self.declined = 0
        """Those that were left to the programs."""
        self.reasons: dict[str, int] = {}
        """Why they were."""
        self.registrations = 0
        self.last_registration = 0.0
        """When it last registered, in seconds since the epoch; 0 for never."""
        self.last_job = 0.0
        """When the last job came; 0 for none yet."""
        self.longest_gap = 0.0
        """The longest time between two jobs since the last registration, in seconds."""
        self.states = [0, 0, 0, 0]
        self.causes: dict[str, int] = {}
        self.latencies = [0] * (len(BINS) + 1)

    def registered(self) -> None:
        """Count a registration."""
        self.registrations += 1
        self.last_registration = time.time()
        self.longest_gap = 0.0

    def came(self) -> None:
        """Count a job that came."""
        now = time.time()
        if self.last_job > self.last_registration:
            self.longest_gap = max(self.longest_gap, now - self.last_job)
        self.jobs += 1
        self.last_job = now

    def took(self, seconds: float) -> None:
        """Count a job by its time from arrival to answer."""
        self.latencies[bisect.bisect_left(BINS, seconds)] += 1

    def leave(self, why: str) -> None:
        """Count a check that is left to the program which has handed it over."""
        self.declined += 1
        self.reasons[why] = self.reasons.get(why, 0) + 1

    def failed(self, cause: str) -> None:
        """Count a failure of a tested server."""
        self.causes[cause] = self.causes.get(cause, 0) + 1

    def figures(self) -> dict[str, Any]:
        """All of them, for JSON."""
        return dict(vars(self))


def total(all_figures: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Add figures up."""
    summed = Statistics().figures()
    for figures in all_figures:
        for name, value in figures.items():
            if isinstance(value, list):
                summed[name] = [a + b for a, b in zip(summed[name], value, strict=True)]
            elif isinstance(value, dict):
                for key, count in value.items():
                    summed[name][key] = summed[name].get(key, 0) + count
            elif name == "started":
                summed[name] = min(summed[name], value)
            elif name in ("last_registration", "last_job", "longest_gap"):
                summed[name] = max(summed[name], value)
            else:
                summed[name] = summed.get(name, 0) + value
    return summed


def percentile(latencies: list[int], share: float) -> float | None:
    """The time that ``share`` of the jobs did not outlast, in seconds, to the next bin's end.

    Returns:
        None where there were none.
    """
    wanted = sum(latencies) * share
    seen = 0
    for end, count in zip([*BINS, float("inf")], latencies, strict=True):
        seen += count
        if count and seen >= wanted:
            return end
    return None
