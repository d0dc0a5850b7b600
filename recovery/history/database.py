"""The history's SQLite file: how it is opened, and its tables.

Write-ahead log with ``synchronous=FULL``: what was committed is there after kill -9 and after a power cut.
The folder must be on a local disk; SQLite's write-ahead log does not work over NFS.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recovery.errors import RecoveryError, UsageError
from recovery.files import as_owner, locked, make_folder, open_plain

_WAIT = 10.0
_FIRST = """
CREATE TABLE recoveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    asked REAL NOT NULL,       -- seconds since the epoch, as are started, handed and ended
    asked_by TEXT NOT NULL,
    action TEXT NOT NULL,
    machine TEXT NOT NULL,
    address TEXT NOT NULL,     -- empty where it was never looked up
    credential TEXT NOT NULL,
    subject TEXT NOT NULL,     -- the services or the command, in words
    event TEXT,                -- JSON; NULL where a person asked
    state TEXT NOT NULL,       -- running, detached, or how it ended
    reason TEXT NOT NULL,      -- why it was done or skipped
    started REAL,              -- NULL where nothing was begun: limits count the others
    handed REAL,               -- when it was handed to a detached process
    ended REAL,
    summary TEXT NOT NULL DEFAULT '',
    proof TEXT NOT NULL DEFAULT '',
    verify TEXT NOT NULL DEFAULT '',
    facts_before TEXT NOT NULL DEFAULT '{}',
    facts_after TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX recoveries_started ON recoveries (started) WHERE started IS NOT NULL;
CREATE INDEX recoveries_open ON recoveries (state) WHERE state IN ('running', 'detached');
CREATE TABLE steps (
    recovery INTEGER NOT NULL REFERENCES recoveries (id) ON DELETE CASCADE,
    at REAL NOT NULL,          -- seconds since the recovery was started
    name TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX steps_recovery ON steps (recovery);
"""
_PAUSES = """
CREATE TABLE pauses (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    begun REAL NOT NULL,       -- seconds since the epoch
    boot TEXT NOT NULL,        -- which run of this host that was, and for how many seconds it had run
    uptime REAL NOT NULL,
    seconds REAL NOT NULL,     -- how long it lasts
    machines TEXT NOT NULL,    -- JSON lists; an empty one is no restriction
    monitors TEXT NOT NULL,
    actions TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    why TEXT NOT NULL,
    ended REAL,                -- when it was ended before its time
    ended_by TEXT NOT NULL DEFAULT ''
);
"""
_UPGRADES = (_FIRST, _PAUSES)
"""Each brings a file from the version that is its place here to the next one; a new file has version 0."""
VERSION = len(_UPGRADES)


def connect(folder: Path) -> sqlite3.Connection:
    """The open history in ``folder``; both are made where they are not there yet.

    Raises:
        UsageError: the file cannot be opened, is damaged, or a newer version wrote it. It is left as it is.
    """
    make_folder(folder)
    path = folder / "history.db"
    try:
        # Two processes that make the file at once would trip over each other's first transaction.
        with locked(path), told(path), as_owner(folder):
            # SQLite would follow a link. It opens its log here too, by the first query.
            os.close(open_plain(path))
            database = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
            database.row_factory = sqlite3.Row
            _prepare(database, path)
    except OSError as error:
        raise UsageError(f"cannot open the history {path}: {error.strerror}") from None
    return database


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("PRAGMA foreign_keys=ON")
    found = database.execute("PRAGMA user_version").fetchone()[0]
    if found > VERSION:
        raise UsageError(f"the history {path} was written by a newer version; it is left as it is")
    for version, upgrade in enumerate(_UPGRADES[found:], found + 1):
        # One transaction each: executescript commits what stands before, not what it runs.
        database.executescript(f"BEGIN IMMEDIATE;{upgrade}PRAGMA user_version={version};COMMIT;")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ones for a person."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RecoveryError(f"cannot use the history {path}: {error}; nothing was lost") from None
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"the history {path} is damaged ({error}); it is left as it is: restore it from a backup, "
            "or move it away to begin a new one"
        ) from None


def refuse_broken(row: sqlite3.Row) -> None:
    """Pass where a row of ``recoveries`` has what each has; in a damaged file, columns may come back empty.

    Raises:
        sqlite3.DatabaseError: it has not; :func:`told` makes it one for a person.
    """
    if any(row[name] is None for name in ("id", "asked", "action", "machine", "state")):
        raise sqlite3.DatabaseError("an entry without action or machine")


@contextmanager
def transaction(database: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All or nothing, and nobody else writes meanwhile."""
    with told(path):
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")
