"""What was done where, when, by whom and with which result; the limits' figures; one lock a machine.

A recovery holds its machine's lock (flock) for as long as its row says ``running``. The kernel gives
the lock back when the process ends, so a row that is ``running`` while its lock is free was interrupted:
killed, or by a power cut. Looking at the limits and reserving a place among them is one transaction.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recovery.decision.event import Event
from recovery.decision.policy import Act, Decision, Facts
from recovery.files import as_owner, make_folder
from recovery.history import pauses
from recovery.history.database import connect, refuse_broken, told, transaction
from recovery.history.machine_lock import MachineLock, take
from recovery.model import Outcome, Step

HAND_OVER = 30.0
"""Seconds in which a detached process must take over what was handed to it."""
# As long as another process may hold a lock only to see whether its owner is alive.
_GLANCE = 0.5
# No limit looks back further, so that a long history costs a decision nothing.
_AHEAD = 2.0
"""Seconds that a time may be ahead of ours: clocks are set in small steps all the time."""
_LIMITS_LOOK_BACK = 366 * 86400.0


@dataclass(frozen=True)
class Asked:
    """What was asked for, and by whom."""

    action: str
    machine: str
    credential: str
    subject: str
    asked_by: str
    event: Event | None = None
    address: str = ""


@dataclass(frozen=True)
class Interrupted:
    """A recovery that was found without its process."""

    number: int
    text: str


class History:
    """The history in one folder."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = folder / "history.db"
        self._locks = folder / "locks"
        self._clock = clock
        self.ahead = 0
        """How many recoveries the last :meth:`reserve` found in the future, and set back to that moment."""
        self.database = connect(folder)
        make_folder(self._locks)

    def lock(self, machine: str, wait: float = _GLANCE) -> MachineLock | None:
        """Take the lock of the machine at an address (or, without one, of that name); None if it is held."""
        return take(self._locks, machine, wait)

    def find_interrupted(self) -> list[Interrupted]:
        """Mark what was interrupted, and return what was found this time. Nothing alive is touched."""
        with told(self.path):
            rows = self.database.execute(
                "SELECT * FROM recoveries WHERE state IN ('running', 'detached')"
            ).fetchall()
        found = []
        for row in rows:
            # Between two processes nobody holds the lock, and nothing is wrong.
            if row["state"] == "detached" and self._clock() - row["handed"] < HAND_OVER:
                continue
            lock = self.lock(_lock_name(row), wait=0.0)
            if lock is None:
                continue
            try:
                found += self._mark_interrupted("id = ?", row["id"])
            finally:
                lock.release()
        return found

    def reserve(
        self, asked: Asked, locked: bool, decide: Callable[[Facts, float], Decision]
    ) -> tuple[int, Decision]:
        """Ask ``decide`` with what is known of the machine, and write its answer down, as one transaction.

        Args:
            locked: whether the caller holds the machine's lock.
            decide: gets the facts and the time; the policy.

        Returns:
            the row's number and the decision. The row is ``running`` where that is to act.
        """
        name = asked.address or asked.machine
        with transaction(self.database, self.path):
            now = self._clock()
            self.ahead = self._set_back(now)
            if locked:
                # Whoever ran here is gone: its lock is ours.
                self._interrupt("state = 'running' AND coalesce(nullif(address, ''), machine) = ?", name)
            decision = decide(self._facts(asked, locked, now), now)
            if isinstance(decision, Act):
                return self._insert(asked, "running", decision.reason, started=now), decision
            return self._insert(asked, "skipped", decision.reason, ended=now), decision

    def _set_back(self, now: float) -> int:
        """Let no time in the history be later than ``now``; returns how many recoveries were.

        This host's clock had run ahead when they were written. They count from now on, for as long as their
        limits say, and not until a year that may never come.
        """
        changed = self.database.execute(
            "UPDATE recoveries SET asked = min(asked, :now), started = min(started, :now), "
            "handed = min(handed, :now), ended = min(ended, :now) "
            "WHERE max(asked, coalesce(started, 0), coalesce(handed, 0), coalesce(ended, 0)) > :late",
            {"now": now, "late": now + _AHEAD},
        )
        return changed.rowcount

    def paused(self, asked: Asked) -> str:
        """Which pause keeps it from being done now, in words; empty where none does."""
        at = pauses.clock(self._clock())
        with told(self.path):
            found = pauses.in_force(self.database, at)
        for pause in found:
            monitor = "" if asked.event is None else asked.event.service
            if pause.scope.covers(asked.action, asked.machine, asked.address, monitor):
                until = clock_text(at.now + pause.left(at))
                return f"paused until {until} by {pause.by} ({pause.why})"
        return ""

    def look(self, asked: Asked, locked: bool, *, beside: int = 0) -> tuple[Facts, float]:
        """What :meth:`reserve` would hand to the policy now; writes nothing.

        Args:
            beside: the number of a recovery that is left out.
        """
        with told(self.path):
            now = self._clock()
            return self._facts(asked, locked, now, beside), now

    def note(self, asked: Asked, state: str, reason: str) -> int:
        """Write down what ended before anything was begun: ``skipped`` or ``failed``."""
        with transaction(self.database, self.path):
            return self._insert(asked, state, reason, ended=self._clock(), summary=reason)

    def step(self, number: int, step: Step) -> None:
        """Write a step down as it happens."""
        with told(self.path):
            self.database.execute(
                "INSERT INTO steps (recovery, at, name, text) VALUES (?, ?, ?, ?)",
                (number, step.at, step.name, _storable(step.text)),
            )

    def finish(self, number: int, outcome: Outcome) -> None:
        """Write down how it ended."""
        self._close(
            number,
            outcome.verdict.value,
            summary=outcome.summary,
            proof=outcome.proof,
            verify=outcome.verify,
            facts_before=_json(outcome.facts_before),
            facts_after=_json(outcome.facts_after),
        )
        if not outcome.acted:
            self._uncount(number)

    def fail(self, number: int, text: str, state: str = "failed", *, acted: bool = True) -> None:
        """Write down that it ended by an error (``failed``) or a signal (``interrupted``).

        Args:
            acted: whether anything may have been done; limits and cooldown count nothing else.
        """
        self._close(number, state, summary=text)
        if not acted:
            self._uncount(number)

    def _uncount(self, number: int) -> None:
        with told(self.path):
            self.database.execute("UPDATE recoveries SET started = NULL WHERE id = ?", (number,))

    def hand_over(self, number: int) -> None:
        """Say that a detached process will take it over within :data:`HAND_OVER` seconds."""
        with told(self.path):
            self.database.execute(
                "UPDATE recoveries SET state = 'detached', handed = ? WHERE id = ? AND state = 'running'",
                (self._clock(), number),
            )

    def take_over(self, number: int) -> bool:
        """Take over what was handed over; False where it was given up meanwhile. The lock must be held."""
        with told(self.path):
            changed = self.database.execute(
                "UPDATE recoveries SET state = 'running' WHERE id = ? AND state = 'detached'", (number,)
            )
            return changed.rowcount == 1

    def close(self) -> None:
        """Close the file. SQLite removes its log by name then."""
        with as_owner(self.path.parent):
            self.database.close()

    def _facts(self, asked: Asked, locked: bool, now: float, beside: int = 0) -> Facts:
        # By name or by address: a machine that is called by two names has one limit.
        where = "started > ? AND action = ? AND (machine = ? OR (address != '' AND address = ?)) AND id != ?"
        same = (now - _LIMITS_LOOK_BACK, asked.action, asked.machine, asked.address, beside)
        mine = self.database.execute(f"SELECT started FROM recoveries WHERE {where}", same)  # noqa: S608
        last = self.database.execute(f"SELECT max(ended) FROM recoveries WHERE {where}", same)  # noqa: S608
        fleet = self.database.execute("SELECT started FROM recoveries WHERE started > ?", same[:1])
        return Facts(
            paused=self.paused(asked),
            running=self._running(asked, locked, now),
            starts=[min(now, row["started"]) for row in mine],
            last_end=None if (ended := last.fetchone()[0]) is None else min(now, ended),
            fleet_starts=[min(now, row["started"]) for row in fleet],
        )

    def _running(self, asked: Asked, locked: bool, now: float) -> str:
        """What keeps the machine busy, in words; empty where nothing does."""
        row = self.database.execute(
            "SELECT * FROM recoveries WHERE coalesce(nullif(address, ''), machine) = ? AND "
            "(state = 'running' OR (state = 'detached' AND handed > ?)) ORDER BY id DESC",
            (asked.address or asked.machine, now - HAND_OVER),
        ).fetchone()
        if row is not None:
            return f"recovery {row['id']} ({row['action']}) since {clock_text(row['started'])}"
        return "" if locked else "another process holds its lock"

    def _insert(self, asked: Asked, state: str, reason: str, **times: float | str) -> int:
        event = None if asked.event is None else _json(asked.event.as_dict())
        columns = {
            "asked": self._clock(),
            "asked_by": asked.asked_by,
            "action": asked.action,
            "machine": asked.machine,
            "address": asked.address,
            "credential": asked.credential,
            "subject": asked.subject,
            "event": event,
            "state": state,
            "reason": reason,
            **times,
        }
        marks = ", ".join("?" * len(columns))
        row = self.database.execute(
            f"INSERT INTO recoveries ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608 - our own names
            tuple(map(_storable, columns.values())),
        )
        return int(row.lastrowid or 0)

    def _close(self, number: int, state: str, **columns: str) -> None:
        names = "".join(f", {name} = ?" for name in columns)
        with told(self.path):
            self.database.execute(
                f"UPDATE recoveries SET state = ?, ended = ?{names} WHERE id = ?",  # noqa: S608 - our own names
                (state, self._clock(), *map(_storable, columns.values()), number),
            )

    def _mark_interrupted(self, where: str, value: object) -> list[Interrupted]:
        with transaction(self.database, self.path):
            return self._interrupt(f"state IN ('running', 'detached') AND {where}", value)

    def _interrupt(self, where: str, value: object) -> list[Interrupted]:
        rows = self.database.execute(f"SELECT * FROM recoveries WHERE {where}", (value,)).fetchall()  # noqa: S608
        found = []
        for row in rows:
            refuse_broken(row)
            last = self.database.execute(
                "SELECT name, at FROM steps WHERE recovery = ? ORDER BY rowid DESC", (row["id"],)
            ).fetchone()
            after = f"after step {last['name']}" if last else "before its first step"
            text = f"interrupted {after}: its process was killed, this host went down, or its disk was full"
            # Its last sign of life: nobody saw its end.
            ended = row["started"] + (last["at"] if last else 0.0)
            self.database.execute(
                "UPDATE recoveries SET state = 'interrupted', summary = ?, ended = ? WHERE id = ?",
                (text, ended, row["id"]),
            )
            what = f"recovery {row['id']} ({row['action']} on {row['machine']}, {clock_text(row['started'])})"
            found.append(Interrupted(row["id"], f"{what} was {text}"))
        return found


@contextmanager
def opened(folder: Path) -> Iterator[History]:
    """The history in ``folder``, closed at the end."""
    history = History(folder)
    try:
        yield history
    finally:
        history.close()


def clock_text(seconds: float | None) -> str:
    """A time as people here read it: ``2026-01-31 03:00:00``."""
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _lock_name(row: sqlite3.Row) -> str:
    return str(row["address"] or row["machine"])


def _storable(value: object) -> object:
    """``value``, with ``?`` for what came from bytes that are no UTF-8: SQLite takes none of it."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
