"""The tests after which something was otherwise: what is left of a quiet month is a handful of rows.

Each columnar file marks its own edges (``edge``): the tests that differ from their neighbours in it, those
that failed, the last before and the first after a gap, and each monitor's first and last. Whatever lies
between two edges said the same as both, without a gap. So a question reads edges alone, but for monitors
whose tests in one file lie between those in another: two hosts tested them, or lines came late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from imap4.monitor.records import lines

if TYPE_CHECKING:
    import duckdb


class Detail(NamedTuple):
    """What is known of a failed test."""

    seconds: float | None
    cause: str
    message: str
    address: str
    holds: int | None
    """Seconds for which it counts, where that is not up to the rules."""
    up: int | None
    warn: int | None
    down: int | None
    lost: int | None
    failures: int | None
    alerts: int | None
    duration: int | None


class Change(NamedTuple):
    """A test after which something was otherwise than before it, or that failed; or a monitor's last one."""

    moment: int
    """When its verdict was known."""
    state: int
    """The exit code."""
    planned: bool
    """Whether it fell into a downtime."""
    until: int
    """Until when it counts at most, if it passed."""
    held: int | None
    """Until when the test before it counts at most, if that one passed; it need not be a Change."""
    detail: Detail | None
    """Of a failed test."""


# How long a result that passed may count, in milliseconds: ``rules.hold`` in SQL. What columnar files call an
# edge hangs on it: who changes it gives that column a new name, so that older files are read in full.
_HELD = (
    "(1000 * coalesce(holds, coalesce(up, 300) + coalesce(duration, 10)"
    " + greatest(5, coalesce(up, 300) / 10)))::BIGINT"
)

# Two hosts may have tested in the same millisecond: the order is the same one in every question.
_ORDER = "ms, state, planned, held"

QUIET, JOINED, TOLD = 0, 1, 2
"""What ``edge`` says of a test: it is none; it is one, and the result before it held until it; it is one, and
when the test before it was tells whether that still held: it is the first in its file, or there is a gap."""

_WITH_EDGES = """
with s as (select *, epoch_ms(moment) as ms, coalesce(downtime, false) as planned, {held} as held
           from {source})
select {columns}, case
       when coalesce(lag(ms + held) over w < ms, true) then {TOLD}
       when state > 1 or coalesce(
         lag(state) over w > 1 or lead(state) over w > 1
         or lag(planned) over w <> planned or lead(planned) over w <> planned
         or ms + held < lead(ms) over w, true) then {JOINED}
       else {QUIET} end as edge
from s window w as (partition by id order by {order}) order by id, moment
"""


def with_edges(source: str) -> str:
    """A query: the rows of ``source`` as they stand in a columnar file."""
    columns = ", ".join(name for name in lines.COLUMNS if name != "edge")
    kinds = {"QUIET": QUIET, "JOINED": JOINED, "TOLD": TOLD}
    return _WITH_EDGES.format(held=_HELD, source=source, columns=columns, order=_ORDER, **kinds)


_CHANGES = """
with a as (select *, case when edge = {JOINED} then ms else lag(ms + held) over w end as held_before,
                  lag(state) over w as state_before, lag(planned) over w as planned_before,
                  lead(ms) over w is null as final
           from narrow window w as (partition by n order by {order}))
select id, ms, state, planned, ms + held, held_before, state > 1,
       seconds, cause, message, address, holds, {rules}
from a join names using (n)
where state > 1 or final or state_before is null or state_before > 1 or planned <> planned_before
      or held_before < ms
order by n, {order}
"""

_NARROW = """
select n, ms, state, coalesce(downtime, false) as planned, {held} as held, edge,
       case when state > 1 then seconds::DOUBLE end as seconds,
       case when state > 1 then coalesce(cause, '') end as cause,
       case when state > 1 then coalesce(message, '') end as message,
       case when state > 1 then coalesce(address, '') end as address,
       case when state > 1 then holds end as holds, {rules}
from {source} join names using (id) left join passed using (n)
where ms >= {start} or ms >= coalesce(passed.at, 0)
"""


_PORTION = 25_000_000
"""Tests that are looked at together."""


def portions(rows: int) -> Iterator[str]:
    """Conditions that take the monitors of so many tests in portions, each small enough for the memory."""
    count = -(-rows // _PORTION) or 1
    for number in range(count):
        yield f" and hash(id) % {count} = {number}" if count > 1 else ""


def read(
    database: duckdb.DuckDBPyConnection, start: int, chosen: str = "", tests: str = "tests"
) -> dict[str, list[Change]]:
    """The changes of each monitor from before ``start`` on, in their order.

    Args:
        start: a run of failed tests that began earlier is there as a whole.
        chosen: more conditions on ``id``, each beginning with ``and``.
        tests: a view that has lines.COLUMNS, ``ms``, ``good``, and ``part``, which is the same for the rows
            of one file whose edges may be relied on, and NULL for others.
    """
    run = database.execute
    rules = ", ".join(lines.RULES)
    needed = _NEEDED.format(edge="case when part is not null then edge end")
    run(f"create or replace temp table edges as select {needed} from {tests} where {_EDGE}{chosen}")
    _add_overlapping(database, chosen, tests)
    # Numbers instead of names, and only what is ordered: a third of the time.
    run(
        "create or replace temp table names as select id, row_number() over ()::INTEGER as n"
        " from (select distinct id from edges)"
    )
    run(
        "create or replace temp table passed as select n, max(ms) as at"
        f" from edges join names using (id) where good and ms <= {start} group by n"
    )
    run(
        "create or replace temp table narrow as "
        + _NARROW.format(held=_HELD, source="edges", start=start, rules=rules)
    )
    found: dict[str, list[Change]] = {}
    for row in run(_CHANGES.format(order=_ORDER, rules=rules, JOINED=JOINED)).fetchall():
        identity, moment, state, planned, until, held, failed, *details = row
        detail = Detail(*details) if failed else None
        found.setdefault(identity, []).append(Change(moment, state, planned, until, held, detail))
    return found


_EDGE = f"(part is null or edge is null or edge <> {QUIET})"
_NEEDED = (
    "id, ms, good, state, downtime, part, seconds, cause, message, address, holds, "
    + ", ".join(lines.RULES)
    + ", {edge} as edge"
)


def _add_overlapping(database: duckdb.DuckDBPyConnection, chosen: str, tests: str) -> None:
    """Have every test, not edges alone, of the monitors whose tests in one file lie among those in another.

    A file has each monitor's first and last test as edges, so edges tell from when to when it has tests.
    """
    overlapping = [
        row[0]
        for row in database.execute(
            "with s as (select id, part, min(ms) as first, max(ms) as last from edges group by id, part),"
            " o as (select id, first <= max(last) over (partition by id order by first, last, part nulls last"
            "       rows between unbounded preceding and 1 preceding) as among from s)"
            " select distinct id from o where among"
        ).fetchall()
    ]
    if overlapping:
        among = f"id in {listed(overlapping)}"
        database.execute(f"delete from edges where {among}")
        every = _NEEDED.format(edge="null")
        database.execute(f"insert into edges select {every} from {tests} where {among}{chosen}")


def listed(ids: Sequence[str]) -> str:
    """Strings as SQL has them after ``in``."""
    return "(" + (", ".join(map(lines.literal, ids)) or "''") + ")"
