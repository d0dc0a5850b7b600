"""What is computed without a machine: parsing, ordering, wording."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.actions.external_process import facts, judge
from recovery.actions.reboot_server import new_run, refuse
from recovery.actions.steps import Story, in_time, printable
from recovery.actions.verify import conclude, parse, verify
from recovery.errors import UsageError
from recovery.machines.services import matches
from recovery.model import CommandResult, Ended, Verdict
from recovery.platforms import MachineFacts, check_name
from recovery.platforms.linux import parse_machine
from recovery.platforms.systemd import Systemd, parse_show
from recovery.platforms.sysv import SysV, parse_facts, start_order
from recovery.requests import ProcessRequest, RebootRequest
from recovery.transports.link import NoLine
from recovery.transports.sudoers import line_for_process, lines_for


@pytest.mark.parametrize("name", ["dovecot", "getty@tty1.service", "dev-disk-by\\x2duuid.swap", "a:b_c.d"])
def test_names_of_units_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-x", "a b", "a;b", "a\n", "$(x)", "a/b", "*", "ü"])
def test_names_that_no_unit_has_are_usage_errors(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)


def test_unit_names_are_completed() -> None:
    assert Systemd().canonical("dovecot") == "dovecot.service"
    assert Systemd().canonical("dovecot.socket") == "dovecot.socket"
    assert SysV().canonical("dovecot.service") == "dovecot"


def test_show_block_becomes_facts() -> None:
    block = (
        "Type=simple\nMainPID=7\nNRestarts=2\nResult=success\nId=a.service\nRequiredBy=b.service\n"
        "ConsistsOf=c.service b.service\nDescription=A = B\nLoadState=loaded\nActiveState=active\n"
        "SubState=running\nInvocationID=ab\nJob=12"
    )
    found = parse_show("alias.service", block)
    assert (found.name, found.pid, found.restarts, found.run, found.busy) == ("a.service", 7, 2, "ab", True)
    assert found.dependents == ("b.service", "c.service")
    assert found.description == "A = B"
    assert found.running


@pytest.mark.parametrize(
    ("status", "pid", "state", "run"),
    [
        ("0", "7", "active", "7/99"),
        ("0", "", "active", ""),
        ("1", "", "failed", ""),
        ("3", "7", "inactive", ""),
        ("4", "7", "active", "7/99"),
        ("4", "", "inactive", ""),
    ],
)
def test_status_of_an_init_script_becomes_a_state(status: str, pid: str, state: str, run: str) -> None:
    block = f"name=d\nstatus={status}\ndescription=\n" + (f"pid={pid}\nstart=99\n" if pid else "")
    found = parse_facts(block, {"w": frozenset({"d"})})
    assert (found.state, found.run, found.dependents) == (state, run, ("w",))


def test_init_scripts_start_after_those_they_need() -> None:
    needed = {"web": frozenset({"imap"}), "imap": frozenset({"db"}), "db": frozenset({"web"})}
    assert start_order(["web", "imap"], needed) == ["imap", "web"]
    assert start_order(["imap", "web", "db"], needed) == ["web", "db", "imap"]


def test_lines_for_escape_what_sudoers_reads() -> None:
    assert lines_for("mon", [("/usr/bin/systemctl", "restart", "a:b\\x2d*.service")]) == [
        "mon ALL=(root) NOPASSWD: /usr/bin/systemctl restart a\\:b\\\\\\\\x2d\\*.service"
    ]
    assert lines_for("ACME\\ann lee", [("/bin/x",)]) == ["ACME\\\\ann\\ lee ALL=(root) NOPASSWD: /bin/x"]
    request = ProcessRequest(("/bin/fix", "a.b", "#1"))
    assert line_for_process("mon", request) == (
        "mon ALL=(root) NOPASSWD: /usr/bin/timeout ^-k 2 [0-9]+ /bin/fix a\\.b \\#1$"
    )


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (
            ProcessRequest(("/bin/fix",), environment={"MODE": "1"}),
            "with --env (SETENV) it would allow",
        ),
        (ProcessRequest(("/bin/fix",), stdin=b"x"), "sudo does not limit what the command reads"),
        (ProcessRequest(("fix",)), "fix is not a full path"),
        (ProcessRequest(("/bin/../home/mon/fix",)), "/bin/../home/mon/fix is not a full path"),
        (ProcessRequest(("/bin/fix", "a b")), "sudo cannot tell where an argument with white space"),
        (ProcessRequest(("/bin/fix", "")), "sudo cannot tell where an argument with white space"),
        (ProcessRequest(("/bin/sh",)), "sh runs what it is given"),
        (ProcessRequest(("/usr/bin/python3.11", "-")), "python3.11 runs what it is given"),
        (ProcessRequest(("/usr/bin/env", "A=1", "/bin/fix", "x")), "env runs other programs"),
        (ProcessRequest(("/usr/bin/less", "/var/log/mail.log")), "less runs other programs"),
    ],
)
def test_a_command_that_no_line_can_hold_to_itself_has_none(request_: ProcessRequest, why: str) -> None:
    with pytest.raises(NoLine) as refused:
        line_for_process("mon", request_)
    assert str(refused.value).startswith(f"no line of sudoers can allow just this, since {why}")


def test_the_line_of_an_interpreter_names_its_script_and_the_folder() -> None:
    request = ProcessRequest(("/bin/sh", "/opt/fix", "a,b=c:d"), cwd="/srv/a b")
    assert line_for_process("mon", request) == (
        "mon ALL=(root) CWD=/srv/a\\ b NOPASSWD: "
        "/usr/bin/timeout ^-k 2 [0-9]+ /bin/sh /opt/fix a\\,b\\=c\\:d$"
    )


def test_age_of_a_container_is_its_own() -> None:
    text = "boot_id=abc\nfirst_process=500\nticks=100\nnow=1550\nmarker=yes\nmachine_id=f00d\n"
    assert parse_machine(text) == MachineFacts("abc", "500", 10.5, True, machine_id="f00d")


@pytest.mark.parametrize(
    ("boot_id", "uptime", "reboot", "reason"),
    [
        ("abc", 700, "", ""),
        ("abc", 59, "", "the machine came up only 59.0 s ago (--min-uptime 10 min 0 s)"),
        ("abc", 700, "it is going down", "a reboot is already under way: it is going down"),
        ("", 700, "", "the machine does not tell its boot id, so no reboot could be proven"),
    ],
)
def test_reboot_is_refused_for_a_reason(boot_id: str, uptime: float, reboot: str, reason: str) -> None:
    assert refuse(MachineFacts(boot_id, "1", uptime, False, reboot), RebootRequest()) == reason


def test_left_over_processes_are_told() -> None:
    result = CommandResult(Ended.TIMED_OUT, None, seconds=3.0, unstoppable=True)
    assert judge(result, ProcessRequest(("fix",))) == (
        "fix failed after 3.0 s (killed by the time-out, but some of its processes, "
        "which are another account's, still run)",
        False,
    )
    assert facts(result)["ended"] == "killed by the time-out"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (None, True),
        ("cot", True),
        ("dove*", True),
        ("*cot", True),
        ("dove", True),
        ("x*", False),
        ("post", False),
    ],
)
def test_services_are_picked_by_pattern(pattern: str | None, found: bool) -> None:
    assert matches("dovecot.service", pattern) is found


def test_text_of_a_machine_becomes_one_clean_line() -> None:
    assert printable("a\x1b[31mb\n\tc\x00") == "a [31mb c"
    assert (in_time(4.12), in_time(200)) == ("4.1 s", "3 min 20 s")


@pytest.mark.parametrize(("command", "message"), [("", "is empty"), ("a 'b", "No closing quotation")])
def test_impossible_verify_is_a_usage_error(command: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(command)


def test_verify_is_tried_until_it_is_good(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\ntest -e {flag} && echo OK && exit 0\ntouch {flag}\necho BAD\nexit 2\n")
    plugin.chmod(0o755)
    story = Story()
    outcome = conclude(story, "done", str(plugin), Deadline(20))
    assert (outcome.verdict, outcome.summary, outcome.verify) == (Verdict.PROVEN, "done, OK", "OK")
    assert [step.text for step in outcome.steps] == ["BAD", "OK"]


def test_verify_that_hangs_ends_with_the_deadline() -> None:
    found = verify(f'{sys.executable} -c "import time; time.sleep(60)"', Deadline(0.5))
    assert not found.ok
    assert found.line.endswith(": no result within 0 s")


def test_verify_that_cannot_be_run_is_told() -> None:
    assert verify("/no/such/plugin -H x", Deadline(0.3)).line == "/no/such/plugin: No such file or directory"


def test_verify_is_given_to_no_shell(tmp_path: Path) -> None:
    verify(f"/bin/echo x; touch {tmp_path}/made", Deadline(1))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        (MachineFacts("abc1x", "1", 5, False), ""),
        (MachineFacts("def2x", "1", 5, False), "boot id abc1 -> def2"),
        # A container that shows its host's boot id: its first process began anew, and the marker is gone.
        (MachineFacts("abc1x", "2", 5, False), "a new first process, boot id abc1 as before"),
        (MachineFacts("abc1x", "2", 5, True), ""),
        (MachineFacts("", "1", 5, False), ""),
    ],
)
def test_a_new_run_of_a_machine_has_three_witnesses(after: MachineFacts, shown: str) -> None:
    assert new_run(MachineFacts("abc1x", "1", 900, True), after) == shown
