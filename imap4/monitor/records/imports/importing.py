"""``imap4-monitor records import``: what engines logged, into the store."""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imap4.folders import as_owner
from imap4.monitor.model import Monitor
from imap4.monitor.records import lines
from imap4.monitor.records.changes import with_edges
from imap4.monitor.records.engine import connect
from imap4.monitor.records.errors import RecordsError
from imap4.monitor.records.imports.engine_logs import Logged, read, values_of
from imap4.monitor.records.manifest import Manifest, Part, load, locked, save, to_disk
from imap4.monitor.records.rules import add_rules, rules_of
from imap4.monitor.records.summary import Keeper

if TYPE_CHECKING:
    import duckdb

IMPORTED = "imported"
"""The recorder of imported tests."""

_WRITE = "(format parquet, compression zstd, parquet_version v2)"


@dataclass
class Imported:
    """What came of it."""

    tests: int
    notices: int
    known: int
    """Tests that were not taken: there are records of that time, or they were imported before."""
    logged: Logged


def bring(paths: Sequence[Path], store: Path, monitors: Sequence[Monitor], now: float) -> Imported:
    """Import files. Where a monitor has records of its own, nothing is imported from the first of them on.

    Raises:
        RecordsError: a file cannot be read, or the store cannot be written.
    """
    names = {(monitor.host, monitor.service): monitor.id for monitor in monitors}
    if not names:
        raise RecordsError("no monitor: give the definition with -f FILE, to know which services are meant")
    logged = read(paths, names)
    with as_owner(store), locked(store), tempfile.TemporaryDirectory(prefix="scratch-", dir=store) as scratch:
        manifest = load(store)
        database = connect(scratch)
        add_rules(database, rules_of(monitors))
        try:
            return _Import(store, manifest, database, Path(scratch), now).run(logged)
        except OSError as error:
            raise RecordsError(f"{error.filename or store}: {error.strerror}; nothing was imported") from None
        finally:
            database.close()


class _Import:
    """One import, with the lock held."""

    def __init__(
        self, store: Path, manifest: Manifest, database: duckdb.DuckDBPyConnection, scratch: Path, now: float
    ) -> None:
        self.store = store
        self.manifest = manifest
        self.database = database
        self.scratch = scratch
        self.now = now

    def run(self, logged: Logged) -> Imported:
        self._load([values_of(test) for test in logged.tests])
        whole = self._count("fresh")
        tests = [str(self.store / part.name) for part in self.manifest.parts if part.kind == "tests"]
        if tests:
            there = f"read_parquet({lines.literal(tests)})"
            own = f"select id, min(moment) as begins from {there} where recorder <> '{IMPORTED}' group by id"
            self.database.execute(
                f"delete from fresh using ({own}) own where fresh.id = own.id and fresh.moment >= own.begins"
            )
            self.database.execute(
                f"delete from fresh using (select id, moment from {there} where recorder = '{IMPORTED}') old"
                " where fresh.id = old.id and fresh.moment = old.moment"
            )
            # An entry of a log says how it was until the next one; a record of our own knows better.
            self.database.execute(
                "update fresh set holds = least(holds, epoch(own.begins - fresh.moment)::INTEGER)"
                f" from ({own}) own where fresh.id = own.id and fresh.holds is not null"
            )
        taken = self._count("fresh")
        new = []
        for (day,) in self.database.execute(
            "select distinct strftime(moment, '%Y%m%d') from fresh"
        ).fetchall():
            rows = "(select * from fresh left join rules using (id)"
            rows += f" where strftime(moment, '%Y%m%d') = '{day}')"
            new.append(self._write(with_edges(rows), day, "tests"))
        notices = self._notices(logged)
        self.manifest.parts += new
        spans = "select id, min(epoch_ms(moment)), max(epoch_ms(moment)) from fresh group by id"
        for identity, first, last in self.database.execute(spans).fetchall():
            self.manifest.spells.setdefault(identity, {"good": 1, "since": first, "last": last})
        save(self.store, self.manifest)
        Keeper(self.database, self.store, self.manifest, round(self.now * 1000)).save(self.manifest)
        return Imported(taken, notices, whole - taken, logged)

    def _load(self, rows: list[dict[str, object]]) -> None:
        """Make the table ``fresh``, each test once."""
        names = [name for name in lines.COLUMNS if name not in (*lines.RULES, "edge")]
        kinds = {**lines.COLUMNS, "moment": "BIGINT"}
        shape = ", ".join(f"{name}: '{kinds[name]}'" for name in names)
        path = self.scratch / "fresh.json"
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
        others = ", ".join(name for name in names if name not in ("moment", "recorder"))
        self.database.execute(
            f"create temp table fresh as select make_timestamp_ms(moment * 1000) as moment,"
            f" '{IMPORTED}' as recorder, {others} from read_json({lines.literal(str(path))},"
            f" format = 'newline_delimited', columns = {{{shape}}})"
            " qualify row_number() over (partition by id, moment order by holds desc nulls last) = 1"
        )

    def _count(self, table: str) -> int:
        found = self.database.execute(f"select count(*) from {table}").fetchone()
        return int(found[0]) if found else 0

    def _notices(self, logged: Logged) -> int:
        """Keep notifications that are not there yet."""
        digest = hashlib.sha256(repr(sorted(logged.notices)).encode()).hexdigest()
        if not logged.notices or digest in self.manifest.seen:
            return 0
        path = self.scratch / "notices.json"
        path.write_text(
            "\n".join(json.dumps(each._asdict()) for each in logged.notices) + "\n", encoding="utf-8"
        )
        source = (
            "select make_timestamp_ms(moment * 1000) as moment, id, contact, state from"
            f" read_json({lines.literal(str(path))}, format = 'newline_delimited',"
            " columns = {moment: 'BIGINT', id: 'VARCHAR', contact: 'VARCHAR', state: 'VARCHAR'})"
            " order by id, moment"
        )
        day = time.strftime("%Y%m%d", time.gmtime(logged.notices[0].moment))
        self.manifest.parts.append(self._write(source, day, "notices"))
        self.manifest.seen[digest] = int(self.now)
        return len(logged.notices)

    def _write(self, query: str, day: str, kind: str) -> Part:
        name = f"{day}-{kind}-{secrets.token_hex(4)}.parquet"
        new = self.store / (name + ".new")
        self.database.execute(f"copy ({query}) to {lines.literal(str(new))} {_WRITE}")
        found = self.database.execute(
            "select count(*), min(epoch_ms(moment)), max(epoch_ms(moment)) from"
            f" read_parquet({lines.literal(str(new))})"
        ).fetchone()
        assert found is not None
        rows, first, last = found
        to_disk(new)
        new.rename(self.store / name)
        return Part(name, day, rows, first, last, kind=kind)
