"""Recoveries that tell the engine: what becomes a comment, what does not, and what happens if it cannot.

The engine's end is a real command file (a named pipe) that the test reads.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from recovery.execution.detached import systemd_run_command
from tests.unit.recovery.commands.test_actions import EVENT, RESTART, TITLE, entries, until
from tests.unit.recovery.conftest import Ran, Recovery
from tests.unit.recovery.machines_stand_in import DONE

# Each test starts the program.
pytestmark = pytest.mark.slow

NAGIOS = {
    "NAGIOS_HOSTNAME": "mail",
    "NAGIOS_SERVICEDESC": "Mail; Berlin",
    "NAGIOS_SERVICESTATE": "CRITICAL",
    "NAGIOS_SERVICESTATETYPE": "HARD",
    "NAGIOS_SERVICEPROBLEMID": "7",
    "NAGIOS_SERVICEOUTPUT": "IMAP4 CRITICAL - refused [connect.refused]",
}
SAID = DONE.replace(" -> ", " to ")
ASKED = (*RESTART, "--event", "nagios")


class CommandFile:
    """The engine's side of its command file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        # So that nothing is lost between two writers.
        self._writer = os.open(path, os.O_WRONLY)
        self.environment = {**NAGIOS, "IMAP4_NAGIOS_COMMAND_FILE": str(path)}

    def read(self) -> list[str]:
        """The commands since the last time, without their times."""
        try:
            text = os.read(self._reader, 1 << 20).decode()
        except BlockingIOError:
            return []
        return [re.sub(r"^\[\d+\] ", "", line) for line in text.splitlines()]

    def fill(self) -> None:
        """The engine does not read any more, and the pipe is full."""
        filler = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(filler, b"x" * 4096)
        os.close(filler)

    def close(self) -> None:
        """The engine stops."""
        for descriptor in (self._reader, self._writer):
            os.close(descriptor)


@pytest.fixture
def host(recovery: Recovery) -> Recovery:
    recovery.add_credential()
    return recovery


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[CommandFile]:
    made = CommandFile(tmp_path / "nagios.cmd")
    yield made
    made.close()


def comment(text: str) -> str:
    """The command that puts it on the service."""
    return f"ADD_SVC_COMMENT;mail;Mail, Berlin;1;imap4-recovery;{text}"


def reports(host: Recovery) -> list[list[str]]:
    """The texts of the report steps of each recovery."""
    return [[text for _, name, text in each.steps if name == "report"] for each in entries(host)]


@pytest.mark.parametrize(
    ("verdict", "code", "line"),
    [
        ("proven", 0, f"OK - {TITLE}: fine"),
        ("not proven", 1, f"WARNING - {TITLE}: not proven: fine"),
        ("failed", 2, f"CRITICAL - {TITLE}: fine"),
    ],
)
def test_the_last_line_becomes_a_comment(
    host: Recovery, engine: CommandFile, verdict: str, code: int, line: str
) -> None:
    machines = {"outcome": {"verdict": verdict, "summary": "fine"}}
    assert host(*ASKED, machines=machines, environ=engine.environment) == Ran(code, line + "\n", "")
    assert engine.read() == [comment(f"{line} (recovery 1)")]
    assert reports(host) == [["a comment on mail/Mail; Berlin"]]


def test_an_error_becomes_a_comment(host: Recovery, engine: CommandFile) -> None:
    for kind, lost in (("LoginFailed", False), ("NameNotFound", True)):
        machines = {"lost": lost, "error": {"kind": kind, "text": "mail1 said no"}}
        arguments = (*ASKED, "--cooldown", "none")
        assert host(*arguments, machines=machines, environ=engine.environment).code == 2
    assert engine.read() == [
        comment(f"CRITICAL - {TITLE}: mail1 said no (recovery {number})") for number in (1, 2)
    ]


def test_a_detached_recovery_tells_its_end_and_not_its_begin(host: Recovery, engine: CommandFile) -> None:
    assert host(*ASKED, "--detach", environ=engine.environment).code == 0
    until(lambda: reports(host) == [["a comment on mail/Mail; Berlin"]])
    assert engine.read() == [comment(f"OK - {TITLE}: {SAID} (recovery 1)")]


def test_who_asks_by_hand_gets_no_comment(host: Recovery, engine: CommandFile) -> None:
    assert host(*RESTART, environ=engine.environment) == Ran(0, f"OK - {TITLE}: {DONE}\n", "")
    assert (engine.read(), reports(host)) == ([], [[]])


def test_without_an_engine_in_the_environment_there_is_no_report(host: Recovery) -> None:
    assert host(*ASKED, environ=NAGIOS) == Ran(0, f"OK - {TITLE}: {DONE}\n", "")
    assert reports(host) == [[]]


def test_only_the_first_of_several_skips_of_a_problem_is_a_comment(
    host: Recovery, engine: CommandFile
) -> None:
    dns = engine.environment | {"NAGIOS_SERVICEOUTPUT": "IMAP4 CRITICAL - no name [dns.not_found]"}
    reason = "cause dns.not_found is not one that this repair can mend"
    for _ in range(3):
        assert host(*ASKED, environ=dns).last == f"OK - {TITLE}: skipped: {reason}"
    assert engine.read() == [comment(f"OK - {TITLE}: skipped: {reason} (recovery 1)")]
    host(*ASKED, environ=dns | {"NAGIOS_SERVICEPROBLEMID": "8"})
    assert engine.read() == [comment(f"OK - {TITLE}: skipped: {reason} (recovery 4)")]
    host(*ASKED, environ=engine.environment)
    assert engine.read() == [comment(f"OK - {TITLE}: {SAID} (recovery 5)")]
    host(*ASKED, environ=engine.environment)
    [cooling] = engine.read()
    assert cooling.startswith(comment(f"OK - {TITLE}: skipped: cooling down: "))


@pytest.mark.parametrize(
    "variables",
    [
        {"NAGIOS_SERVICEDOWNTIME": "1"},
        {"NAGIOS_SERVICESTATE": "OK"},
        {"NAGIOS_SERVICESTATETYPE": "SOFT"},
        {"NAGIOS_NOTIFICATIONTYPE": "RECOVERY"},
        {"NAGIOS_ALERT": "9"},
    ],
)
def test_a_skip_that_everybody_expects_is_no_comment(
    host: Recovery, engine: CommandFile, variables: dict[str, str]
) -> None:
    ran = host(*ASKED, "--alerts", "1-2", environ={**engine.environment, "NAGIOS_ALERT": "1", **variables})
    assert " skipped: " in ran.last
    assert engine.read() == []


def test_a_report_that_cannot_be_delivered_changes_nothing_but_is_told(host: Recovery) -> None:
    missing = host.folder / "none.cmd"
    ran = host(*ASKED, environ={**NAGIOS, "IMAP4_NAGIOS_COMMAND_FILE": str(missing)})
    why = (
        f"not delivered: {missing}: is not there; is the engine running, with check_external_commands=1?; "
        "nothing was sent"
    )
    assert ran == Ran(0, f"OK - {TITLE}: {DONE}\n", f"imap4-recovery: report {why}\n")
    assert reports(host) == [[why]]
    assert entries(host)[0].texts["state"] == "proven"


def test_an_engine_that_does_not_read_holds_nothing_up_for_long(host: Recovery, engine: CommandFile) -> None:
    engine.fill()
    ran = host(*ASKED, environ=engine.environment)
    why = f"not delivered: {engine.path}: the engine has read nothing for 5 s; 1 not sent"
    assert ran == Ran(0, f"OK - {TITLE}: {DONE}\n", f"imap4-recovery: report {why}\n")


def test_a_signal_while_the_engine_is_told_does_not_change_the_result(
    host: Recovery, engine: CommandFile
) -> None:
    engine.fill()
    process = host.start(*ASKED, environ=engine.environment)
    until(lambda: str(engine.path) in map(os.path.realpath, Path(f"/proc/{process.pid}/fd").iterdir()))
    process.terminate()
    out, err = process.communicate(timeout=30)
    why = "not delivered: ended by SIGTERM; it is not certain that the engine was told"
    said = (f"OK - {TITLE}: {DONE}\n", f"imap4-recovery: report {why}\n")
    assert (process.returncode, out, err) == (0, *said)
    assert (reports(host), entries(host)[0].texts["state"]) == ([[why]], "proven")


def test_an_event_without_a_service_has_nothing_to_comment_on(host: Recovery, engine: CommandFile) -> None:
    ran = host(*RESTART, *EVENT, environ={"IMAP4_NAGIOS_COMMAND_FILE": str(engine.path)})
    assert (ran.code, ran.err) == (
        0,
        "imap4-recovery: report not delivered: the event names no host and service to comment on\n",
    )


def test_json_and_verbose_say_what_was_reported(host: Recovery, engine: CommandFile) -> None:
    ran = host(*ASKED, "--json", "-v", "--cooldown", "none", environ=engine.environment)
    assert json.loads(ran.out)["report"] == "a comment on mail/Mail; Berlin"
    assert re.search(r"^ +\d+\.\d s  report: a comment on mail/Mail; Berlin$", ran.err, re.MULTILINE)


def test_a_recovery_that_was_killed_is_told_by_the_next_one(host: Recovery, engine: CommandFile) -> None:
    gate = host.folder / "gate"
    os.mkfifo(gate)
    process = host.start(*ASKED, machines={"wait": str(gate)}, environ=engine.environment)
    until(lambda: bool(host.calls()) and [len(entry.steps) for entry in entries(host)[:1]] == [2])
    process.kill()
    process.communicate()
    host(*RESTART, environ=engine.environment)
    text = "interrupted after step restart: its process was killed, this host went down, or its disk was full"
    assert engine.read() == [comment(f"CRITICAL - {TITLE}: {text} (recovery 1)")]


def test_a_command_line_says_where_to_report_and_the_units_variables_win(
    host: Recovery, engine: CommandFile, tmp_path: Path
) -> None:
    here = ("--nagios-command-file", str(engine.path))
    assert host(*ASKED, *here, environ=NAGIOS).code == 0
    assert engine.read() == [comment(f"OK - {TITLE}: {SAID} (recovery 1)")]
    elsewhere = ("--nagios-command-file", str(tmp_path / "nowhere"))
    assert host(*ASKED, *elsewhere, "--cooldown", "none", environ=engine.environment).err == ""
    assert engine.read() == [comment(f"OK - {TITLE}: {SAID} (recovery 2)")]
    ran = host(*ASKED, "--icinga-api", "https://localhost:1", "--cooldown", "none", environ=NAGIOS)
    assert (ran.code, ran.err) == (
        0,
        "imap4-recovery: report not delivered: Icinga's API: no file with the password "
        "(IMAP4_ICINGA_PASSWORD_FILE)\n",
    )
    both = host(*ASKED, *here, "--icinga-api", "https://localhost:1")
    assert both.code == 3
    assert "--icinga-api: not allowed with argument --nagios-command-file" in both.err


def test_a_unit_of_its_own_knows_where_to_report() -> None:
    names = ["IMAP4_NAGIOS_COMMAND_FILE", "IMAP4_ICINGA_API", "IMAP4_ICINGA_USER"]
    names += ["IMAP4_ICINGA_PASSWORD_FILE", "IMAP4_ICINGA_CA_FILE", "IMAP4_ICINGA_SERVER_NAME"]
    command = systemd_run_command(["x"], 7, dict.fromkeys(names, "value"), False)
    assert [word for word in command if word.startswith("--setenv")] == [f"--setenv={name}" for name in names]
