"""The three actions, run as a program: whole lines, exit codes, and what the history says afterwards."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from recovery.caller import caller
from recovery.history import entries as history_view
from recovery.history.entries import Entry
from recovery.history.recoveries import opened
from tests.unit.recovery.conftest import PROGRAM, Ran, Recovery
from tests.unit.recovery.machines_stand_in import DONE

# Each test starts the program, some of them often.
pytestmark = pytest.mark.slow

RESTART = ("restart-service", "--machine", "mail1", "--credential", "mail", "--service", "dovecot")
REBOOT = ("reboot-server", "--machine", "mail1", "--credential", "mail")
PROCESS = ("external-process", "--machine", "mail1", "--credential", "mail")
EVENT = ("--state", "CRITICAL", "--state-type", "HARD", "--output=IMAP4 CRITICAL - refused [connect.refused]")
TITLE = "restart-service dovecot on mail1"
FINE: dict[str, Any] = {"findings": [[True, "login", "recovery with ssh-password"]]}


@pytest.fixture
def host(recovery: Recovery) -> Iterator[Recovery]:
    """A monitoring host with a credential; afterwards, the password must be nowhere."""
    recovery.add_credential()
    yield recovery
    for path in recovery.folder.rglob("*"):
        if path.is_file():
            assert recovery.password.encode() not in path.read_bytes(), path


def entries(host: Recovery) -> list[Entry]:
    with opened(host.paths.state) as history:
        numbers = [found.number for found in history_view.entries(history)]
        return [found for number in numbers if (found := history_view.entry(history, number))]


def last(host: Recovery) -> dict[str, Any]:
    found = entries(host)[-1].as_dict()
    return {name: found[name] for name in ("state", "reason", "summary")}


def until(condition: Any) -> None:
    """Wait until ``condition`` is true."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_by_hand_it_acts_at_once(host: Recovery) -> None:
    assert host(*RESTART) == Ran(0, f"OK - {TITLE}: {DONE}\n", "")
    [found] = entries(host)
    assert found.texts == {
        "asked_by": found.texts["asked_by"],
        "action": "restart-service",
        "machine": "mail1",
        "address": "192.0.2.1",
        "credential": "mail",
        "subject": "dovecot",
        "state": "proven",
        "reason": "asked for by hand",
        "summary": DONE,
        "proof": "invocation changed",
        "verify": "IMAP4 OK",
    }
    assert found.texts["asked_by"].startswith("user ")
    assert [step[1:] for step in found.steps] == [("connect", "as recovery"), ("restart", "asked")]


@pytest.mark.parametrize(
    ("verdict", "code", "line"),
    [
        ("proven", 0, f"OK - {TITLE}: fine"),
        ("not proven", 1, f"WARNING - {TITLE}: not proven: fine"),
        ("failed", 2, f"CRITICAL - {TITLE}: fine"),
        ("skipped", 0, f"OK - {TITLE}: skipped: fine"),
    ],
)
def test_each_verdict_has_its_word_and_exit_code(host: Recovery, verdict: str, code: int, line: str) -> None:
    assert host(*RESTART, machines={"outcome": {"verdict": verdict, "summary": "fine"}}) == Ran(
        code, line + "\n", ""
    )
    assert last(host)["state"] == verdict


@pytest.mark.parametrize(
    ("kind", "code", "word"),
    [
        ("LoginFailed", 2, "CRITICAL"),
        ("ConnectFailed", 2, "CRITICAL"),
        ("HostKeyRejected", 2, "CRITICAL"),
        ("PrivilegeMissing", 2, "CRITICAL"),
        ("DeadlineExceeded", 2, "CRITICAL"),
        ("UsageError", 3, "UNKNOWN"),
    ],
)
def test_an_error_is_the_last_line_and_in_the_history(
    host: Recovery, kind: str, code: int, word: str
) -> None:
    ran = host(*RESTART, machines={"error": {"kind": kind, "text": "mail1:22 said no"}})
    assert ran == Ran(code, f"{word} - {TITLE}: mail1:22 said no\n", "")
    assert last(host) == {"state": "failed", "reason": "asked for by hand", "summary": "mail1:22 said no"}


def test_a_machine_that_has_no_address_is_a_failure_that_counts_for_no_limit(host: Recovery) -> None:
    ran = host(
        *RESTART, machines={"lost": True, "error": {"kind": "NameNotFound", "text": "mail1 has no address"}}
    )
    assert ran == Ran(2, f"CRITICAL - {TITLE}: mail1 has no address\n", "")
    [found] = entries(host)
    assert (found.texts["state"], found.started) == ("failed", None)


def test_the_requests_reach_the_machine_as_they_were_given(host: Recovery) -> None:
    (host.folder / "input").write_bytes(b"in\0put")
    assert host(*RESTART, "postfix", "--no-dependents", "--settle", "1m", "--verify", "true -x").code == 0
    assert host(*REBOOT, "--min-uptime", "1h").last == f"OK - reboot-server on mail1: {DONE}"
    ran = host(
        *(*PROCESS, *EVENT, "--env", "A=b=c", "--env", "E=", "--cwd", "/srv", "--success-exit-status", "0,3"),
        *("--stdin-file", str(host.folder / "input"), "--", "/bin/x", "{state}", "--", "-v", "a 'b'\n$c ü"),
    )
    assert ran.last == f"OK - external-process /bin/x on mail1: {DONE}"
    requests = [(call["request"], call["verify"]) for call in host.calls() if call["call"] == "run"]
    assert requests == [
        (
            {"services": ["dovecot", "postfix"], "dependents": False, "settle": 60.0, "kill": False},
            "true -x",
        ),
        ({"min_uptime": 3600.0, "during_updates": False}, None),
        (
            {
                "arguments": ["/bin/x", "CRITICAL", "--", "-v", "a 'b'\n$c ü"],
                "environment": {"A": "b=c", "E": ""},
                "stdin": "b'in\\x00put'",
                "cwd": "/srv",
                "success_exit_status": [0, 3],
                "command_line": "",
            },
            None,
        ),
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--state", "OK"), "state OK is none of CRITICAL,DOWN"),
        ((*EVENT, "--notification-type", "RECOVERY"), "notification type RECOVERY is no problem to repair"),
        ((*EVENT, "--alerts", "1-2", "--alert", "3"), "alert 3 is outside 1-2"),
        (
            (*EVENT, "--alerts", "1-2", "--notification-number", "7", "--failures-per-alert", "3"),
            "alert 3 is outside 1-2",
        ),
        ((*EVENT, "--downtime", "2"), "in downtime"),
        ((*EVENT, "--acknowledged"), "acknowledged: somebody is at work on it"),
        ((*EVENT, "--causes", "greeting.*"), "cause connect.refused is not one that this repair can mend"),
    ],
)
def test_a_skip_touches_nothing_and_is_in_the_history(
    host: Recovery, arguments: tuple[str, ...], reason: str
) -> None:
    assert host(*RESTART, *arguments) == Ran(0, f"OK - {TITLE}: skipped: {reason}\n", "")
    assert host.calls() == []
    assert last(host) == {"state": "skipped", "reason": reason, "summary": reason}


def test_nagios_variables_are_the_event(host: Recovery) -> None:
    variables = {
        "NAGIOS_HOSTNAME": "mail1",
        "NAGIOS_SERVICEDESC": "IMAP4",
        "NAGIOS_SERVICESTATE": "CRITICAL",
        "NAGIOS_SERVICESTATETYPE": "HARD",
        "NAGIOS_NOTIFICATIONTYPE": "PROBLEM",
        "NAGIOS_SERVICENOTIFICATIONNUMBER": "2",
        "NAGIOS_SERVICEOUTPUT": "IMAP4 CRITICAL - refused [connect.refused]",
    }
    assert (
        host(*RESTART, "--event", "nagios", "--alerts", "1-2", environ=variables).last
        == f"OK - {TITLE}: {DONE}"
    )
    [found] = entries(host)
    assert found.texts["reason"] == "CRITICAL HARD, alert 2, [connect.refused], 1 of 3 in 1h"
    assert found.texts["asked_by"].startswith(
        "nagios event for mail1/IMAP4: CRITICAL, HARD, PROBLEM, alert 2 (user "
    )
    variables["NAGIOS_SERVICESTATE"] = "OK"
    ran = host(*RESTART, "--event", "nagios", environ=variables)
    assert ran.last == f"OK - {TITLE}: skipped: state OK is none of CRITICAL,DOWN"


def test_a_server_that_greets_in_latin_1_is_repaired_too(host: Recovery) -> None:
    output = os.fsdecode(b"--output=* BYE gr\xfc\xdfe [greeting.closed]")
    verdict = {"outcome": {"summary": "l\u00e4uft"}}
    ran = host(
        *RESTART, *EVENT[:4], output, machines=verdict, environ={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    )
    assert ran == Ran(0, f"OK - {TITLE}: l?uft\n", "")
    event = entries(host)[0].event
    assert event is not None
    assert event["output"] == "* BYE gr??e [greeting.closed]"
    assert host(*PROCESS, "--", os.fsdecode(b"/bin/\xfc")).code == 0
    assert entries(host)[1].texts["subject"] == "/bin/?"


def test_the_second_event_cools_down_and_a_person_does_not(host: Recovery) -> None:
    assert host(*RESTART, *EVENT).last == f"OK - {TITLE}: {DONE}"
    skipped = host(*RESTART, *EVENT).last
    assert skipped.startswith(f"OK - {TITLE}: skipped: cooling down: the last one here ended ")
    assert host(*RESTART).last == f"OK - {TITLE}: {DONE}"


def test_the_limits_hold(host: Recovery) -> None:
    free = (*EVENT, "--cooldown", "none")
    lines = [host(*RESTART, *free, "--at-most", "2/1h").last for _ in range(3)]
    assert lines == [f"OK - {TITLE}: {DONE}"] * 2 + [
        f"OK - {TITLE}: skipped: already done 2 times on this machine in 1h, and --at-most is 2/1h"
    ]
    assert host(*REBOOT, *free, "--at-most", "2/1h", "--fleet-at-most", "none").last.endswith(DONE)
    assert host(*REBOOT, *free, "--fleet-at-most", "3/10m").last == (
        "OK - reboot-server on mail1: skipped: fleet brake: 3 recoveries on all machines in 10m, "
        "and --fleet-at-most is 3/10m; is this host's own network in order?"
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--machines", "mail1*"), "may not be used on web1: it is for mail1* "),
        (
            ("--machines", "198.51.100.0/24"),
            "may not be used on web1 (192.0.2.1): it is for 198.51.100.0/24 ",
        ),
        (("--actions", "reboot-server"), "may not be used for restart-service: it is for reboot-server "),
    ],
)
def test_a_restriction_is_asked_before_any_connection(
    host: Recovery, arguments: tuple[str, ...], reason: str
) -> None:
    assert host("credentials", "set", "mail", *arguments).code == 0
    ran = host(*RESTART, "--machine", "web1")
    assert (ran.code, ran.err) == (2, "")
    assert ran.last.startswith(f"CRITICAL - restart-service dovecot on web1: credential mail {reason}")
    # Only a network needs the address; nothing is looked up for what a name can tell.
    assert [call["call"] for call in host.calls()] == (["locate"] if "192.0.2.1" in reason else [])
    assert entries(host)[-1].texts["state"] == "failed"


def test_two_at_once_one_acts_and_one_skips(host: Recovery) -> None:
    gate = host.folder / "gate"
    os.mkfifo(gate)
    first = host.start(*RESTART, *EVENT, machines={"wait": str(gate)})
    until(lambda: any(call["call"] == "run" for call in host.calls()))
    for arguments in ((*RESTART, *EVENT), RESTART):
        line = host(*arguments, "--machine", "mail1.example.org").last
        assert line.startswith(
            "OK - restart-service dovecot on mail1.example.org: skipped: "
            "the machine is busy: recovery 1 (restart-service) since "
        )
    elsewhere = host(*REBOOT, "--machine", "mail2", machines={"address": "192.0.2.2"})
    assert elsewhere.last == f"OK - reboot-server on mail2: {DONE}"
    gate.write_text("")
    assert first.communicate(timeout=30)[0] == f"OK - {TITLE}: {DONE}\n"
    assert [found.texts["state"] for found in entries(host)] == ["proven", "skipped", "skipped", "proven"]


def test_what_was_killed_is_told_at_the_next_start_and_leaves_no_lock(host: Recovery) -> None:
    gate = host.folder / "gate"
    os.mkfifo(gate)
    process = host.start(*RESTART, machines={"wait": str(gate)})
    until(lambda: [len(entry.steps) for entry in entries(host)[:1]] == [2])
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    ran = host(*RESTART)
    assert ran.last == f"OK - {TITLE}: {DONE}"
    assert ran.err.startswith("imap4-recovery: recovery 1 (restart-service on mail1, ")
    assert ran.err.endswith(
        ") was interrupted after step restart: its process was killed, this host went down, "
        "or its disk was full\n"
    )
    assert [found.texts["state"] for found in entries(host)] == ["interrupted", "proven"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_told_and_written_down(host: Recovery, number: signal.Signals) -> None:
    gate = host.folder / "gate"
    os.mkfifo(gate)
    process = host.start(*RESTART, machines={"wait": str(gate)})
    until(lambda: [len(entry.steps) for entry in entries(host)[:1]] == [2])
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    text = f"ended by {number.name}: what was begun on the machine may go on there"
    assert Ran(process.returncode, out, err) == Ran(2, f"CRITICAL - {TITLE}: {text}\n", "")
    assert last(host) == {"state": "interrupted", "reason": "asked for by hand", "summary": text}


def test_detached_it_outlives_the_engines_kill_and_reaches_the_history(host: Recovery) -> None:
    gate = host.folder / "gate"
    os.mkfifo(gate)
    process = host.start(*RESTART, *EVENT, "--detach", machines={"wait": str(gate)})
    out, err = process.communicate(timeout=30)  # ends only when nobody holds its streams any more
    assert (process.returncode, err) == (0, "")
    assert out == (
        f"OK - {TITLE}: begun as recovery 1 in a session of its own "
        "(CRITICAL HARD, [connect.refused], 1 of 3 in 1h); imap4-recovery history show 1 tells the end\n"
    )
    until(lambda: [len(entry.steps) for entry in entries(host)[:1]] == [2])
    [call] = [call for call in host.calls() if call["call"] == "run"]
    streams = {str(Path(f"/proc/{call['pid']}/fd/{number}").readlink()) for number in range(3)}
    assert streams == {"/dev/null"}
    assert os.getsid(call["pid"]) == call["pid"]
    with pytest.raises(ProcessLookupError):  # what Nagios does after 30 s: nothing of it is left there
        os.killpg(process.pid, signal.SIGKILL)
    assert host(*RESTART, *EVENT).last.startswith(f"OK - {TITLE}: skipped: the machine is busy: recovery 1 ")
    gate.write_text("")
    until(lambda: [entry.texts["state"] for entry in entries(host)[:1]] == ["proven"])
    assert entries(host)[0].texts["summary"] == DONE


def test_detached_it_fills_tokens_from_the_event_that_began_it(host: Recovery) -> None:
    variables = {"NAGIOS_SERVICESTATE": "CRITICAL", "NAGIOS_HOSTNAME": "mail1"}
    ran = host(
        *PROCESS, "--event", "nagios", "--detach", "--", "/bin/x", "{host}", "--continue", environ=variables
    )
    assert ran.last.startswith("OK - external-process /bin/x on mail1: begun as recovery 1 ")
    until(lambda: [entry.texts["state"] for entry in entries(host)[:1]] == ["proven"])
    [call] = [call for call in host.calls() if call["call"] == "run"]
    assert call["request"]["arguments"] == ["/bin/x", "mail1", "--continue"]


def test_a_secret_that_a_machine_prints_reaches_nobody(host: Recovery) -> None:
    machines = {
        "echo_secret": "password",
        "outcome": {
            "summary": f"said {host.password}",
            "verify": f"x {host.password}",
            "proof": host.password,
        },
    }
    for arguments in ((*RESTART, "-v"), (*RESTART, "--json", "-v")):
        ran = host(*arguments, machines=machines)
        assert ran.code == 0
        assert host.password not in ran.out + ran.err
        assert "said ***" in ran.out
    for error in ({"error": {"kind": "LoginFailed", "text": f"no {host.password}"}}, {"bug": host.password}):
        ran = host(*RESTART, machines=error)
        assert ran.code == 2
        assert host.password not in ran.out + ran.err


def test_a_bug_is_one_line_and_ends_the_entry(host: Recovery) -> None:
    ran = host(*RESTART, machines={"bug": "oh"})
    assert (ran.code, ran.err) == (2, "")
    assert ran.out.startswith(
        f"CRITICAL - {TITLE}: internal error, please report it: ValueError at machines_stand_in.py:"
    )
    assert last(host)["state"] == "failed"


def test_no_secret_is_on_any_command_line_or_in_any_environment(host: Recovery) -> None:
    gate = host.folder / "gate"
    os.mkfifo(gate)
    assert host(*RESTART, "--detach", machines={"wait": str(gate)}).code == 0
    until(lambda: any(call["call"] == "run" for call in host.calls()))
    seen = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        seen += b"restart-service" in shown
        assert host.password.encode() not in shown
    assert seen
    gate.write_text("")
    until(lambda: [entry.texts["state"] for entry in entries(host)[:1]] == ["proven"])


@pytest.mark.parametrize(
    ("verdict", "code", "word", "would"),
    [
        ("failed", 2, "CRITICAL", "would fail: plan"),
        ("not proven", 1, "WARNING", "would fail: plan"),
        ("skipped", 0, "OK", "would skip"),
    ],
)
def test_a_dry_run_ends_as_the_action_would(
    host: Recovery, verdict: str, code: int, word: str, would: str
) -> None:
    ran = host(
        *RESTART, "--dry-run", machines={**FINE, "plan": {"verdict": verdict, "reason": "no such unit"}}
    )
    assert (ran.code, ran.last) == (code, f"{word} - {TITLE}: dry run, {would}: no such unit")


def test_dry_run_prints_the_plan_and_leaves_no_entry(host: Recovery) -> None:
    assert host(*RESTART, "--dry-run", machines=FINE) == Ran(
        0,
        "restart dovecot.service (active, invocation 3f2a)\nthen start mail-filter.service\n"
        f"OK - {TITLE}: dry run, would act: asked for by hand\n",
        "",
    )
    assert host(*RESTART, *EVENT, "--dry-run", "--downtime").out == (
        f"OK - {TITLE}: dry run, would skip: in downtime\n"
    )
    assert entries(host) == []
    assert not any(call["call"] == "run" for call in host.calls())


@pytest.mark.parametrize(
    ("machines", "lines", "first"),
    [
        (
            {"findings": [[False, "privilege", "sudo says no", "add (visudo):\nx ALL=(root) NOPASSWD: a|b"]]},
            "restart dovecot.service (active, invocation 3f2a)\nthen start mail-filter.service\n"
            "privilege: sudo says no\n    add (visudo):\n    x ALL=(root) NOPASSWD: a|b\n",
            "privilege: sudo says no",
        ),
        ({"findings": [[False, "login", "refused"]]}, "login: refused\n", "login: refused"),
        (
            {**FINE, "plan": {"verdict": "failed", "reason": "dovecot.service does not exist"}},
            "restart dovecot.service (active, invocation 3f2a)\nthen start mail-filter.service\n"
            "plan: dovecot.service does not exist\n",
            "plan: dovecot.service does not exist",
        ),
    ],
)
def test_a_dry_run_of_what_would_fail_fails(
    host: Recovery, machines: dict[str, Any], lines: str, first: str
) -> None:
    ran = host(*RESTART, "--dry-run", machines=machines)
    assert ran == Ran(2, f"{lines}CRITICAL - {TITLE}: dry run, would fail: {first}\n", "")


def test_a_clock_that_is_off_keeps_no_repair_from_working(host: Recovery) -> None:
    says = {"findings": [[False, "clock", "within 60 s of ours"]]}
    assert host(*RESTART, "--dry-run", machines=says).code == 0


@pytest.mark.parametrize("more", [(), ("--dry-run",), EVENT])
def test_a_plugin_that_is_not_there_shows_before_anything_is_done(
    host: Recovery, more: tuple[str, ...]
) -> None:
    ran = host(*RESTART, *more, "--verify", "/usr/lib/no/check_imap4 -H mail1")
    assert ran == Ran(
        3,
        f"UNKNOWN - {TITLE}: --verify: /usr/lib/no/check_imap4 is not there, so that no repair could be "
        "proven; nothing was done\n",
        "",
    )
    assert host.calls() == []


def test_explain_tells_every_rule(host: Recovery) -> None:
    rules = (
        "notification type",
        "state",
        "state type",
        "downtime",
        "acknowledged",
        "alerts",
        "causes",
        "pause",
    )
    limits = ("lock", "cooldown", "at-most", "fleet-at-most")
    assert host(*RESTART, *EVENT, "--explain").out == (
        "".join(f"{rule}: no objection\n" for rule in (*rules, *limits)) + f"OK - {TITLE}: {DONE}\n"
    )
    told = host(*RESTART, *EVENT, "--downtime", "--explain").out.splitlines()
    assert told[3] == "downtime: in downtime"
    assert told[-1] == f"OK - {TITLE}: skipped: in downtime"
    assert len(told) == len(rules) + 1


def test_verbose_prints_steps_before_the_last_line(host: Recovery) -> None:
    assert host(*RESTART, "-v").out == (
        "    0.1 s  connect: as recovery\n    0.5 s  restart: asked\n" + f"OK - {TITLE}: {DONE}\n"
    )


def test_verbose_prints_what_a_process_printed(host: Recovery) -> None:
    machines = {
        "outcome": {"summary": "exit status 0", "facts_after": {"stdout": "one\ntwo\x1b[0m\n", "stderr": ""}}
    }
    assert host(*PROCESS, "-v", "--", "/bin/x", machines=machines).out.splitlines()[2:] == [
        *("stdout: one", "stdout: two [0m", "OK - external-process /bin/x on mail1: exit status 0")
    ]


def test_json_is_one_document_with_everything(host: Recovery) -> None:
    ran = host(*RESTART, "--json", "-v", "--explain")
    assert ran.err.splitlines()[-1] == "    0.5 s  restart: asked"
    assert json.loads(ran.out) == {
        "verdict": "proven",
        "exit_code": 0,
        "line": f"OK - {TITLE}: {DONE}",
        "summary": DONE,
        "action": "restart-service",
        "subject": "dovecot",
        "machine": "mail1",
        "history": 1,
        "proof": "invocation changed",
        "verify": "IMAP4 OK",
        "facts_before": {"invocation": "3f2a"},
        "facts_after": {"invocation": "9c11"},
        "steps": [
            {"at": 0.1, "name": "connect", "text": "as recovery"},
            {"at": 0.5, "name": "restart", "text": "asked"},
        ],
        "seconds": 4.1,
    }
    skipped = json.loads(host(*RESTART, "--state", "OK", "--json").out)
    assert (skipped["verdict"], skipped["exit_code"], skipped["history"]) == ("skipped", 0, 2)


def test_a_machines_text_cannot_break_the_line(host: Recovery) -> None:
    machines = {"outcome": {"summary": "a\nb\x1b[31m | load=1\u202e"}}
    assert host(*RESTART, machines=machines).out == f"OK - {TITLE}: a b [31m / load=1\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (RESTART[:5], "imap4-recovery restart-service: the following arguments are required: --service; see"),
        ((*RESTART, "--machne", "x"), "there is no option --machne; did you mean --machine?"),
        ((*RESTART, "--at-most", "3"), "argument --at-most: '3' is not a rate; write 3/1h for"),
        ((*RESTART, "--cooldown", "soon"), "argument --cooldown: 'soon' is not a duration"),
        ((*RESTART, "--timeout", "0"), "argument --timeout: '0' leaves no time at all"),
        ((*RESTART, "--alerts", "0"), "argument --alerts: '0' is not a range: 0 holds no number from 1 on"),
        ((*RESTART, "--causes", "foo"), "argument --causes: 'foo' is no cause"),
        ((*RESTART, "--states", "OK"), "argument --states: 'OK' is no list of problem states"),
        ((*RESTART, "--port", "70000"), "argument --port: '70000' is not a port from 1 to 65535"),
        ((*RESTART, "--verify", "a 'b"), 'argument --verify: "a \'b": No closing quotation'),
        ((*RESTART, "--service", "-x"), "argument --service: expected at least one argument"),
        ((*RESTART, "--service", "a/b"), "argument --service: 'a/b' is no service's name"),
        ((*RESTART, "--alert", "2"), "imap4-recovery: the event has no state: give --state"),
        (
            (*RESTART, "--event", "nagios"),
            "Nagios sets them with enable_environment_macros=1 in nagios.cfg, Naemon never;",
        ),
        ((*RESTART, "--continue", "9"), "--continue 9: there is no such recovery to take over"),
        (PROCESS, "external-process: give the command after --, such as: -- /bin/true"),
        ((*PROCESS, "--"), "external-process: give the command after --, such as: -- /bin/true"),
        ((*PROCESS, "--", "x", "{host}"), "{host} is filled from an event, and there is none"),
        ((*PROCESS, "--env", "1=2", "--", "x"), "argument --env: '1' is not NAME=VALUE"),
        (
            (*PROCESS, "--success-exit-status", "4294967296", "--", "x"),
            "'4294967296' is no list of exit statuses",
        ),
        (
            (*PROCESS, "--stdin-file", "/nowhere", "--", "x"),
            "cannot read /nowhere: No such file or directory",
        ),
        ((), "imap4-recovery: the following arguments are required: COMMAND"),
        (("restart",), "did you mean restart-service?"),
    ],
)
def test_a_mistake_is_one_clear_line(host: Recovery, arguments: tuple[str, ...], error: str) -> None:
    ran = host(*arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1), ran
    assert error in ran.err
    assert host.calls() == []


def test_an_unknown_credential_is_told_and_written_down(host: Recovery) -> None:
    ran = host(*RESTART, "--credential", "male")
    text = f"there is no credential 'male' in {host.paths.credentials}; it holds mail"
    assert ran == Ran(3, f"UNKNOWN - {TITLE}: {text}\n", "")
    assert last(host) == {"state": "failed", "reason": text, "summary": text}


def test_a_damaged_history_is_told_and_nothing_is_tried(host: Recovery) -> None:
    host.paths.state.mkdir(exist_ok=True)
    (host.paths.state / "history.db").write_bytes(b"no database " * 100)
    ran = host(*RESTART)
    # On standard output: an engine shows nothing else.
    assert ran == Ran(
        3,
        f"UNKNOWN - {TITLE}: the history {host.paths.state}/history.db is damaged (file is not a database); "
        "it is left as it is: restore it from a backup, or move it away to begin a new one; "
        "no repair was begun\n",
        "",
    )
    assert host.calls() == []


@pytest.mark.parametrize("arguments", [(), ("restart-service",), ("credentials", "add"), ("history", "list")])
def test_help_is_on_standard_output_with_exit_code_zero(
    recovery: Recovery, arguments: tuple[str, ...]
) -> None:
    ran = recovery(*arguments, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("usage: imap4-recovery")


def test_history_lists_and_shows(host: Recovery) -> None:
    host(*RESTART)
    host(*RESTART, "--state", "OK")
    lines = host("history", "list").out.splitlines()
    assert [line.split(" ", 3)[3] for line in lines] == [
        f"{TITLE}: proven: {DONE}",
        f"{TITLE}: skipped: state OK is none of CRITICAL,DOWN",
    ]
    assert len(json.loads(host("history", "list", "--json", "--last", "1").out)) == 1
    assert host("history", "list", "--machine", "mail2") == Ran(
        0,
        "",
        f"imap4-recovery: no recovery in {host.paths.state}: none of these; "
        "imap4-recovery history list --all has every one\n",
    )
    for chosen, count in (
        (("--since", "1h"), 2),
        (("--since", "0s"), 0),
        (("--action", "restart-service", "--machine", "mail1"), 2),
        (("--action", "reboot-server"), 0),
    ):
        assert len(host("history", "list", *chosen).out.splitlines()) == count
    shown = host("history", "show", "1").out.splitlines()
    assert "  proof: invocation changed" in shown
    assert "      0.5 s  restart: asked" in shown
    assert json.loads(host("history", "show", "2", "--json").out)["event"]["state"] == "OK"
    assert host("history", "show", "3").err == (
        f"imap4-recovery: there is no entry 3 in {host.paths.state}/history.db\n"
    )
    assert host("history", "prune", "--older-than", "1d").out == "Removed 0 entries older than 1d.\n"
    assert host("history", "prune", "--older-than", "1h").code == 3


def test_history_never_sends_a_machines_control_characters_to_the_terminal(host: Recovery) -> None:
    machines = {
        "outcome": {"summary": "a\x1b]0;title\x07", "facts_after": {"stdout": "one\n\x1b[2Jtwo\n", "x": None}}
    }
    host(*PROCESS, "--", "/bin/x", machines=machines)
    shown = host("history", "show", "1").out
    assert "\x1b" not in shown + host("history", "list").out
    assert "  facts after: stdout: one\n  facts after: stdout:  [2Jtwo\n" in shown
    assert "facts after: x" not in shown


def test_on_a_terminal_the_steps_are_shown_while_somebody_waits(host: Recovery) -> None:
    reading, terminal = pty.openpty()
    process = subprocess.run(
        [sys.executable, PROGRAM, *RESTART],
        env=host.environment({"outcome": {}}, {"TERM": "xterm"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
    )
    os.close(terminal)
    seen = b""
    with suppress(OSError):  # a terminal that nobody writes to any more ends with EIO
        while part := os.read(reading, 65536):
            seen += part
    os.close(reading)
    assert (process.returncode, process.stdout) == (0, f"OK - {TITLE}: {DONE}\n")
    assert b"0.1 s  connect: as recovery" in seen
    assert b"restart-service dovecot on mail1: restart" in seen


def test_services_doctor_and_machines_look(host: Recovery) -> None:
    machine = ("--machine", "mail1", "--credential", "mail")
    assert host("services", *machine, "d*").out == (
        "dovecot.service: active (Dovecot); dependents: mail-filter.service\nssh.service: active (OpenSSH)\n"
    )
    paths = host.paths
    here = (
        f"ok   files: store {paths.credentials}, key {paths.key}, history {paths.state}, not made yet\n"
        f"ok   user: {caller()}, whose files, keys and known hosts are looked at\n"
        f"ok   credential: mail in {paths.credentials}: recovery with ssh-password, for "
        "restart-service, reboot-server, external-process\n"
    )
    assert host("doctor", *machine, "--service", "dovecot") == Ran(
        2,
        f"{here}ok   name: mail1 is 192.0.2.1\nBAD  sudo: a password is asked for\n"
        "       recovery ALL=(root) NOPASSWD: x\n",
        "",
    )
    refused = host("services", "--machine", "web1", "--credential", "mail")
    assert (refused.code, refused.out) == (2, "")
    host(*RESTART)
    (host.folder / ".ssh").mkdir()
    (host.folder / ".ssh" / "known_hosts").write_text(
        "mail1,192.0.2.1 ssh-ed25519 A\n[mail9]:2222 ssh-ed25519 A\n|1|a|b ssh-ed25519 A\n"
        "@revoked old ssh-ed25519 A\n*.example.org ssh-ed25519 A\n# comment\n\n"
    )
    known = f"{host.folder}/.ssh/known_hosts"
    listed = host("machines")
    assert listed.out == (
        f"mail*: credential mail\nmail1: {known}, history\nmail9: {known}\n192.0.2.1: {known}\n"
    )
    assert listed.err == "imap4-recovery: 1 names in known_hosts are hashed and cannot be listed\n"


@pytest.mark.parametrize(
    ("machines", "counts"),
    [
        ({"error": {"kind": "ConnectFailed", "text": "mail1: connection reset by peer"}}, False),
        ({"error": {"kind": "PrivilegeMissing", "text": "sudo says no"}}, False),
        (
            {"outcome": {"verdict": "failed", "summary": "no such unit; nothing was done", "acted": False}},
            False,
        ),
        # Many in a row would lock the account.
        ({"error": {"kind": "LoginFailed", "text": "mail1: refused"}}, True),
        ({"outcome": {"verdict": "failed", "summary": "does not run"}}, True),
    ],
)
def test_only_what_acted_counts_for_the_limits(
    host: Recovery, machines: dict[str, Any], counts: bool
) -> None:
    assert host(*RESTART, *EVENT, machines=machines).code == 2
    again = host(*RESTART, *EVENT)
    assert ("skipped: cooling down" in again.last) is counts, again
    assert entries(host)[0].texts["state"] == "failed"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB for the history."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this host mounts no file system for us")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> None:
    with suppress(OSError), (place / "full").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_disk_that_is_full_from_the_begin_is_told_on_standard_output(
    host: Recovery, small_disk: Path
) -> None:
    options = ("--state-folder", str(small_disk))
    assert host(*RESTART, *EVENT, *options).code == 0
    fill(small_disk)
    ran = host(*RESTART, "--service", "postfix", *options)
    assert ran.code in (2, 3)
    assert re.fullmatch(
        r"(CRITICAL|UNKNOWN) - restart-service dovecot postfix on mail1: .*; no repair was begun", ran.last
    ), ran


def test_a_disk_that_fills_in_the_middle_ends_no_repair_and_hides_no_end(
    host: Recovery, small_disk: Path
) -> None:
    gate = host.folder / "gate"
    os.mkfifo(gate)
    process = host.start(*RESTART, "--state-folder", str(small_disk), machines={"wait": str(gate)})
    until(lambda: "run" in [call["call"] for call in host.calls()])
    fill(small_disk)
    gate.write_text("go on\n")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith(f"OK - {TITLE}: {DONE}; not all of it is in the history: cannot use the history")


def test_a_text_with_a_bar_is_told_as_it_is_beside_the_last_line(recovery: Recovery) -> None:
    """The last line cannot have one, and a line for sudoers that was changed is another line."""
    recovery.add_credential()
    line = (
        r"add to its sudoers (visudo): recovery ALL=(root) NOPASSWD: /usr/bin/timeout ^-k 2 [0-9]+ /x a\|b$"
    )
    ran = recovery(
        *("external-process", "--machine", "mail1", "--credential", "mail", "--", "/x", "a|b"),
        machines={"error": {"kind": "PrivilegeMissing", "text": line}},
    )
    shown = line.replace("|", "/")
    assert ran.out == f"CRITICAL - external-process /x on mail1: {shown}\n"
    assert ran.err == f"with its bars: {line}\n"
