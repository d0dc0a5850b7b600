"""Reads the history: entries for a list, one with all its steps, and what is old enough to go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from recovery.history import pauses
from recovery.history.database import refuse_broken, told, transaction
from recovery.history.recoveries import History

_TEXTS = ("asked_by", "action", "machine", "address", "credential", "subject", "state", "reason")
_RESULTS = ("summary", "proof", "verify")


@dataclass(frozen=True)
class Entry:
    """One recovery. Times are seconds since the epoch, or None."""

    number: int
    asked: float
    started: float | None
    ended: float | None
    texts: dict[str, str]
    event: dict[str, Any] | None
    facts_before: dict[str, Any]
    facts_after: dict[str, Any]
    steps: tuple[tuple[float, str, str], ...] = ()
    """Seconds since the start, name, text."""

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.started is None or self.ended is None else self.ended - self.started

    def as_dict(self) -> dict[str, Any]:
        """Everything, for ``--json``."""
        steps = [{"at": at, "name": name, "text": text} for at, name, text in self.steps]
        return {
            "id": self.number,
            "asked": self.asked,
            "started": self.started,
            "ended": self.ended,
            "seconds": self.seconds,
            **self.texts,
            "event": self.event,
            "facts_before": self.facts_before,
            "facts_after": self.facts_after,
            "steps": steps,
        }


def entries(
    history: History,
    *,
    machine: str | None = None,
    action: str | None = None,
    since: float | None = None,
    limit: int | None = None,
) -> list[Entry]:
    """The entries without their steps, the oldest first.

    Args:
        machine: only those of the machine with this name or address.
        action: only those of this action.
        since: only those asked for from this moment on, in seconds since the epoch.
        limit: only the last so many.
    """
    wanted: list[tuple[str, tuple[object, ...]]] = []
    wanted += [("(machine = ? OR address = ?)", (machine, machine))] if machine else []
    wanted += [("action = ?", (action,))] if action else []
    wanted += [("asked >= ?", (since,))] if since is not None else []
    where = "WHERE " + " AND ".join(text for text, _ in wanted) if wanted else ""
    values = tuple(value for _, some in wanted for value in some)
    with told(history.path):
        rows = history.database.execute(
            f"SELECT * FROM recoveries {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - our own words
            # SQLite: a negative LIMIT is none.
            (*values, -1 if limit is None else limit),
        ).fetchall()
    with told(history.path):
        return [_entry(row, ()) for row in reversed(rows)]


def entry(history: History, number: int) -> Entry | None:
    """One entry with its steps, or None."""
    with told(history.path):
        row = history.database.execute("SELECT * FROM recoveries WHERE id = ?", (number,)).fetchone()
        steps = history.database.execute(
            # By rowid: two steps may bear the same time, and the order of writing is what happened.
            "SELECT at, name, text FROM steps WHERE recovery = ? ORDER BY rowid",
            (number,),
        ).fetchall()
    with told(history.path):
        return None if row is None else _entry(row, tuple(tuple(step) for step in steps))


def entry_before(history: History, number: int) -> Entry | None:
    """The one with its steps that came before, of the same action on the same machine; or None."""
    with told(history.path):
        row = history.database.execute(
            "SELECT max(before.id) FROM recoveries AS before JOIN recoveries AS mine USING (action, machine) "
            "WHERE before.id < mine.id AND mine.id = ?",
            (number,),
        ).fetchone()
    return None if row[0] is None else entry(history, row[0])


def under_way(history: History) -> list[Entry]:
    """What is being done at this moment, the oldest first."""
    with told(history.path):
        rows = history.database.execute(
            "SELECT * FROM recoveries WHERE state IN ('running', 'detached') ORDER BY id"
        ).fetchall()
    with told(history.path):
        return [_entry(row, ()) for row in rows]


def machines(history: History) -> Iterator[tuple[str, str]]:
    """Name and address of every machine that something was begun on."""
    with told(history.path):
        rows = history.database.execute(
            "SELECT DISTINCT machine, address FROM recoveries WHERE started IS NOT NULL ORDER BY machine"
        ).fetchall()
    yield from ((row["machine"], row["address"]) for row in rows)


def prune(history: History, before: float) -> int:
    """Remove what was asked for before that time and has ended; return how many that were."""
    with transaction(history.database, history.path):
        removed = history.database.execute(
            "DELETE FROM recoveries WHERE asked < ? AND state NOT IN ('running', 'detached')", (before,)
        )
        pauses.prune(history.database, before)
    return removed.rowcount


def give_room_back(history: History) -> None:
    """Make the file as small as what it holds: SQLite keeps the room of what was removed for itself.

    Raises:
        RecoveryError: others are at work on it, or the disk has no room for a copy. Nothing is lost.
    """
    with told(history.path):
        # It may number the steps anew, in the order that they have (sqlite.org/lang_vacuum.html).
        history.database.execute("VACUUM")
        # The new file lies in the log until it is copied back.
        history.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _entry(row: Any, steps: tuple[tuple[float, str, str], ...]) -> Entry:
    refuse_broken(row)
    return Entry(
        row["id"],
        row["asked"],
        row["started"],
        row["ended"],
        {name: row[name] for name in (*_TEXTS, *_RESULTS)},
        json.loads(row["event"]) if row["event"] else None,
        json.loads(row["facts_before"]),
        json.loads(row["facts_after"]),
        steps,
    )
