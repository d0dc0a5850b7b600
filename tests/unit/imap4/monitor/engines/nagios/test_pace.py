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
from imap4.monitor.engines.nagios.pace import Told, commands
from imap4.monitor.states import Delays, Rules
from tests.unit.imap4.monitor.conftest import Run

RULES = Rules(Delays(up=500, warn=20, down=60, lost=600), failures_per_alert=3, maximum_alerts=2)


def told(*, ok: bool = False, hard: bool = True, attempt: int = 3, notification: int = 0) -> Told:
    """What the engine says about a test of the service Mail on the host h."""
    return Told("h", "Mail", ok, hard, attempt, notification)


@pytest.mark.parametrize(
    ("said", "failures", "interval", "delay"),
    [
        (told(hard=False, attempt=1), 1, None, 20),
        (told(hard=False, attempt=2), 2, 70, 20),
        (told(notification=1), 3, 70, 60),
        (told(notification=2), 4, 70, 60),
        (told(notification=3), 5, 610, 60),
        (told(notification=4), 6, 610, 600),
        (told(notification=9), 11, 610, 600),
        # In downtime nothing is counted: Down.
        (told(notification=0), 3, 70, 60),
    ],
)
def test_a_failing_test_sets_the_interval_of_the_next_and_pulls_it_forward(
    said: Told, failures: int, interval: int | None, delay: int
) -> None:
    assert said.failures(3) == failures
    meant: list[tuple[str | int, ...]] = [("SCHEDULE_SVC_CHECK", "h", "Mail", 1000 + delay)]
    if interval:
        meant.insert(0, ("CHANGE_NORMAL_SVC_CHECK_INTERVAL", "h", "Mail", interval))
    assert commands(RULES, said, 1000.0, duration=10) == meant


def test_a_recovery_sets_everything_back() -> None:
    assert commands(RULES, told(ok=True), 1000.4, duration=10) == [
        ("CHANGE_NORMAL_SVC_CHECK_INTERVAL", "h", "Mail", 500),
        ("SET_SVC_NOTIFICATION_NUMBER", "h", "Mail", 0),
        ("SCHEDULE_FORCED_SVC_CHECK", "h", "Mail", 1500),
    ]


def test_intervals_are_told_in_the_engines_units_rounded_up() -> None:
    def intervals(said: Told) -> list[str | int]:
        told_ = commands(RULES, said, 0.0, duration=10, length=60)
        return [each[3] for each in told_ if each[0] == "CHANGE_NORMAL_SVC_CHECK_INTERVAL"]

    assert intervals(told(notification=1)) == [2]  # 70 s
    assert intervals(told(notification=4)) == [11]  # 610 s
    assert intervals(told(ok=True)) == [9]  # 500 s


def test_an_interval_that_is_long_enough_for_every_delay_is_left_alone() -> None:
    """A changed one outlives the engine's restart, and the next rendering."""
    rules = Rules(Delays(up=100, warn=90, down=50, lost=90), failures_per_alert=2, maximum_alerts=2)
    for said in (told(hard=False, attempt=1), told(notification=1), told(notification=9), told(ok=True)):
        names = {each[0] for each in commands(rules, said, 0.0, duration=10, length=60)}
        assert "CHANGE_NORMAL_SVC_CHECK_INTERVAL" not in names
        found = {each[0] for each in commands(rules, said, 0.0, duration=10.1, length=60)}
        assert "CHANGE_NORMAL_SVC_CHECK_INTERVAL" in found


def test_the_first_of_single_failures_is_forced_because_the_engine_has_the_up_interval() -> None:
    rules = Rules(RULES.delays, failures_per_alert=1, maximum_alerts=1)
    assert (
        commands(rules, told(notification=1, attempt=1), 0.0, duration=10)[-1][0]
        == "SCHEDULE_FORCED_SVC_CHECK"
    )
    assert commands(rules, told(notification=2, attempt=1), 0.0, duration=10)[-1][0] == "SCHEDULE_SVC_CHECK"


def test_without_a_limit_the_last_escalations_are_used_again_and_again() -> None:
    rules = Rules(RULES.delays, failures_per_alert=3, maximum_alerts=0)
    reset = ("SET_SVC_NOTIFICATION_NUMBER", "h", "Mail", 28)
    assert commands(rules, told(notification=31), 0.0, duration=10, wrap=10)[-1] == reset
    assert reset not in commands(rules, told(notification=30), 0.0, duration=10, wrap=10)


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
    """What the engine's event handler has on its command line."""
    return (
        f"pace --command-file {path} --host h --service Mail --up 300 --warn 20 --down 60 --lost 600 "
        f"--failures 3 --alerts 2 --duration 10 --state {state} --state-type HARD --attempt 3 "
        "--notification-number 1"
    ).split()


def test_the_handler_writes_to_the_command_file(imap4_monitor: Run, pipe: Path) -> None:
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    ended = imap4_monitor(*arguments(pipe, "CRITICAL"))
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)
    first, second = os.read(reader, 4096).decode().splitlines()
    os.close(reader)
    assert first.split("] ")[1] == "CHANGE_NORMAL_SVC_CHECK_INTERVAL;h;Mail;70"
    begin, moment = second.split("] SCHEDULE_SVC_CHECK;h;Mail;")
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
    assert "--state: invalid choice: 'BROKEN'" in ended.stderr
