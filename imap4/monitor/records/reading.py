"""Questions to the records: those that were collected, and those of the hours that are not closed yet.

Times are whole milliseconds since the epoch, ends are exclusive.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from imap4.monitor.records import changes, lines
from imap4.monitor.records.changes import Change, listed
from imap4.monitor.records.engine import connect, failure
from imap4.monitor.records.errors import RecordsError, one_line
from imap4.monitor.records.manifest import Manifest, damaged, load
from imap4.monitor.records.rules import RowRules, add_rules

_T = TypeVar("_T")

_TRIES = 5

_OPEN = 2 * lines.HOUR * 1000
"""Milliseconds back from now that a time may end to be told of what is not collected yet."""


Percentiles = tuple[float, float, float]
"""Median, 95th and 99th percentile of the tests that passed, in seconds."""


@dataclass(frozen=True)
class Figures:
    """What the tests of a period were like, all in all."""

    tests: int
    times: Mapping[str, Percentiles]
    """For ``connect``, ``tls`` and ``greeting``."""
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
        self._ahead: dict[str, int] = {}
        self.raw = raw
        self.database = connect(str(scratch))
        add_rules(self.database, rules)
        self.parts = [
            part
            for part in manifest.parts
            if part.kind == "tests" and part.last >= first and part.first < last
        ]
        self._read_lines(scratch)

    def _read_lines(self, scratch: Path) -> None:
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
        now = round(time.time() * 1000)
        for recorder, last in self.database.execute(lines.newest("fields")).fetchall():
            if last > now + lines.AHEAD:
                self._ahead[recorder or "?"] = last - now
        columns = ", ".join(lines.COLUMNS)
        self._open = (
            f"select {columns}, null as part from"
            f" (select *, null as edge from ({lines.rows('fields')}) t left join rules using (id))"
        )
        self._look_at("open_tests", [self._open])

    def _look_at(self, name: str, sources: Sequence[str]) -> None:
        """Make a view of tests of the time."""
        self.database.execute(
            f"create temp view {name} as select *, epoch_ms(moment) as ms, state <= 1 as good from ("
            + " union all ".join(sources)
            + f") where {_between(self.first, self.last)}"
        )

    @cached_property
    def tests(self) -> str:
        """The view of all tests of the time."""
        columns = ", ".join(lines.COLUMNS)
        whole: list[str] = []
        cut: list[str] = []
        for part in self.parts:
            inside = part.first >= self.first and part.last < self.last
            (whole if inside else cut).append(str(self._store / part.name))
        # Of a file that is cut here, the first and last tests that are left need not be edges.
        sources = [f"select {columns}, filename as part from {lines.files(whole)}"] if whole else []
        sources += [f"select {columns}, null as part from {lines.files(cut)}"] if cut else []
        self._look_at("tests", [*sources, self._open])
        return "tests"

    def changes(self, start: int, ids: Sequence[str] | None = None) -> dict[str, list[Change]]:
        """The tests of each monitor that changed anything, from before ``start`` on; and its last."""
        found: dict[str, list[Change]] = {}
        for chosen in self._portions(ids):
            found |= changes.read(self.database, start, chosen, self.tests)
        return found

    def open_changes(self, start: int) -> dict[str, list[Change]]:
        """The same of the tests that are not collected yet, as if there were no others."""
        return changes.read(self.database, start, "", "open_tests")

    def _portions(self, ids: Sequence[str] | None) -> Iterator[str]:
        """Conditions that take the monitors in portions: each of a size that is put in order in memory."""
        chosen = "" if ids is None else f" and id in {listed(ids)}"
        for portion in changes.portions(sum(part.rows for part in self.parts)):
            yield chosen + portion

    def ids(self) -> set[str]:
        """Every monitor that was tested."""
        return {row[0] for row in self.database.execute(f"select distinct id from {self.tests}").fetchall()}

    def ahead(self, start: int, end: int) -> dict[str, int]:
        """Hosts whose tests came before the times that they give, in a time; and by how many ms."""
        found = dict(self._ahead) if end > time.time() * 1000 - _OPEN else {}
        for hour, hosts in self.manifest.ahead.items():
            last = lines.ends(hour) * 1000
            for name, by in hosts.items():
                if (
                    start < last and last - lines.HOUR * 1000 - by < end
                ):  # from when they came to what they say
                    found[name] = max(by, found.get(name, 0))
        return found

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

    def figures(self, start: int, end: int) -> dict[str, Figures]:
        """Figures for each monitor that was tested."""
        found: dict[str, Figures] = {}
        for chosen in self._portions(None):
            times = self._percentiles(start, end, ("connect", "tls", "greeting"), chosen)
            for identity, *values in self.database.execute(
                "select id, count(*) filter (where holds is null), arg_max(days_left, ms),"
                " count(distinct recorder), arg_max(target, ms)"
                f" from {self.tests} where {_between(start, end)}{chosen} group by id"
            ).fetchall():
                tests, days, recorders, target = values
                found[identity] = Figures(tests, times.get(identity, {}), days, recorders, target)
        return found

    def percentiles(self, start: int, end: int, phase: str) -> dict[str, Percentiles]:
        """Median, 95th and 99th percentile of a phase, for each monitor that has some."""
        found: dict[str, Percentiles] = {}
        for chosen in self._portions(None):
            each = self._percentiles(start, end, (phase,), chosen)
            found |= {identity: times[phase] for identity, times in each.items()}
        return found

    def _percentiles(
        self, start: int, end: int, phases: Sequence[str], chosen: str
    ) -> dict[str, dict[str, Percentiles]]:
        wanted = ", ".join(f"quantile_cont({each}::DOUBLE, [0.5, 0.95, 0.99])" for each in phases)
        found = {}
        for identity, *quantiles in self.database.execute(
            f"select id, {wanted} from {self.tests} where good and {_between(start, end)}{chosen} group by id"
        ).fetchall():
            times = {name: tuple(values) for name, values in zip(phases, quantiles, strict=True) if values}
            if times:
                found[identity] = times
        return found

    def flips(self, start: int, end: int, ids: Sequence[str]) -> list[tuple[str, str, bool, int, int]]:
        """Tests that said otherwise than the same host's before: id, host, whether it passed, both times."""
        if not ids:
            return []
        return self.database.execute(
            "with s as (select id, coalesce(recorder, '?') as recorder, good, ms, lag(good) over w as was,"
            f" lag(ms) over w as earlier from {self.tests} where id in {listed(ids)}"
            f" and {_between(start, end)} window w as (partition by id, recorder order by ms))"
            " select id, recorder, good, earlier, ms from s where good <> was"
        ).fetchall()

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
            f" from {self.tests} where good and seconds is not null and {_between(start, end)}"
            f" and id in {listed(ids)} group by all order by all"
        ).fetchall():
            found.setdefault(identity, []).append((start + piece * width + width // 2, *values))
        return found


def _between(start: int, end: int) -> str:
    """A condition. On ``moment``, not on what is computed of it: so whole pieces of files are passed over."""
    return f"moment >= make_timestamp_ms({start}) and moment < make_timestamp_ms({end})"


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
                if wanted and (lines.ends(path.name) + lines.LATE) * 1000 >= first and path.is_file():
                    found.append(path)
    return found
