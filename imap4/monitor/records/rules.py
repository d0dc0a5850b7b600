"""The monitors' rules as a table, and how long a result counts by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from imap4.monitor.model import Monitor
from imap4.monitor.records.lines import RULES
from imap4.monitor.states import Rules

if TYPE_CHECKING:
    import duckdb

RowRules = Mapping[str, tuple[Rules, int]]
"""For each id, its rules and its maximum test duration in seconds."""

UNKNOWN = (Rules(), 10)
"""What is taken for a monitor that no definition has, or had when its tests were collected."""

SLACK = 5
"""Seconds, at least, that a test may be late; or a tenth of the delay where that is more."""


def rules_of(monitors: Iterable[Monitor]) -> RowRules:
    """The rules of monitors, by id."""
    return {monitor.id: (monitor.rules, monitor.test_duration) for monitor in monitors}


def values(rules: Rules, duration: int) -> tuple[int, ...]:
    """The numbers behind the names in ``lines.RULES``."""
    delays = rules.delays
    return (
        *(delays.up, delays.warn, delays.down, delays.lost),
        *(rules.failures_per_alert, rules.maximum_alerts, duration),
    )


def add_rules(database: duckdb.DuckDBPyConnection, rules: RowRules) -> None:
    """Make the table ``rules``; ``id`` is its key."""
    # One list a column: 10,000 monitors take 20 ms so, and 100 as one JSON text.
    rows = [(each, *values(*rule)) for each, rule in rules.items()]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in ("id", *RULES)]
    wanted = ", ".join(f"unnest(?::INTEGER[]) as {name}" for name in RULES)
    database.execute(f"create temp table rules as select unnest(?::VARCHAR[]) as id, {wanted}", columns)


def hold(rules: Rules, duration: int, failures: int) -> float:
    """Seconds for which a result counts, if no test follows.

    The delay, the longest that the next test may take, and some slack: a tenth of the delay, at least 5 s.
    """
    delay = rules.delay_after(failures)
    return delay + duration + max(SLACK, delay / 10)
