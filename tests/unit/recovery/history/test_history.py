"""The history: limits and places reserved as one, interrupted recoveries found, kill -9 survived."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.decision.event import Event
from recovery.decision.policy import Act, Decision, Facts, Rules, Skip, decide
from recovery.decision.ranges import Rate
from recovery.errors import RecoveryError, UsageError
from recovery.history import entries as history_view
from recovery.history.recoveries import Asked, History
from recovery.model import Outcome, Step, Verdict
from tests.unit.recovery.crash import at_every_line

EVENT = Event(state="CRITICAL", state_type="HARD", output="x [connect.refused]")
ASKED = Asked("restart-service", "mail1", "mail", "dovecot", "user root", None, "192.0.2.1")
DONE = Outcome(Verdict.PROVEN, "running again", {"id": "a"}, {"id": "b"}, "changed", "IMAP4 OK")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(tmp_path: Path, clock: Clock) -> Iterator[History]:
    opened = History(tmp_path, clock)
    yield opened
    opened.close()


def act(facts: Facts, now: float) -> Decision:
    return decide(None, Rules(), facts, now)


def by(rules: Rules) -> Callable[[Facts, float], Decision]:
    return lambda facts, now: decide(EVENT, rules, facts, now)


def state(history: History, number: int) -> str:
    found = history_view.entry(history, number)
    assert found is not None
    return found.texts["state"]


def test_a_recovery_is_told_with_everything(history: History, clock: Clock) -> None:
    lock = history.lock(ASKED.address)
    assert lock is not None
    number, decision = history.reserve(replace(ASKED, event=EVENT), True, act)
    assert decision == Act("asked for by hand")
    history.step(number, Step("connect", 0.1, "as recovery"))
    history.step(number, Step("restart", 0.5, "asked"))
    clock.now += 4
    history.finish(number, DONE)
    lock.release()
    found = history_view.entry(history, number)
    assert found is not None
    assert found.as_dict() == {
        "id": 1,
        "asked": 1_000_000.0,
        "started": 1_000_000.0,
        "ended": 1_000_004.0,
        "seconds": 4.0,
        "asked_by": "user root",
        "action": "restart-service",
        "machine": "mail1",
        "address": "192.0.2.1",
        "credential": "mail",
        "subject": "dovecot",
        "state": "proven",
        "reason": "asked for by hand",
        "summary": "running again",
        "proof": "changed",
        "verify": "IMAP4 OK",
        "event": EVENT.as_dict(),
        "facts_before": {"id": "a"},
        "facts_after": {"id": "b"},
        "steps": [
            {"at": 0.1, "name": "connect", "text": "as recovery"},
            {"at": 0.5, "name": "restart", "text": "asked"},
        ],
    }


def test_limits_count_what_was_begun_and_nothing_else(history: History, clock: Clock) -> None:
    seen: list[Facts] = []

    def look(facts: Facts, now: float) -> Decision:
        seen.append(facts)
        return Skip("only looking")

    def begin(asked: Asked) -> None:
        lock = history.lock(asked.address)
        assert lock is not None
        number, _ = history.reserve(asked, True, act)
        clock.now += 10
        history.finish(number, DONE)
        lock.release()

    begin(ASKED)
    begin(replace(ASKED, machine="mail1.example.org"))  # the same address
    begin(replace(ASKED, address="2001:db8::1"))  # the same name
    begin(replace(ASKED, action="reboot-server"))
    begin(replace(ASKED, machine="mail2", address="192.0.2.2"))
    history.note(ASKED, "failed", "no such credential")
    history.reserve(ASKED, True, look)
    history.reserve(replace(ASKED, machine="mail3", address=""), True, look)
    start = 1_000_000.0
    begun = [start, start + 10, start + 20, start + 30, start + 40]
    assert seen[0] == Facts("", begun[:3], start + 30, begun)
    assert seen[1] == Facts("", [], None, begun)


def test_a_busy_machine_is_told_with_what_keeps_it_busy(history: History, tmp_path: Path) -> None:
    lock = history.lock(ASKED.address)
    assert lock is not None
    number, _ = history.reserve(ASKED, True, act)
    other = History(tmp_path)
    assert other.lock(ASKED.address, wait=0) is None
    second, decision = other.reserve(replace(ASKED, machine="mail1.example.org"), False, act)
    assert isinstance(decision, Skip)
    assert decision.reason.startswith(f"the machine is busy: recovery {number} (restart-service) since 1970-")
    assert state(history, second) == "skipped"
    lock.release()
    other.close()


def test_other_machines_are_not_kept_waiting(history: History) -> None:
    assert history.lock("192.0.2.1")
    assert history.lock("192.0.2.2")


def test_a_lock_that_nobody_wrote_down_holds_too(history: History) -> None:
    assert history.reserve(ASKED, False, act)[1] == Skip(
        "the machine is busy: another process holds its lock"
    )


def test_two_at_once_never_share_the_last_place(tmp_path: Path) -> None:
    """The limits are asked and the place is taken in one transaction, for different machines too."""
    rules = Rules(fleet_at_most=Rate(5, 600), cooldown=None)

    def ask(child: int) -> None:
        history = History(tmp_path)
        for turn in range(5):
            address = f"192.0.2.{child * 10 + turn}"
            assert history.lock(address)
            history.reserve(replace(ASKED, machine=address, address=address), True, by(rules))

    children = []
    for child in range(4):
        started = os.fork()
        if started == 0:
            try:
                ask(child)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(started)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    history = History(tmp_path)
    states = [found.texts["state"] for found in history_view.entries(history)]
    assert sorted(states) == ["running"] * 5 + ["skipped"] * 15
    history.close()


_RECOVERY = """
import sys
from pathlib import Path
from recovery.history.recoveries import Asked, History
from recovery.model import Step
from recovery.decision.policy import Act
history = History(Path(sys.argv[1]))
lock = history.lock("192.0.2.1")
number, _ = history.reserve(
    Asked("restart-service", "mail1", "mail", "dovecot", "user", None, "192.0.2.1"), True, lambda *_: Act("x")
)
at = 0.0
while True:
    at += 1
    history.step(number, Step("wait", at, "x" * 1000))
    print(number, int(at), flush=True)
"""


@pytest.mark.slow
def test_kill_nine_loses_no_step_and_leaves_no_lock(tmp_path: Path) -> None:
    for turn in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", _RECOVERY, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            written = [process.stdout.readline() for _ in range(1 + turn * 3)]
            process.kill()
            written += process.stdout.readlines()
        number, steps = map(int, [line for line in written if line.endswith("\n")][-1].split())
        history = History(tmp_path)
        found = history_view.entry(history, number)
        assert found is not None
        assert steps <= len(found.steps) <= steps + 1
        [told] = history.find_interrupted()
        assert told.number == number
        assert told.text.endswith(
            "was interrupted after step wait: "
            "its process was killed, this host went down, or its disk was full"
        )
        assert state(history, number) == "interrupted"
        assert history.find_interrupted() == []
        history.close()


@pytest.mark.slow
def test_a_crash_at_any_line_leaves_a_history_that_goes_on(tmp_path: Path) -> None:
    def work() -> None:
        history = History(tmp_path)
        lock = history.lock(ASKED.address)
        number, _ = history.reserve(ASKED, lock is not None, act)
        history.step(number, Step("connect", 0.1, "x"))
        history.finish(number, DONE)

    states = []
    for line in at_every_line(work, "recovery.history.recoveries", "recovery.history.database"):
        history = History(tmp_path)
        history.find_interrupted()
        states = [found.texts["state"] for found in history_view.entries(history)]
        assert len(states) in (0, 1), line
        assert set(states) <= {"interrupted", "proven"}, line
        history.database.execute("DELETE FROM recoveries")
        lock = history.lock(ASKED.address, wait=0)
        assert lock is not None
        lock.release()
        history.close()
    assert states == ["proven"]


def test_what_runs_is_not_called_interrupted(history: History, tmp_path: Path) -> None:
    assert history.lock(ASKED.address)
    number, _ = history.reserve(ASKED, True, act)
    other = History(tmp_path)
    assert other.find_interrupted() == []
    other.close()
    assert state(history, number) == "running"


def test_a_dead_one_is_found_by_the_next_on_its_machine_too(history: History) -> None:
    dead, _ = history.reserve(ASKED, True, act)
    history.reserve(ASKED, True, act)
    assert state(history, dead) == "interrupted"


def test_what_was_handed_over_is_taken_over_once(history: History, clock: Clock) -> None:
    number, _ = history.reserve(ASKED, True, act)
    history.hand_over(number)
    clock.now += 29
    assert history.find_interrupted() == []
    _, decision = history.reserve(ASKED, True, act)
    assert isinstance(decision, Skip)
    assert decision.reason.startswith(f"the machine is busy: recovery {number} ")
    assert history.take_over(number)
    assert not history.take_over(number)


def test_what_nobody_takes_over_is_found(history: History, clock: Clock) -> None:
    number, _ = history.reserve(ASKED, True, act)
    history.hand_over(number)
    clock.now += 31
    assert [found.number for found in history.find_interrupted()] == [number]
    assert not history.take_over(number)


def test_prune_leaves_what_is_young_or_under_way(history: History, clock: Clock) -> None:
    old, _ = history.reserve(replace(ASKED, address="192.0.2.9"), True, act)
    history.step(old, Step("connect", 0.1, "x"))
    history.finish(old, DONE)
    running, _ = history.reserve(ASKED, True, act)
    clock.now += 100
    young = history.note(ASKED, "skipped", "in downtime")
    assert history_view.prune(history, clock.now - 50) == 1
    assert [found.number for found in history_view.entries(history)] == [running, young]
    assert history.database.execute("SELECT count(*) FROM steps").fetchone()[0] == 0
    assert history.note(ASKED, "skipped", "x") > young


def test_a_damaged_history_is_told_and_left(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(b"this is no database\n" * 100)
    with pytest.raises(UsageError, match=r"is damaged \(file is not a database\); it is left as it is"):
        History(tmp_path)
    assert path.read_bytes() == b"this is no database\n" * 100


def test_a_newer_history_is_left(tmp_path: Path) -> None:
    History(tmp_path).close()
    database = sqlite3.connect(tmp_path / "history.db")
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(UsageError, match="was written by a newer version; it is left as it is"):
        History(tmp_path)


def test_a_history_that_cannot_be_written_is_told(history: History) -> None:
    history.database.execute("PRAGMA query_only=ON")
    with pytest.raises(RecoveryError, match="attempt to write a readonly database; nothing was lost"):
        history.note(ASKED, "skipped", "x")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_makes_belongs_to_the_folders_owner(their_folder: Path) -> None:
    folder = their_folder / "state"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    history = History(folder)
    assert history.lock("192.0.2.1")
    history.note(ASKED, "skipped", "x")
    found = {path: path.stat().st_uid for path in folder.rglob("*")}
    assert set(found.values()) == {12345}, found
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*")} == {0}
    history.close()


def test_the_file_gets_smaller_when_old_entries_go(history: History, clock: Clock) -> None:
    for _ in range(2):
        number = history.note(ASKED, "failed", "x")
        for step in range(3000):
            history.database.execute(
                "INSERT INTO steps (recovery, at, name, text) VALUES (?, 0, ?, ?)",
                (number, str(step), "y" * 300),
            )
        clock.now += 100
    before = history.path.stat().st_size + history.path.with_name("history.db-wal").stat().st_size
    assert history_view.prune(history, clock.now - 150) == 1
    history_view.give_room_back(history)
    after = history.path.stat().st_size + history.path.with_name("history.db-wal").stat().st_size
    assert after < 0.6 * before
    left = history_view.entry(history, 2)
    assert left is not None
    assert [name for _, name, _ in left.steps] == [str(step) for step in range(3000)]


def test_a_file_that_others_read_keeps_its_size_and_says_so(history: History) -> None:
    history.note(ASKED, "failed", "x")
    reader = sqlite3.connect(history.path, timeout=0)
    history.database.execute("PRAGMA busy_timeout=100")
    reader.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecoveryError, match="database is locked; nothing was lost"):
        history_view.give_room_back(history)
    reader.close()


def test_a_time_from_a_clock_that_ran_ahead_counts_from_now_on_and_no_longer(
    history: History, clock: Clock
) -> None:
    year = 365 * 86400.0
    clock.now += year
    number, _ = history.reserve(ASKED, True, act)
    history.finish(number, DONE)
    clock.now -= year
    rules = Rules(cooldown=300.0)

    _, decision = history.reserve(ASKED, True, by(rules))
    assert isinstance(decision, Skip)
    assert history.ahead == 1
    clock.now += 301
    _, decision = history.reserve(ASKED, True, by(rules))

    assert isinstance(decision, Act)
    assert history.ahead == 0


def test_a_row_that_came_back_empty_is_a_damaged_history(history: History) -> None:
    history.note(ASKED, "skipped", "x")
    history.database.execute("PRAGMA writable_schema=ON")
    history.database.execute(
        "UPDATE sqlite_master SET sql = replace(sql, 'action TEXT NOT NULL', 'action TEXT')"
    )
    history.database.execute("PRAGMA writable_schema=RESET")
    history.database.execute("UPDATE recoveries SET action = NULL")
    with pytest.raises(
        UsageError, match=r"is damaged \(an entry without action or machine\); it is left as it is"
    ):
        history_view.entries(history)
