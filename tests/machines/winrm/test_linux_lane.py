"""Every script in PowerShell for this machine, with stand-ins for what only Windows has."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imap4.deadline import Deadline
from recovery.decision.turns import Turn
from recovery.errors import PrivilegeMissing, Refused
from recovery.model import CommandResult, Ended
from recovery.platforms import RepairUnderWay, turns
from recovery.platforms.windows import Windows
from recovery.platforms.windows.about import about
from recovery.platforms.windows.process import run_process
from recovery.transports.link import Link
from tests.machines.winrm import lanes
from tests.machines.winrm.lanes import PowerShellTransport, WarmPowerShell, WarmTransport

STAND_INS = Path(__file__).parent / "standins"
COMPAT = lanes.ROOT / "tools" / "compat51" / "compat51.ps1"
RUNNING = {"state": 4}


class Lane:
    """Scripts on a Windows that a JSON text describes; each script sees it as it was described."""

    def __init__(self, folder: Path, transport: PowerShellTransport) -> None:
        self.log = folder / "calls"
        self.log.touch()
        self.standin: dict[str, Any] = {"services": {}, "processes": {}, "uptime": 86400}
        self.transport = transport
        self.platform = Windows()

    def link(self) -> Link:
        self.transport.variables = {
            "STANDIN": json.dumps(self.standin),
            "STANDIN_LOG": str(self.log),
            "STANDIN_TURNS": str(self.log.with_name("turns")),
        }
        return Link(lambda _: self.transport)

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines()

    def restart(self, *names: str, dependents: tuple[str, ...] = (), alone: bool = False, kill: bool = False,
                seconds: float = 90, script_seconds: float | None = None) -> CommandResult:  # fmt: skip
        self.transport.script_seconds = script_seconds
        with self.link() as link:
            return self.platform.restart(
                link, names, dependents, alone=alone, kill=kill, deadline=Deadline(seconds)
            )


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmPowerShell]:
    shared = WarmPowerShell(lanes.needed("linux"))
    yield shared
    shared.close()


@pytest.fixture
def lane(tmp_path: Path, warm: WarmPowerShell) -> Lane:
    """All scripts in one PowerShell, each in a runspace of its own."""
    return Lane(tmp_path, WarmTransport([], os.environ, STAND_INS, warm=warm))


@pytest.fixture
def cold_lane(tmp_path: Path) -> Lane:
    """As over WinRM: each script in a PowerShell of its own, with the bootstrap."""
    return Lane(tmp_path, PowerShellTransport([lanes.needed("linux")], os.environ, STAND_INS))


def test_leaves_stop_first_and_start_last(cold_lane: Lane) -> None:
    cold_lane.standin["services"] = {
        "store": RUNNING,
        "mail": {"state": 4, "needs": ["store"]},
        "web": {"state": 4, "needs": ["mail"]},
        "idle": {"state": 1, "needs": ["store"]},
    }
    result = cold_lane.restart("store")
    assert (result.ok, result.notes) == (True, ())
    assert cold_lane.calls == [
        "guard",
        *("stop web", "stop mail", "stop store"),
        *("start store", "start mail", "start web"),
    ]


@pytest.mark.parametrize(
    ("services", "why"),
    [
        ({"a": {"state": 4, "start": 4}}, "a is disabled, so it could not be started again (error 1058)"),
        ({"a": {"state": 4, "deleted": True}}, "a is marked for deletion, so it could not be started again"),
        ({"a": {"state": 4, "needs": ["b"]}}, "a depends on b, which does not exist, so it could not be st"),
        ({"a": {"state": 4, "cluster": "SQL (1)"}}, "a belongs to the cluster's group 'SQL (1)': the clust"),
        ({"a": RUNNING, "WinRM": {"state": 4, "needs": ["a"]}}, "WinRM would stop"),
        ({"b": RUNNING}, "a does not exist"),
    ],
    ids=["disabled", "deleted", "needs", "cluster", "vital", "gone"],
)
def test_what_could_not_be_started_again_is_not_stopped(lane: Lane, services: Any, why: str) -> None:
    lane.standin["services"] = services
    with pytest.raises(Refused) as caught:
        lane.restart("a")
    assert str(caught.value).startswith(f"the machine refused: {why}")
    assert str(caught.value).endswith("; nothing was done")
    assert lane.calls == []


@pytest.mark.parametrize(
    ("services", "why"),
    [
        (
            {"a": {"state": 4, "denied": [16]}},
            "a: this account lacks the right to start it (RP in sc.exe sdshow)",
        ),
        (
            {"a": {"state": 4, "denied": [32]}},
            "a: this account lacks the right to stop it (WP in sc.exe sdshow)",
        ),
        (
            {"a": {"state": 4, "hidden": True}},
            "a cannot be seen: this account lacks the right to query its stat",
        ),
        (
            {"a": RUNNING, "b": {"state": 4, "needs": ["a"], "hidden": True}},
            "a: b cannot be seen: this account ",
        ),
    ],
    ids=["start", "stop", "hidden", "dependent"],
)
def test_missing_right_is_named_before_anything_is_stopped(lane: Lane, services: Any, why: str) -> None:
    lane.standin["services"] = services
    with pytest.raises(PrivilegeMissing) as caught:
        lane.restart("a")
    assert str(caught.value).startswith(why)
    assert "docs/windows.md has the script that grants it; nothing was done" in str(caught.value)
    assert lane.calls == []


@pytest.mark.parametrize("code", [109, 1062], ids=["crashed", "ended by itself"])
def test_stopped_is_stopped_whatever_stop_said(lane: Lane, code: int) -> None:
    lane.standin["services"] = {"a": {"state": 4, "stop": {"code": code, "dies": True}}}
    assert lane.restart("a").ok
    assert lane.calls == ["guard", "stop a", "start a"]


@pytest.mark.parametrize("code", [1061, 1052])
def test_service_that_takes_no_control_now_is_asked_again(lane: Lane, code: int) -> None:
    lane.standin["services"] = {"a": {"state": 4, "stop": {"code": code, "times": 2}}}
    assert lane.restart("a").ok
    assert lane.calls == ["guard", "stop a", "stop a", "stop a", "start a"]


def test_dependent_that_was_started_meanwhile_is_taken_in(lane: Lane) -> None:
    lane.standin["services"] = {"a": {"state": 4, "starts": "b"}, "b": {"state": 1, "needs": ["a"]}}
    result = lane.restart("a")
    assert result.ok
    assert result.notes == ("b, which depends on a, was started meanwhile and is restarted too",)
    assert lane.calls == ["guard", "stop a", "stop b", "stop a", "start a", "start b"]


def test_stop_that_blocks_and_never_ends_leaves_nothing_down(lane: Lane) -> None:
    lane.standin["services"] = {
        "a": {"state": 4, "stop": {"blocks": 60000}},
        "b": {"state": 4, "needs": ["a"]},
    }
    result = lane.restart("a", script_seconds=6)
    assert b"a could not be stopped: a did not stop within" in result.stderr
    assert lane.calls == ["guard", "stop b", "stop a", "start b"]


def test_starting_service_is_waited_for_and_then_stopped(lane: Lane) -> None:
    lane.standin["services"] = {"a": {"state": 3, "stop": {"never": True}}}
    result = lane.restart("a", script_seconds=5)
    assert b"a could not be started: it is still stopping" in result.stderr
    assert any("starts a as soon as that can be" in note for note in result.notes)


@pytest.mark.parametrize(
    ("start", "said", "starts"),
    [
        ({"ends": [32]}, "", 2),
        ({"ends": [32, 32]}, "a could not be started: it ended: problem (error 32)", 2),
        ({"ends": [1066, 1066], "own": 7}, "it ended with its own code 7 (error 1066)", 2),
        ({"code": 1058}, "a could not be started: problem (error 1058)", 1),
        ({"never": True}, "a could not be started: it did not start within", 1),
    ],
    ids=["once", "twice", "own code", "disabled meanwhile", "never"],
)
def test_start_that_fails_is_tried_once_more_and_told(lane: Lane, start: Any, said: str, starts: int) -> None:
    lane.standin["services"] = {"a": {"state": 4, "start_call": start}}
    result = lane.restart("a", script_seconds=9)
    assert result.ok == (not said)
    assert said in result.stderr.decode()
    assert lane.calls.count("start a") == starts


def test_service_that_disappears_ends_the_wait_at_once(lane: Lane) -> None:
    lane.standin["services"] = {"a": {"state": 4, "gone": True}}
    result = lane.restart("a")
    assert b"a could not be stopped: it no longer exists (error 1060)" in result.stderr
    assert lane.calls == ["guard", "stop a"]


@pytest.mark.parametrize(
    ("change", "said", "killed"),
    [
        ({}, "", ["kill 700", "kill 701"]),
        ({"actions": [1]}, "", ["kill 700", "kill 701"]),
        ({"actions": [1, 2]}, "it was not killed: its failure actions would reboot the computer", []),
        ({"actions": [3]}, "it was not killed: its failure actions would run a program", []),
    ],
    ids=["alone", "restarts", "reboots", "runs"],
)
def test_kill_takes_the_family_and_minds_failure_actions(
    lane: Lane, change: Any, said: str, killed: list[str]
) -> None:
    lane.standin["services"] = {"a": {"state": 4, "process": 700, "stop": {"never": True}, **change}}
    lane.standin["processes"] = {
        "700": {"parent": 1, "began": 5, "name": "wrapper.exe"},
        "701": {"parent": 700, "began": 6, "name": "java.exe"},
    }
    result = lane.restart("a", kill=True, script_seconds=6)
    assert [call for call in lane.calls if call.startswith("kill")] == killed
    assert said in result.stderr.decode()
    if killed:
        assert result.ok
        assert result.notes[0] == "killed a (process 700), java.exe (process 701) of a"


def test_kill_that_is_not_allowed_names_the_process_and_not_the_service(lane: Lane) -> None:
    lane.standin["services"] = {"a": {"state": 4, "process": 700, "stop": {"never": True}}}
    lane.standin["processes"] = {"700": {"parent": 1, "began": 5, "name": "a.exe", "kept": 5}}
    result = lane.restart("a", kill=True, script_seconds=6)
    assert (
        b"its process 700 may not be killed: problem (error 5) (that right has an administrator"
        in result.stderr
    )


def test_shared_process_is_never_killed(lane: Lane) -> None:
    shared = {"state": 4, "process": 700, "shares": True}
    lane.standin["services"] = {"a": {**shared, "stop": {"never": True}}, "b": shared}
    result = lane.restart("a", kill=True, script_seconds=6)
    assert b"its process hosts other services" in result.stderr
    assert not [call for call in lane.calls if call.startswith("kill")]


@pytest.mark.parametrize(
    ("kind", "note"), [("shell", "cannot leave the remote shell"), ("none", "no process could")]
)
def test_guard_that_cannot_outlive_the_shell_is_told(lane: Lane, kind: str, note: str) -> None:
    lane.standin |= {"services": {"a": RUNNING}, "guard": kind}
    result = lane.restart("a")
    assert result.ok
    assert note in result.notes[0]


def test_two_repairs_are_not_at_work_at_once(lane: Lane) -> None:
    lane.standin |= {"services": {"a": RUNNING}, "taken": True}
    with pytest.raises(RepairUnderWay, match=r"^another repair is at work on the machine$"):
        lane.restart("a")
    assert lane.calls == []


def test_a_program_and_a_reboot_are_not_begun_beside_another_repair(lane: Lane) -> None:
    lane.standin |= {"taken": True}
    with lane.link() as link:
        with pytest.raises(RepairUnderWay):
            lane.platform.reboot(link, deadline=Deadline(60))
        begun = lane.log.with_name("begun")
        with pytest.raises(RepairUnderWay):
            run_process(
                link, ["touch", str(begun)], environment={}, stdin=b"", cwd=None, deadline=Deadline(60)
            )
    assert (lane.calls, begun.exists()) == ([], False)


def turn_of(number: str) -> Turn:
    return Turn(
        secrets.token_hex(16), number * 32, f"mon{number}", "restart-service", "IMAP4", 7, "for mail IMAP4"
    )


def test_turns_on_windows_are_as_on_unix(lane: Lane) -> None:
    lane.standin["run"] = {"name": "run1", "since": 500}
    first, second, again = turn_of("1"), turn_of("2"), turn_of("1")
    with lane.link() as link:
        assert turns.look(link, first, deadline=Deadline(60)).deeds == []
        taken = turns.take(link, first, 100, deadline=Deadline(60))
        assert (taken.busy, taken.unkept, [deed.number for deed in taken.deeds]) == (False, "", ["7"])
        # A machine that was asked twice, because the link was lost.
        assert len(turns.take(link, first, 100, deadline=Deadline(60)).deeds) == 1
        busy = turns.take(link, second, 100, deadline=Deadline(60))
        assert (busy.busy, len(busy.deeds)) == (True, 1)
        assert second.refusal(busy.deeds).startswith(
            "the machine is busy: monitoring host mon1 (restart-service IMAP4, its recovery 7, for "
        )
        # The first host itself, which calls the machine by another name.
        assert turns.take(link, replace(again, alive=("7",)), 100, deadline=Deadline(60)).busy
        # The first host itself was killed, and is back.
        assert turns.take(link, again, 100, deadline=Deadline(60)).deeds[0].verdict == "interrupted"
        assert turns.end(link, again, "not proven", deadline=Deadline(60)) == ""
        free = turns.take(link, second, 100, deadline=Deadline(60))
        assert [deed.verdict for deed in free.deeds] == ["interrupted", "not-proven", ""]
    lane.standin["run"] = {"name": "run2", "since": 0}
    with lane.link() as link:
        rebooted = turns.take(link, again, 100, deadline=Deadline(60))
    assert (rebooted.busy, again.refusal(rebooted.deeds)) == (False, "")


def test_account_that_may_not_write_the_list_is_told_so(lane: Lane) -> None:
    lane.standin["run"] = {"refused": True}
    with lane.link() as link:
        taken = turns.take(link, turn_of("1"), 100, deadline=Deadline(60))
    assert taken.unkept == (
        r"this account may not write HKLM\SOFTWARE\check_imap4, "
        "which contrib/windows/recovery-account.ps1 lets it"
    )


def test_facts_name_dependents_and_who_cannot_be_seen(lane: Lane) -> None:
    lane.standin["services"] = {
        "mail": {"state": 4, "process": 700},
        "web [x.example.org]": {"state": 4, "needs": ["mail"]},
        "far": {"state": 1, "needs": ["web [x.example.org]"], "start": 4, "code": 1067},
        "secret": {"state": 4, "hidden": True},
        "held": {"state": 4, "denied": [16]},
        "old": {"state": 4, "deleted": True},
    }
    with lane.link() as link:
        deadline = Deadline(60)
        assert lane.platform.services(link, deadline=deadline) == [
            *("far", "held", "mail", "old", "web [x.example.org]")
        ]
        mail, far, none = lane.platform.facts(link, ["MAIL", "far", "none"], deadline=deadline)
        assert (mail.name, mail.state, mail.pid, mail.run) == ("mail", "active", 700, "700/100/0")
        assert set(mail.dependents) == {"web [x.example.org]", "far"}
        assert (far.state, far.masked, far.result, far.run) == ("inactive", True, "error 1067", "")
        assert not none.exists
        held, old = lane.platform.facts(link, ["held", "old"], deadline=deadline)
        assert lane.platform.cannot(held).startswith("held: this account lacks the right to start it (RP in")
        assert "(error 1072)" in lane.platform.cannot(old)
        assert lane.platform.cannot(mail) == ""
        with pytest.raises(PrivilegeMissing, match="the account cannot see secret: it lacks the right"):
            lane.platform.facts(link, ["secret"], deadline=deadline)


def test_controller_that_lets_nobody_in_is_a_missing_right(lane: Lane) -> None:
    lane.standin["manager"] = 5
    with lane.link() as link, pytest.raises(PrivilegeMissing, match="does not let this account in"):
        lane.platform.facts(link, ["a"], deadline=Deadline(60))


def test_machine_says_which_run_it_is_and_what_is_at_work(lane: Lane) -> None:
    lane.standin |= {
        "services": {"a": {"state": 2}},
        "processes": {
            "4": {"parent": 0, "began": 1, "name": "System"},
            "300": {"parent": 4, "began": 134, "name": "smss.exe"},
        },
        "servicing": ["updates"],
        "users": ["EXAMPLE\\anna"],
    }
    with lane.link() as link:
        facts = lane.platform.machine(link, deadline=Deadline(60))
        assert lane.platform.condition(link, deadline=Deadline(60)) == "starting"
    assert (facts.first_process, facts.uptime, facts.marker) == ("134", 86400.0, False)
    assert (facts.servicing, facts.users) == ("updates", ("EXAMPLE\\anna",))


def test_automatic_service_that_was_never_begun_means_starting_for_a_while(lane: Lane) -> None:
    lane.standin |= {"services": {"a": {"state": 1, "start": 2, "code": 1077}}, "uptime": 30}
    with lane.link() as link:
        assert lane.platform.condition(link, deadline=Deadline(60)) == "starting"
    lane.standin["uptime"] = 300
    with lane.link() as link:
        assert lane.platform.condition(link, deadline=Deadline(60)) == "running"


@pytest.mark.parametrize("code", [0, 5])
def test_reboot_writes_the_marker_first_and_takes_it_back(lane: Lane, code: int) -> None:
    lane.standin["shutdown"] = code
    with lane.link() as link:
        if code:
            with pytest.raises(PrivilegeMissing, match=r"\(error 5\)"):
                lane.platform.reboot(link, deadline=Deadline(60))
        else:
            assert lane.platform.reboot(link, deadline=Deadline(60)).ok
    marker = r"SOFTWARE\check_imap4\rebooting"
    text = "check_imap4 recovery: this machine is rebooted to repair its services"
    asked = [f"marker {marker}", f"shutdown /r|/t|5|/c|{text}|/d|p:4:1"]
    assert lane.calls == [*asked, *([f"no marker {marker}"] if code else [])]


def test_about_and_the_log_are_told(lane: Lane) -> None:
    lane.standin |= {
        "services": {"mail": RUNNING},
        "events": [
            {"provider": "mail", "message": "second\r\nline", "at": "2026-01-02"},
            {"provider": "other", "message": "no", "at": "2026-01-02"},
            {"provider": "Service Control Manager", "message": "The mail shown service", "at": "2026-01-01"},
        ],
    }
    with lane.link() as link:
        found = about(link, deadline=Deadline(60))
        lines = lane.platform.last_words(link, "mail", deadline=Deadline(60))
    assert (found.account, found.administrator, found.language) == ("EXAMPLE\\svc", False, "FullLanguage")
    assert found.system == "Microsoft Windows Server 2022 Standard (10.0.20348.1)"
    assert lines == ["The mail shown service", "second line"]


def test_program_gets_its_arguments_input_and_variables(cold_lane: Lane) -> None:
    words = ["", "a b", "it's", "$HOME", "é ü 日本 ✓", "-n", "*", "&|<>^", "tab\there"]
    script = 'for word; do printf "<%s>" "$word"; done; printf "%s" "$V"; cat; echo err >&2; exit 3'
    with cold_lane.link() as link:
        result = run_process(
            link,
            ["sh", "-c", script, "sh", *words],
            environment={"V": "ä b"},
            stdin=b"\x00in\xff",
            cwd="/",
            deadline=Deadline(60),
        )
    assert result.stdout == "".join(f"<{word}>" for word in words).encode() + "ä b".encode() + b"\x00in\xff"
    assert (result.stderr, result.exit_status, result.ended) == (b"err\n", 3, Ended.EXITED)


def test_program_and_its_children_are_ended_at_the_time_out(cold_lane: Lane) -> None:
    cold_lane.transport.program_seconds = 3
    with cold_lane.link() as link:
        result = run_process(
            link,
            ["sh", "-c", "echo begun; sleep 300 & echo $!; wait"],
            environment={},
            stdin=b"",
            cwd=None,
            deadline=Deadline(60),
        )
    assert result.ended is Ended.TIMED_OUT
    begun, child = result.stdout.decode().split()
    assert begun == "begun"
    status = Path(f"/proc/{child}/stat")
    # Where nobody waits for orphans, its entry stays.
    assert not status.exists() or status.read_text().rpartition(") ")[2][0] == "Z"


def test_scripts_need_nothing_that_windows_powershell_lacks(tmp_path: Path) -> None:
    pwsh = lanes.needed("linux")
    parts = {path.stem for path in lanes.SCRIPTS.glob("*.ps1")}
    for name in parts:
        (tmp_path / f"{name}.ps1").write_text(lanes.whole(name), "utf-8")
    # Parts are looked at inside the scripts that they are parts of.
    whole = [
        "about",
        "bootstrap",
        "events",
        "guard",
        "machine",
        "process",
        "reboot",
        "restart",
        "services",
        "turns",
    ]
    files = [*(tmp_path / f"{name}.ps1" for name in whole), *(lanes.ROOT / "contrib/windows").glob("*.ps1")]
    done = subprocess.run([pwsh, "-NoProfile", "-File", COMPAT, *files], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{len(files)} scripts, 0 findings\n")


def test_what_windows_powershell_lacks_would_be_found(tmp_path: Path) -> None:
    pwsh = lanes.needed("linux")
    (tmp_path / "new.ps1").write_text("$a ?? 1\nGet-Uptime\n[Environment]::ProcessId\n", "utf-8")
    done = subprocess.run(
        [pwsh, "-NoProfile", "-File", COMPAT, tmp_path / "new.ps1"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 scripts, 3 findings"
