"""What the event handler tells Nagios, and that an engine that does not read cannot hang it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap4.deadline import Deadline
from imap4.monitor.engines.nagios.command_file import CommandFileError, line, send
from imap4.monitor.engines.nagios.pace import Count, Told, commands, saves
from imap4.monitor.states import Delays, Rules
from tests.unit.imap4.monitor.conftest import Run

RULES = Rules(Delays(up=500, warn=20, down=60, lost=600), failures_per_alert=3, maximum_alerts=2)


def told(number: int, *, ok: bool = False, notice: str = "9", **more: bool) -> Told:
    """What the engine says about a test of the service Mail on the host h."""
    return Told("h", "Mail", ok, number, notice, "7", **more)


def var(text: str) -> tuple[str | int, ...]:
    """The command that keeps a count."""
    return ("CHANGE_CUSTOM_SVC_VAR", "h", "Mail", "IMAP4_COUNT", text)


def interval(seconds: int) -> tuple[str | int, ...]:
    """The command that sets the engine's interval."""
    return ("CHANGE_NORMAL_SVC_CHECK_INTERVAL", "h", "Mail", seconds)


def number(number: int) -> tuple[str | int, ...]:
    """The command that sets the number on which the next notification builds."""
    return ("SET_SVC_NOTIFICATION_NUMBER", "h", "Mail", number)


def schedule(moment: int) -> tuple[str | int, ...]:
    """The command that pulls the next test forward."""
    return ("SCHEDULE_SVC_CHECK", "h", "Mail", moment)


# Three failures an alert, two alerts: numbers 100004 and 100008; 100003 and 100007 before them.
@pytest.mark.parametrize(
    ("before", "said", "meant"),
    [
        ("-", told(1), [number(100001), var("7:1:0:100001:1:9"), schedule(1020)]),
        ("7:1:0:100001:1:8", told(100002), [number(100003), var("7:2:0:100003:1:9"), schedule(1020)]),
        ("7:2:0:100003:1:8", told(100004), [number(100005), var("7:3:3:100005:1:9"), schedule(1060)]),
        ("7:3:3:100005:1:8", told(100006), [number(100005), var("7:4:3:100005:1:9"), schedule(1060)]),
        (
            "7:4:3:100005:1:8",
            told(100006),
            [number(100007), var("7:5:3:100007:1:9"), interval(610), schedule(1060)],
        ),
        (
            "7:5:3:100007:1:8",
            told(100008),
            [number(100009), var("7:6:6:100009:1:9"), interval(610), schedule(1600)],
        ),
        (
            "7:6:6:100009:1:8",
            told(100010),
            [number(100009), var("7:7:6:100009:1:9"), interval(610), schedule(1600)],
        ),
        # Nothing was sent: the test counts, and an alert that was due stays so.
        ("-", told(0), [number(100001), var("7:1:0:100001:0:9"), schedule(1020)]),
        ("7:5:3:100007:1:9", told(100007), [var("7:6:3:100007:1:9"), interval(610), schedule(1060)]),
        ("7:6:3:100007:1:9", told(100007), [var("7:7:3:100007:1:9"), interval(610), schedule(1060)]),
        # Earlier tests were not handled: the core has counted, and sent alert 1 with number 3.
        ("-", told(4), [number(100005), var("7:4:3:100005:1:9"), schedule(1060)]),
        # Fewer alerts are allowed than were sent: it is Lost.
        (
            "7:9:9:100013:1:8",
            told(100014),
            [number(100009), var("7:10:9:100009:1:9"), interval(610), schedule(1600)],
        ),
        # Handlers were off at the last recovery: what was kept is of another problem.
        ("6:5:3:100007:1:8", told(1), [number(100001), var("7:1:0:100001:1:9"), schedule(1020)]),
        # The core had still to send a recovery: its number is not this problem's.
        ("left", told(100006), [number(100001), var("7:1:0:100001:0:9"), schedule(1020)]),
        ("nonsense; x", told(1), [number(100001), var("7:1:0:100001:1:9"), schedule(1020)]),
    ],
)
def test_a_failing_test_is_counted_and_sets_number_interval_and_delay(
    before: str, said: Told, meant: list[tuple[str | int, ...]]
) -> None:
    assert commands(RULES, said, Count.read(before), 1000.0, duration=10) == meant


NUMBER_1, NUMBER_2 = number(100005), number(100009)
UP = [interval(500), ("SCHEDULE_FORCED_SVC_CHECK", "h", "Mail", 1500)]


def custom(option: int) -> tuple[str | int, ...]:
    """The command for a recovery that the core has forgotten."""
    said = "RECOVERY: the service is up again"
    return ("SEND_CUSTOM_SVC_NOTIFICATION", "h", "Mail", option, "imap4-monitor", said)


@pytest.mark.parametrize(
    ("before", "said", "meant"),
    [
        ("7:3:3:100005:1:8", told(0, ok=True), [number(0), var("-")]),
        # The core has not sent it, and forgotten the number: 4.4.6 and Naemon.
        ("7:3:3:100005:1:9", told(0, ok=True), [NUMBER_1, custom(0), number(0), var("-")]),
        ("7:3:3:100005:1:8", told(0, ok=True, host_down=True), [NUMBER_1, custom(0), number(0), var("-")]),
        ("7:6:6:100009:1:8", told(0, ok=True, downtime=True), [NUMBER_2, custom(2), number(0), var("-")]),
        # Nobody was told.
        ("7:2:0:100003:1:9", told(0, ok=True), [number(0), var("-")]),
        # The core will send it by the number that it has: since 4.5.7.
        ("7:3:3:100005:1:9", told(100005, ok=True), [var("left")]),
        ("7:3:3:100005:1:8", told(100005, ok=True), [var("left")]),
        ("7:2:0:100003:1:9", told(100003, ok=True), [number(1_000_001), var("left")]),
        ("7:2:0:100003:1:8", told(100003, ok=True), [number(0), var("-")]),
        ("7:2:0:100003:0:9", told(100003, ok=True), [number(0), var("-")]),
        ("-", told(0, ok=True), [number(0), var("-")]),
    ],
)
def test_a_recovery_sets_everything_back_and_is_told_where_the_core_does_not(
    before: str, said: Told, meant: list[tuple[str | int, ...]]
) -> None:
    assert commands(RULES, said, Count.read(before), 1000.4, duration=10) == [*meant, *UP]


def test_intervals_are_told_in_the_engines_units_rounded_up() -> None:
    def intervals(said: Told, before: str) -> list[str | int]:
        made = commands(RULES, said, Count.read(before), 0.0, duration=10, length=60)
        return [each[3] for each in made if each[0] == "CHANGE_NORMAL_SVC_CHECK_INTERVAL"]

    assert intervals(told(100004), "7:2:0:100003:1:8") == []  # 70 s are less than the engine's own interval
    assert intervals(told(100008), "7:5:3:100007:1:8") == [11]  # 610 s
    assert intervals(told(0, ok=True), "7:5:3:100007:1:8") == [9]  # 500 s


def test_an_interval_that_is_long_enough_for_every_delay_is_left_alone() -> None:
    """A changed one outlives the engine's restart, and the next rendering."""
    rules = Rules(Delays(up=100, warn=90, down=50, lost=90), failures_per_alert=2, maximum_alerts=2)
    for said in (told(1), told(2), told(7), told(0, ok=True)):
        names = {each[0] for each in commands(rules, said, Count(), 0.0, duration=10, length=60)}
        assert "CHANGE_NORMAL_SVC_CHECK_INTERVAL" not in names
    # The next test may be Lost's, or the outage is over.
    for said in (told(7), told(0, ok=True)):
        found = {each[0] for each in commands(rules, said, Count(), 0.0, duration=10.1, length=60)}
        assert "CHANGE_NORMAL_SVC_CHECK_INTERVAL" in found


def test_the_first_failure_is_forced_where_the_engine_has_a_shorter_interval() -> None:
    for up, name in ((10, "SCHEDULE_FORCED_SVC_CHECK"), (20, "SCHEDULE_SVC_CHECK")):
        rules = Rules(Delays(up=up, warn=20, down=60, lost=600), 3, 1)
        assert commands(rules, told(1), Count(), 0.0, duration=10)[-1][0] == name
        again = commands(rules, told(100002), Count.read("7:1:0:100001:1:8"), 0.0, duration=10)
        assert again[-1][0] == "SCHEDULE_SVC_CHECK"


def test_without_a_limit_the_last_escalations_are_used_again_and_again() -> None:
    rules = Rules(RULES.delays, failures_per_alert=3, maximum_alerts=0)
    # Alert 10 is number 100040; before the next one the number rests below 100040 again.
    for before, at, rest in (
        ("7:29:27:100039:1:8", 100040, 100041),
        ("7:30:30:100041:1:8", 100042, 100041),
        ("7:31:30:100041:1:8", 100042, 100039),
    ):
        made = commands(rules, told(at), Count.read(before), 0.0, duration=10, wrap=10)
        assert made[0] == number(rest)


def test_the_engine_is_asked_to_save_what_being_killed_would_lose(tmp_path: Path) -> None:
    file = tmp_path / "retention.dat"
    file.write_text("")
    saved = file.stat().st_mtime

    def asked(said: Told, before: str, later: float = 60) -> bool:
        return saves(RULES, said, Count.read(before), str(file), saved + later)

    assert asked(told(1), "-")
    assert asked(told(100008), "7:5:3:100007:1:8")
    assert asked(told(0, ok=True), "7:3:3:100005:1:8")
    # Nothing depends on it: all alerts were sent before this test, or all was well.
    assert not asked(told(100010), "7:6:6:100009:1:8")
    assert asked(told(1), "6:6:6:100009:1:8")  # that was another outage
    assert not asked(told(0, ok=True), "-")
    # A small file can be saved each time, a large one takes its time.
    assert asked(told(1), "-", 0)
    with file.open("wb") as large:
        large.truncate(50_000_000)
    os.utime(file, (saved, saved))
    assert not asked(told(1), "-", 48)
    assert asked(told(1), "-", 50)
    # A clock that was set back knows nothing of the last time.
    assert asked(told(1), "-", -1)
    file.unlink()
    assert asked(told(1), "-", 0)
    assert not saves(RULES, told(1), Count(), "", saved)


@given(st.text(), st.text(), st.text())
def test_no_text_makes_a_second_command_or_argument(host: str, service: str, comment: str) -> None:
    made = line(("ADD_SVC_COMMENT", host, service, 1, "author", comment), 7)
    assert made.startswith(b"[7] ADD_SVC_COMMENT;")
    assert made.count(b"\n") == 1
    assert b"\r" not in made
    assert len(made.decode().split(";", 5)) == 6
    assert made.decode().split(";")[3] == "1"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A command file."""
    path = tmp_path / "nagios.cmd"
    os.mkfifo(path)
    return path


def arguments(path: Path, state: str) -> list[str]:
    """What the engine's event handler has on its command line; Naemon leaves ids empty while all is well."""
    return (
        f"pace --command-file {path} --host h --service Mail --up 300 --warn 20 --down 60 --lost 600 "
        f"--failures 3 --alerts 2 --duration 10 --state={state} --number=100004 --notice= --problem=a-7 "
        "--downtime=0 --host-downtime= --host-state=UP --host-state-type=HARD --count=a-7:2:0:100003:1:"
    ).split()


def test_the_handler_writes_to_the_command_file(imap4_monitor: Run, pipe: Path) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    ended = imap4_monitor(*arguments(pipe, "CRITICAL"))
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)
    *lines, last = os.read(reader, 4096).decode().splitlines()
    os.close(reader)
    assert [each.split("] ")[1] for each in lines] == [
        "SET_SVC_NOTIFICATION_NUMBER;h;Mail;100005",
        "CHANGE_CUSTOM_SVC_VAR;h;Mail;IMAP4_COUNT;a-7:3:3:100005:1:",
    ]
    begin, moment = last.split("] SCHEDULE_SVC_CHECK;h;Mail;")
    assert 59 <= int(moment) - int(begin[1:]) <= 62


def test_an_engine_that_does_not_run_is_one_clear_line(
    imap4_monitor: Run, pipe: Path, tmp_path: Path
) -> None:
    ended = imap4_monitor(*arguments(pipe, "OK"))
    said = f"imap4-monitor pace: h/Mail: {pipe}: no engine reads it; nothing was sent\n"
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", said, 1)
    (tmp_path / "file").write_text("")
    ended = imap4_monitor(*arguments(tmp_path / "file", "OK"))
    said = f"{tmp_path}/file: is not an engine's command file (not a named pipe)\n"
    assert ended.stderr == f"imap4-monitor pace: h/Mail: {said}"
    assert (tmp_path / "file").read_text() == ""


def test_an_engine_that_stopped_reading_holds_nobody_beyond_the_deadline(pipe: Path) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    command = ("ADD_SVC_COMMENT", "h", "Mail", 1, "me", "x" * 3000)
    begin = time.monotonic()
    with pytest.raises(CommandFileError, match=r"the engine has read nothing for 0\.5 s; \d+ not sent"):
        send(str(pipe), [command] * 100, Deadline(0.5))
    assert time.monotonic() - begin < 5
    # Whatever was written is whole lines.
    data = b""
    while chunk := os.read(reader, 65536):
        data += chunk
    os.close(reader)
    assert data.endswith(b"\n")
    assert {len(each) for each in data.splitlines()} == {len(data.splitlines()[0])}


def test_a_wrong_option_is_told_and_not_sent(imap4_monitor: Run, pipe: Path) -> None:
    ended = imap4_monitor(*arguments(pipe, "BROKEN"))
    assert ended.returncode == 3
    assert "--state: 'BROKEN' is none of OK" in ended.stderr
