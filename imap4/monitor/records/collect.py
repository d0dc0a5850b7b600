"""Closed hours of lines become columnar files, closed days one file each; old days go.

Killed at any moment, it loses nothing and counts nothing twice: a file of lines is set apart by a rename,
its rows are written to a new file, the manifest names both in one step, and only then is the first removed.
"""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imap4.folders import as_owner
from imap4.monitor.records import changes, lines, spells
from imap4.monitor.records.engine import connect, failure
from imap4.monitor.records.errors import RecordsError, one_line
from imap4.monitor.records.manifest import Part, damaged, load, locked, save, sync, to_disk
from imap4.monitor.records.rules import RowRules, add_rules
from imap4.monitor.records.summary import Keeper

DAY = 86400

DAY_CLOSED = 7200
"""Seconds after its end when a day becomes one file; what comes later is added to it."""

_WRITE = "(format parquet, compression zstd, parquet_version v2, row_group_size 122880)"


@dataclass
class Outcome:
    """What a collector did, for its last line."""

    files: int = 0
    rows: int = 0
    broken: int = 0
    again: int = 0
    """Files whose contents had been collected before."""
    removed: int = 0
    """Columnar files that were older than what is kept."""
    troubles: list[str] = field(default_factory=list)
    ahead: dict[str, int] = field(default_factory=dict)
    """Hosts whose clocks are ahead, by at least so many milliseconds."""


def collect(
    folders: Sequence[Path], store: Path, rules: RowRules, *, keep: float, now: float, wait: bool = True
) -> Outcome | None:
    """Bring a store up to date.

    Args:
        folders: where checks record.
        rules: of the monitors as they are now; they are kept with the rows.
        keep: seconds for which tests are kept.
        now: seconds since the epoch.
        wait: for another collector to end.

    Returns:
        None where another collector is at work and ``wait`` is not set.

    Raises:
        RecordsError: the store cannot be written, or DuckDB is not there.
    """
    # Root collects as the user whose checks record: what it made otherwise would be in that user's way.
    with as_owner(folders[0] if folders else store), locked(store, wait) as ours:
        if not ours:
            return None
        try:
            with tempfile.TemporaryDirectory(prefix="scratch-", dir=store) as scratch:
                return _Collector(store, rules, Path(scratch), now).run(folders, keep)
        except OSError as error:
            name = error.filename or store
            raise RecordsError(f"{name}: {error.strerror}; nothing is lost: collect again") from None
        except failure() as error:
            raise RecordsError(f"{store}: {one_line(error)}; nothing is lost") from None


class _Collector:
    """One run, with the lock held."""

    def __init__(self, store: Path, rules: RowRules, scratch: Path, now: float) -> None:
        self.store = store
        self.scratch = scratch
        self.now = now
        self.manifest = load(store)
        self.outcome = Outcome()
        self.fresh: set[str] = set()
        self.came: dict[str, float] = {}
        self.database = connect(str(scratch))
        add_rules(self.database, rules)
        self.summary = Keeper(self.database, store, self.manifest, round(now * 1000))

    def run(self, folders: Sequence[Path], keep: float) -> Outcome:
        self._tidy()
        self._put_damaged_aside()
        for folder in folders:
            try:
                for path in self._set_apart(folder):
                    self._take(folder, path)
            except FileNotFoundError:
                self.outcome.troubles.append(f"{folder}: is not there")
            except PermissionError as error:
                self.outcome.troubles.append(f"{error.filename or folder}: {error.strerror}")
        self.summary.add([part for part in self.manifest.parts if part.name in self.fresh])
        self._join_days()
        self._forget(keep)
        self.summary.save(self.manifest)
        self.database.close()
        return self.outcome

    def _tidy(self) -> None:
        """Remove what a collector that was killed has left behind."""
        named = {part.name for part in self.manifest.parts}
        for path in self.store.glob("*.parquet*"):
            if path.name not in named:
                path.unlink()
        for path in self.store.glob("scratch-*"):
            if path != self.scratch:
                shutil.rmtree(path, ignore_errors=True)

    def _put_damaged_aside(self) -> None:
        """A columnar file that is not whole, by a failing disk, would be in the way of every question."""
        for part in damaged(self.store, self.manifest):
            aside = self.store / "broken"
            aside.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                (self.store / part.name).rename(aside / part.name)
            self.manifest.parts = [each for each in self.manifest.parts if each is not part]
            self.manifest.aside.append(str(aside / part.name))
            save(self.store, self.manifest)
            self.outcome.troubles.append(f"{aside / part.name}: {part.rows:,} tests are lost: it is damaged")

    def _set_apart(self, folder: Path) -> list[Path]:
        """Every closed file of lines, under a name that no check writes to."""
        ready = folder / "collecting"
        for path in sorted(folder.iterdir()):
            ours = lines.NAME.fullmatch(path.name) and path.is_file() and not path.is_symlink()
            if ours and lines.ends(path.name) + lines.LATE <= self.now:
                ready.mkdir(exist_ok=True)
                name = f"{path.name}.{secrets.token_hex(8)}"
                self.came[name] = path.stat().st_ctime
                path.rename(ready / name)
        return sorted(ready.iterdir()) if ready.is_dir() else []

    def _take(self, folder: Path, path: Path) -> None:
        """Collect one file of lines."""
        if not lines.NAME.fullmatch(path.name) or path.is_symlink() or not path.is_file():
            self.outcome.troubles.append(f"{path}: is not a file of records; it stays where it is")
            return
        if path.name not in self.manifest.sources:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest in self.manifest.seen:
                self.outcome.again += 1
                self.manifest.sources[path.name] = 0
            else:
                self._write_hour(path)
                self.manifest.seen[digest] = int(self.now)
            save(self.store, self.manifest)
        self._done_with(folder, path)

    def _write_hour(self, path: Path) -> None:
        # When it came here, by our clock; what was written to it later than that was not.
        came = self.came.get(path.name, path.stat().st_ctime)
        source = lines.mended(path, self.scratch)
        self.database.execute(f"create or replace temp table fields as from {lines.split_lines([source])}")
        good, broken = self._one(f"select count(*) filter (where {lines.GOOD}), count(*) from fields")
        broken -= good
        if good:
            day = path.name[:8]
            source_rows = f"({lines.rows('fields')}) t left join rules using (id)"
            part = self.write(source_rows, f"{day}-{path.name[9:11]}", day)
            self.manifest.parts.append(part)
            self.fresh.add(part.name)
            self._look_at_clocks(path.name[:11], round(came * 1000))
        if broken:
            hour = path.name[:11]
            self.manifest.broken[hour] = self.manifest.broken.get(hour, 0) + broken
        self.manifest.sources[path.name] = broken
        self.outcome.files += 1
        self.outcome.rows += good
        self.outcome.broken += broken

    def _look_at_clocks(self, hour: str, came: int) -> None:
        """Note which hosts gave times that were not yet when their tests came."""
        for recorder, last in self.database.execute(lines.newest("fields")).fetchall():
            if last > came + lines.AHEAD:
                noted = self.manifest.ahead.setdefault(hour, {})
                noted[recorder or "?"] = max(last - came, noted.get(recorder or "?", 0))
                self.outcome.ahead[recorder or "?"] = noted[recorder or "?"]

    def write(self, source: str, name: str, day: str, whole: bool = False) -> Part:
        """Write a columnar file that the manifest does not name yet."""
        final = f"{name}-{secrets.token_hex(4)}.parquet"
        new = self.store / (final + ".new")
        target = lines.literal(str(new))
        self.database.execute(f"copy ({changes.with_edges(source)}) to {target} {_WRITE}")
        count, first, last = self._one(
            f"select count(*), min(epoch_ms(moment)), max(epoch_ms(moment)) from read_parquet({target})"
        )
        spells.note(self.database, str(new), self.manifest.spells)
        to_disk(new)
        new.rename(self.store / final)
        sync(self.store)
        return Part(final, day, count, first, last, whole)

    def _one(self, query: str) -> tuple[int, ...]:
        found = self.database.execute(query).fetchone()
        assert found is not None
        return tuple(int(each or 0) for each in found)

    def _done_with(self, folder: Path, path: Path) -> None:
        """Its rows are in the store: remove it, or put it aside where lines of it were broken."""
        if self.manifest.sources[path.name]:
            aside = folder / "broken"
            aside.mkdir(exist_ok=True)
            path.rename(aside / path.name)
            self.manifest.aside.append(str(aside / path.name))
            count = self.manifest.sources[path.name]
            self.outcome.troubles.append(f"{aside / path.name}: {count} lines cannot be read; put aside")
        else:
            path.unlink()
        sync(path.parent)
        del self.manifest.sources[path.name]
        save(self.store, self.manifest)

    def _join_days(self) -> None:
        """Make one file of each closed day's."""
        days: dict[str, list[Part]] = {}
        for part in self.manifest.parts:
            if part.kind == "tests":
                days.setdefault(part.day, []).append(part)
        for day, parts in days.items():
            if all(part.whole for part in parts) or _day_ends(day) + DAY_CLOSED > self.now:
                continue
            names = [str(self.store / part.name) for part in parts]
            written = self.write(f"read_parquet({lines.literal(names)})", day, day, whole=True)
            self.manifest.parts = [*(part for part in self.manifest.parts if part not in parts), written]
            save(self.store, self.manifest)
            self._remove(parts)

    def _forget(self, keep: float) -> None:
        """Remove what is older than wanted."""
        limit = (self.now - keep) * 1000
        old = [part for part in self.manifest.parts if part.last < limit]
        self.manifest.parts = [part for part in self.manifest.parts if part not in old]
        self.manifest.seen = {
            digest: at for digest, at in self.manifest.seen.items() if at > self.now - max(keep, 40 * DAY)
        }
        self.manifest.ahead = {
            hour: each for hour, each in self.manifest.ahead.items() if lines.ends(hour) * 1000 > limit
        }
        self.outcome.removed = len(old)
        save(self.store, self.manifest)
        self._remove(old)

    def _remove(self, parts: Sequence[Part]) -> None:
        for part in parts:
            with contextlib.suppress(FileNotFoundError):
                (self.store / part.name).unlink()


def _day_ends(day: str) -> int:
    return calendar.timegm(time.strptime(day, "%Y%m%d")) + DAY
