"""Questions to the records: those that were collected, and those of the hours that are not closed yet.

Times are whole milliseconds since the epoch, ends are exclusive.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from imap4.monitor.records import lines
from imap4.monitor.records.collect import LATE, ends
from imap4.monitor.records.engine import connect, failure
from imap4.monitor.records.errors import RecordsError, one_line
from imap4.monitor.records.manifest import Manifest, damaged, load
from imap4.monitor.records.rules import RowRules, add_rules

_T = TypeVar("_T")

FAR = 40 * 86400 * 1000
"""How far a question looks back for the beginning of an outage."""

_TRIES = 5

_PORTION = 25_000_000
"""Tests that are looked at together."""


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
    final: bool
    until: int
    """Until when it counts at most, if it passed."""
    before: int | None
    """The test before it, which need not be a Change."""
    before_until: int | None
    """Until when that one counts at most, if it passed."""
    detail: Detail | None
    """Of a failed test."""


@dataclass(frozen=True)
class Figures:
    """What the tests of a period were like, all in all."""

    tests: int
    times: Mapping[str, tuple[float, float, float]]
    """For ``connect``, ``tls`` and ``greeting``: median, 95th and 99th percentile, in seconds."""
    days_left: float | None
    """Of the certificate, at the last test that saw one."""
    recorders: int
    """How many hosts have tested."""
    target: str


class Reader:
    """One look at the records of a span of time. Made by ``ask``."""

    def __init__(
        self,
        manifest: Manifest,
        raw: Sequence[Path],
        store: Path,
        rules: RowRules,
        first: int,
        last: int,
        scratch: Path,
    ) -> None:
        self.manifest = manifest
        self.first, self.last = first, last
        self._store = store
        self.broken: dict[str, int] = dict(self.manifest.broken)
        self.raw = raw
        self.database = connect(str(scratch))
        add_rules(self.database, rules)
        self._view(store, scratch)

    def _view(self, store: Path, scratch: Path) -> None:
        columns = ", ".join(lines.COLUMNS)
        parts = [
            str(store / part.name)
            for part in self.manifest.parts
            if part.kind == "tests" and part.last >= self.first and part.first < self.last
        ]
        sources = [f"select {columns} from read_parquet({lines.literal(parts)})"] if parts else []
        mended = []
        for path in self.raw:
            try:
                mended.append(lines.mended(path, scratch))
            except OSError:
                self.broken[path.name[:11]] = self.broken.get(path.name[:11], 0) + 1
        self.database.execute(
            f"create temp table fields as from {lines.split_lines(mended)}"
            if mended
            else "create temp table fields (f VARCHAR[])"
        )
        bad = self.database.execute(f"select count(*) from fields where not coalesce({lines.GOOD}, false)")
        row = bad.fetchone()
        if row and row[0]:
            self.broken["open"] = int(row[0])
        sources.append(f"select {columns} from ({lines.rows('fields')}) t left join rules using (id)")
        self.database.execute(
            "create temp view tests as select *, epoch_ms(moment) as ms, state <= 1 as good from ("
            + " union all ".join(sources)
            + f") where moment >= make_timestamp_ms({self.first}) and moment < make_timestamp_ms({self.last})"
        )

    def changes(self, start: int, end: int, ids: Sequence[str] | None = None) -> dict[str, list[Change]]:
        """The tests of each monitor that changed anything, from before ``start`` to ``end``; and its last."""
        found: dict[str, list[Change]] = {}
        for chosen in self._portions(ids):
            self._changes(found, start, end, chosen)
        return found

    def _portions(self, ids: Sequence[str] | None) -> Iterator[str]:
        """Conditions that take the monitors in portions: each of a size that is put in order in memory."""
        chosen = "" if ids is None else f" and id in {_listed(ids)}"
        rows = sum(
            part.rows
            for part in self.manifest.parts
            if part.kind == "tests" and part.last >= self.first and part.first < self.last
        )
        count = -(-rows // _PORTION) or 1
        for number in range(count):
            yield chosen + (f" and hash(id) % {count} = {number}" if count > 1 else "")

    def _changes(self, found: dict[str, list[Change]], start: int, end: int, chosen: str) -> None:
        run = self.database.execute
        # Numbers instead of names, and only what is ordered: a third of the time.
        run(
            "create or replace temp table names as select id, row_number() over ()::INTEGER as n"
            f" from (select distinct id from tests where ms < {end}{chosen})"
        )
        run(f"create or replace temp table passed as {_PASSED.format(start=start)}")
        run(f"create or replace temp table narrow as {_NARROW.format(start=start, end=end)}")
        details = {
            (number, moment): Detail(*values)
            for number, moment, *values in run(
                _DETAILS.format(end=end, rules=", ".join(lines.RULES))
            ).fetchall()
        }
        for identity, number, moment, *values in run(_CHANGES).fetchall():
            values.append(details.get((number, moment)))
            found.setdefault(identity, []).append(Change(moment, *values))

    def ids(self) -> set[str]:
        """Every monitor that was tested."""
        return {row[0] for row in self.database.execute("select distinct id from tests").fetchall()}

    def notices(self) -> list[tuple[str, int, str, str]]:
        """Notifications that engines' logs told of: id, moment, contact and state."""
        parts = [
            str(self._store / part.name)
            for part in self.manifest.parts
            if part.kind == "notices" and part.last >= self.first and part.first < self.last
        ]
        if not parts:
            return []
        source = f"read_parquet({lines.literal(parts)})"
        query = f"select id, epoch_ms(moment), contact, state from {source} order by 2"
        return [(row[0], row[1], row[2], row[3]) for row in self.database.execute(query).fetchall()]

    def figures(self, start: int, end: int, ids: Sequence[str] | None = None) -> dict[str, Figures]:
        """Figures for each monitor that was tested."""
        found: dict[str, Figures] = {}
        for chosen in self._portions(ids):
            found |= self._figures(start, end, chosen)
        return found

    def _figures(self, start: int, end: int, chosen: str) -> dict[str, Figures]:
        times = ("connect", "tls", "greeting")
        wanted = ", ".join(
            f"quantile_cont({each}::DOUBLE, [0.5, 0.95, 0.99]) filter (where good)" for each in times
        )
        found = {}
        for identity, tests, days, recorders, target, *quantiles in self.database.execute(
            "select id, count(*) filter (where holds is null), arg_max(days_left, ms),"
            f" count(distinct recorder), arg_max(target, ms), {wanted}"
            f" from tests where ms >= {start} and ms < {end}{chosen} group by id"
        ).fetchall():
            known = {name: tuple(values) for name, values in zip(times, quantiles, strict=True) if values}
            found[identity] = Figures(tests, known, days, recorders, target)
        return found

    def curve(
        self, start: int, end: int, points: int, ids: Sequence[str]
    ) -> dict[str, list[tuple[int, float, float, float]]]:
        """Response times: of each piece of the time the 5th, 50th and 95th percentile, in seconds."""
        width = max(1, (end - start) // points)
        found: dict[str, list[tuple[int, float, float, float]]] = {}
        if not ids:
            return found
        for identity, piece, values in self.database.execute(
            f"select id, (ms - {start}) // {width} as piece,"
            " quantile_cont(seconds::DOUBLE, [0.05, 0.5, 0.95])"
            f" from tests where good and seconds is not null and ms >= {start} and ms < {end}"
            f" and id in {_listed(ids)} group by all order by all"
        ).fetchall():
            found.setdefault(identity, []).append((start + piece * width + width // 2, *values))
        return found


_PASSED = """
select n, max(ms) as at from tests join names using (id) where good and ms <= {start} group by n
"""

_NARROW = """
select n, ms, state, coalesce(downtime, false) as planned,
       (1000 * coalesce(holds, coalesce(up, 300) + coalesce(duration, 10)
               + greatest(5, coalesce(up, 300) / 10)))::BIGINT as held
from tests join names using (id) left join passed using (n)
where ms < {end} and (ms >= {start} or ms >= coalesce(passed.at, 0))
"""

_DETAILS = """
select n, ms, seconds::DOUBLE, coalesce(cause, ''), coalesce(message, ''), coalesce(address, ''), holds,
       {rules}
from tests join names using (id) where not good and ms < {end}
"""

_CHANGES = """
with a as (select *, lag(ms) over w as before, lag(ms + held) over w as held_before,
                  lag(state) over w as state_before, lag(planned) over w as planned_before,
                  lead(ms) over w is null as final
           from narrow window w as (partition by n order by ms))
select id, n, ms, state, planned, final, ms + held, before, held_before
from a join names using (n)
where state > 1 or final or before is null or state_before > 1 or planned <> planned_before
      or held_before < ms
order by id, ms
"""


def ask(
    folders: Sequence[Path],
    store: Path,
    rules: RowRules,
    span: tuple[int, int],
    question: Callable[[Reader], _T],
) -> _T:
    """Ask about the tests of a span of time, while others record and collect.

    Raises:
        RecordsError: nothing can be read.
    """
    for _ in range(_TRIES):
        with tempfile.TemporaryDirectory(prefix="imap4-monitor-") as scratch:
            before = load(store)
            raw = _raw(folders, before, span[0])
            try:
                reader = Reader(before, raw, store, rules, *span, Path(scratch))
                answer = question(reader)
                reader.database.close()
            except failure() as error:
                manifest = load(store)
                if manifest.parts != before.parts:
                    continue  # a collector has replaced a file between our look at the manifest and at it
                raise _explained(error, store, manifest) from None
            manifest = load(store)
            if (manifest.parts, _raw(folders, manifest, span[0])) == (before.parts, raw):
                return answer
    raise RecordsError(f"{store}: is being changed all the time; try again")


def _explained(error: Exception, store: Path, manifest: Manifest) -> RecordsError:
    for part in damaged(store, manifest):
        path = store / part.name
        return RecordsError(f"{path}: is damaged; 'imap4-monitor records collect' puts it aside")
    return RecordsError(f"{store}: {one_line(error)}")


def _raw(folders: Sequence[Path], manifest: Manifest, first: int) -> list[Path]:
    """The files of lines that are not collected yet and may have tests from ``first`` on."""
    found = []
    for folder in folders:
        for place in (folder, folder / "collecting"):
            try:
                paths = sorted(place.iterdir())
            except FileNotFoundError:
                continue
            except OSError as error:
                raise RecordsError(f"{place}: cannot be read: {error.strerror}") from None
            for path in paths:
                wanted = lines.NAME.fullmatch(path.name) and path.name not in manifest.sources
                if wanted and (ends(path.name) + LATE) * 1000 >= first and path.is_file():
                    found.append(path)
    return found


def _listed(ids: Sequence[str]) -> str:
    return "(" + (", ".join(map(lines.literal, ids)) or "''") + ")"
