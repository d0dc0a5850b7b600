"""``pause``, ``resume`` and ``status``, run as programs, and what an engine's repairs do meanwhile."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.history import database
from recovery.history.recoveries import opened
from tests.unit.recovery.commands.test_actions import EVENT, REBOOT, RESTART, TITLE, entries, until
from tests.unit.recovery.conftest import Ran, Recovery
from tests.unit.recovery.execution.test_report import ASKED, CommandFile, comment
from tests.unit.recovery.machines_stand_in import DONE

WHEN = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
BY = "user root" if os.geteuid() == 0 else r"user \S+"
NOTHING = "Nothing is paused, and no repair is under way.\n"


@pytest.fixture
def host(recovery: Recovery) -> Recovery:
    recovery.add_credential()
    return recovery


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[CommandFile]:
    found = CommandFile(tmp_path / "nagios.cmd")
    yield found
    found.close()


def paused(ran: Ran) -> bool:
    """Whether a repair was skipped, and says for which pause."""
    skipped = rf"OK - \S.*: skipped: paused until {WHEN} by {BY} \(new kernel\)"
    return ran.code == 0 and re.fullmatch(skipped, ran.last) is not None


def test_a_pause_is_told_and_keeps_an_engines_repair_away(host: Recovery) -> None:
    begun = host("pause", "--for", "8h", "--why", "new kernel")
    line = rf"pause 1: all repairs, by {BY}: new kernel; until {WHEN} \(8h\)\n"
    assert (begun.code, begun.err) == (0, "")
    assert re.fullmatch("Begun: " + line, begun.out)
    assert re.fullmatch(line.replace("8h", "(8h|7h59m.*s)"), host("status").out)
    ran = host(*RESTART, *EVENT)
    assert paused(ran), ran
    assert [entry.texts["state"] for entry in entries(host)] == ["skipped"]
    assert re.search(r"skipped: paused until .* \(new kernel\)\n", host("history", "list").out)
    # Nothing was looked up, and nothing asked for.
    assert host.calls() == []
    assert host(*RESTART, *EVENT, "--explain").out.count("pause: paused until") == 1
    assert re.search(r"dry run, would skip: paused until", host(*RESTART, *EVENT, "--dry-run").last)


def test_resume_ends_it(host: Recovery) -> None:
    host("pause", "--for", "8h", "--why", "new kernel")
    ended = host("resume")
    assert re.fullmatch(
        rf"Ended, \S+ before its time: pause 1: all repairs, by {BY}: new kernel\n", ended.out
    )
    assert host("status").out == NOTHING
    assert host("resume") == Ran(0, "Nothing is paused.\n", "")
    assert host(*RESTART, *EVENT).last == f"OK - {TITLE}: {DONE}"
    assert re.fullmatch(
        rf"pause 1: all repairs, by {BY}: new kernel; ended {WHEN} by {BY}\n", host("status", "--all").out
    )


def test_it_ends_by_itself(host: Recovery) -> None:
    host("pause", "--for", "2s", "--why", "new kernel")
    until(lambda: host("status").out == NOTHING)
    assert host(*RESTART, *EVENT).last == f"OK - {TITLE}: {DONE}"
    assert re.search(rf"; over since {WHEN}\n", host("status", "--all").out)


@pytest.mark.parametrize(
    "scope",
    [
        ("--machine", "mail*"),
        ("--machine", "192.0.2.0/24"),
        ("--action", "restart-service"),
        ("--monitor", "imap of mail"),
        ("--machine", "mail1", "--action", "all", "--monitor", "imap*"),
    ],
)
def test_it_may_be_for_a_machine_a_monitor_or_an_action(host: Recovery, scope: tuple[str, ...]) -> None:
    host("pause", "--for", "1h", "--why", "new kernel", *scope)
    ran = host(*RESTART, *EVENT, "--service-description", "IMAP of mail")
    assert paused(ran), ran


@pytest.mark.parametrize(
    "scope",
    [
        ("--machine", "mail2"),
        ("--action", "reboot-server"),
        ("--monitor", "SMTP"),
        ("--machine", "10.0.0.0/8"),
    ],
)
def test_it_is_for_nothing_else(host: Recovery, scope: tuple[str, ...]) -> None:
    host("pause", "--for", "1h", "--why", "new kernel", *scope)
    assert host(*RESTART, *EVENT, "--service-description", "IMAP").last == f"OK - {TITLE}: {DONE}"


def test_what_is_asked_for_by_hand_is_done_and_told_of_it(host: Recovery) -> None:
    host("pause", "--for", "1h", "--why", "new kernel")
    ran = host(*RESTART)
    told = rf"paused until {WHEN} by {BY} \(new kernel\); asked for by hand, so it is done all the same"
    assert (ran.code, ran.last) == (0, f"OK - {TITLE}: {DONE}")
    assert re.fullmatch(f"imap4-recovery: {told}\n", ran.err)
    assert re.search(rf"s  pause: {told}\n", host("history", "show", "1").out)


def test_the_engine_is_told_of_the_first_skip(host: Recovery, engine: CommandFile) -> None:
    host("pause", "--for", "1h", "--why", "new kernel | by us")
    for _ in range(2):
        assert host(*ASKED, environ=engine.environment).code == 0
    [said] = engine.read()
    assert said.startswith(comment(f"OK - {TITLE}: skipped: paused until "))
    assert said.endswith(" (new kernel / by us) (recovery 1)")


def test_what_is_under_way_goes_on_and_is_named(host: Recovery, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with host.start(*RESTART, *EVENT, machines={"wait": str(gate)}) as process:
        until(lambda: [entry.texts["state"] for entry in entries(host)] == ["running"])
        begun = host("pause", "--for", "1h", "--why", "new kernel", "--machine", "mail1")
        assert (
            begun.err == "imap4-recovery: recovery 1 (restart-service on mail1) is under way, and goes on\n"
        )
        assert host("pause", "--for", "1h", "--why", "x", "--machine", "mail2").err == ""
        under_way = rf"recovery 1: restart-service dovecot on mail1 since {WHEN}"
        assert re.fullmatch(under_way, host("status").out.splitlines()[-1])
        gate.write_text("")
        out, _ = process.communicate(timeout=60)
    assert out == f"OK - {TITLE}: {DONE}\n"


def test_several_are_ended_by_number_by_scope_or_together(host: Recovery) -> None:
    for machine in ("mail1", "mail2", "mail3", "mail4"):
        host("pause", "--for", "1h", "--why", "x", "--machine", machine)
    assert host("resume") == Ran(
        3, "", "imap4-recovery: 4 pauses are in force (1, 2, 3, 4): give their numbers, or --all\n"
    )
    assert host("resume", "2", "2").out.count("Ended, ") == 1
    assert host("resume", "--machine", "mail3").out.count("pause 3: all repairs on mail3") == 1
    gone = "there is no pause 2 in force in "
    assert host("resume", "1", "2").err.startswith(f"imap4-recovery: {gone}")
    assert host("resume", "--machine", "mail1", "--action", "all").code == 3
    assert host("resume", "1", "--all").err == (
        "imap4-recovery: resume: give numbers, or --all, or what was paused; only one of these\n"
    )
    assert [one["id"] for one in json.loads(host("status", "--json").out)["pauses"]] == [1, 4]
    assert json.loads(host("resume", "--all", "--json").out) == [1, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--why", "x"), "the following arguments are required: --for"),
        (("--for", "8h"), "the following arguments are required: --why"),
        (("--for", "0", "--why", "x"), "argument --for: '0' leaves no time at all"),
        (("--for", "32d", "--why", "x"), "argument --for: '32d' is longer than 31d: a pause for so long is"),
        (("--for", "8h", "--why", " \n"), "argument --why: write why in 1 to 200 characters"),
        (("--for", "8h", "--why", "x" * 201), "argument --why: write why in 1 to 200 characters"),
        (("--for", "8h", "--why", "x", "--machine", "a b"), "argument --machine: 'a b' is no name pattern"),
        (("--for", "8h", "--why", "x", "--action", "dance"), "argument --action: 'dance' is no action"),
        (
            ("--for", "8h", "--why", "x", "--monitor", ","),
            "argument --monitor: ',' is no list of monitors' names",
        ),
        (("--for", "8h", "--why", "x", "--machine", ""), "argument --machine: the list is empty; leave the"),
        (("--for", "8h", "--why", "x", "--action", ""), "argument --action: the list is empty; leave the"),
    ],
)
def test_wrong_use_pauses_nothing(host: Recovery, arguments: tuple[str, ...], message: str) -> None:
    ran = host("pause", *arguments)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"imap4-recovery pause: {message}"), ran.err
    assert ran.err.count("\n") == 1
    assert host("status").out == NOTHING


def test_a_terminals_control_characters_are_not_kept(host: Recovery) -> None:
    assert "\x1b" not in host("pause", "--for", "8h", "--why", "a\x1b[31mb").out
    assert host(*RESTART, *EVENT).last.endswith(" (a [31mb)")


def test_a_history_of_the_version_before_gets_its_table_and_keeps_its_entries(host: Recovery) -> None:
    folder = host.paths.state
    folder.mkdir(mode=0o700)
    old = sqlite3.connect(folder / "history.db")
    old.executescript(f"BEGIN;{database._FIRST}PRAGMA user_version=1;COMMIT;")
    values = (time.time(), "user root", "reboot-server", "mail9", "", "mail", "", "failed", "x")
    old.execute(
        "INSERT INTO recoveries (asked, asked_by, action, machine, address, credential, subject, state, "
        "reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    old.commit()
    old.close()
    assert host("pause", "--for", "8h", "--why", "new kernel").code == 0
    ran = host(*REBOOT, *EVENT)
    assert paused(ran), ran
    assert [entry.texts["machine"] for entry in entries(host)] == ["mail9", "mail1"]


def test_prune_removes_old_ones(host: Recovery) -> None:
    host("pause", "--for", "1s", "--why", "old")
    host("pause", "--for", "8h", "--why", "new")
    with opened(host.paths.state) as history:
        history.database.execute("UPDATE pauses SET begun = begun - 200000, boot = '' WHERE id = 1")
    host("history", "prune", "--older-than", "1d")
    assert [one["why"] for one in json.loads(host("status", "--all", "--json").out)["pauses"]] == ["new"]
