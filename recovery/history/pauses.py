"""Pauses: kept beside the history, because what decides on a repair reads both in one transaction."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recovery.decision.pauses import Clock, Pause, Scope
from recovery.history.database import told, transaction

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def clock(now: float | None = None) -> Clock:
    """This host's time; ``now`` in the place of its clock, for tests."""
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        boot = ""
    uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Clock(time.time() if now is None else now, boot, uptime)


def all_pauses(database: sqlite3.Connection) -> list[Pause]:
    """Every pause that there ever was, the oldest first."""
    return [_pause(row) for row in database.execute("SELECT * FROM pauses ORDER BY id")]


def in_force(database: sqlite3.Connection, at: Clock) -> list[Pause]:
    """Those that are not over, the one that lasts longest first."""
    open_ones = database.execute("SELECT * FROM pauses WHERE ended IS NULL ORDER BY id")
    found = [pause for pause in map(_pause, open_ones) if pause.left(at)]
    return sorted(found, key=lambda pause: -pause.left(at))


def add(database: sqlite3.Connection, path: Path, scope: Scope, seconds: float, by: str, why: str) -> Pause:
    """Begin a pause of so many seconds."""
    at = clock()
    with transaction(database, path):
        row = database.execute(
            "INSERT INTO pauses (begun, boot, uptime, seconds, machines, monitors, actions, asked_by, why)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (at.now, at.boot, at.uptime, seconds, *map(json.dumps, _parts(scope)), by, why),
        )
    return Pause(int(row.lastrowid or 0), scope, at, seconds, by, why)


def end(database: sqlite3.Connection, path: Path, pauses: Sequence[Pause], by: str) -> None:
    """End pauses before their time."""
    with transaction(database, path):
        database.executemany(
            "UPDATE pauses SET ended = ?, ended_by = ? WHERE id = ? AND ended IS NULL",
            [(time.time(), by, pause.number) for pause in pauses],
        )


def prune(database: sqlite3.Connection, before: float) -> None:
    """Remove what was over at that time, in seconds since the epoch; within the caller's transaction."""
    database.execute("DELETE FROM pauses WHERE coalesce(ended, begun + seconds) < ?", (before,))


def read(database: sqlite3.Connection, path: Path) -> list[Pause]:
    """Those in force now, the oldest first."""
    with told(path):
        return sorted(in_force(database, clock()), key=lambda pause: pause.number)


def _parts(scope: Scope) -> tuple[tuple[str, ...], ...]:
    return scope.machines, scope.monitors, scope.actions


def _pause(row: Any) -> Pause:
    parts = (tuple(json.loads(row[name])) for name in ("machines", "monitors", "actions"))
    begun = Clock(row["begun"], row["boot"], row["uptime"])
    return Pause(
        row["id"],
        Scope(*parts),
        begun,
        row["seconds"],
        row["asked_by"],
        row["why"],
        row["ended"],
        row["ended_by"],
    )
