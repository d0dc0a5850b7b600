"""restart-service in PowerShell for Windows, on Wine's real service controller."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from imap4.deadline import Deadline
from recovery.actions import restart_service
from recovery.errors import Refused
from recovery.model import CommandResult, Ended, Outcome, Verdict
from recovery.platforms import RepairUnderWay
from recovery.platforms.windows import Windows
from recovery.requests import RestartRequest
from recovery.transports.link import Link
from tests.machines.winrm import lanes
from tests.machines.winrm.lanes import PowerShellTransport
from tests.machines.winrm.wine_machine import WineMachine


def restart(
    wine: WineMachine,
    *services: str,
    seconds: float = 90,
    script_seconds: float | None = None,
    kill: bool = False,
    transport: PowerShellTransport | None = None,
) -> Outcome:
    way = transport or wine.transport(seconds=script_seconds)
    return restart_service.run(
        lambda _: way, RestartRequest(services, settle=0.5, kill=kill), deadline=Deadline(seconds)
    )


def only_restart(
    wine: WineMachine, *names: str, kill: bool = False, transport: PowerShellTransport | None = None,
    dependents: tuple[str, ...] = (), script_seconds: float | None = None,
) -> CommandResult:  # fmt: skip
    """The restart without its proof, which waits for long where Wine does not notice that a process ended."""
    way = transport or wine.transport(seconds=script_seconds)
    with Link(lambda _: way) as link:
        return Windows().restart(link, names, dependents, alone=False, kill=kill, deadline=Deadline(120))


def texts(outcome: Outcome) -> str:
    return "\n".join(step.text for step in outcome.steps)


def test_dependents_stop_first_and_start_last(wine: WineMachine) -> None:
    wine.service("Store")
    wine.service("Mail [support.example.com]", needs="Store")
    wine.service("Web", needs="Mail [support.example.com]")
    outcome = restart(wine, "store")
    assert re.fullmatch(r"running again after \d+\.\d s \(PID \d+ -> \d+\)", outcome.summary), outcome
    assert outcome.verdict is Verdict.PROVEN
    words = [line for line in wine.log() if not line.endswith(" end")][3:]
    names = ("Web", "Mail [support.example.com]", "Store")
    stops = [f"{name} {word}" for name in names for word in ("stop", "stopped")]
    assert words == [*stops, *(f"{name} start" for name in reversed(names))]
    assert wine.guards() == []


def test_process_that_tidies_up_after_its_stop_is_waited_for(wine: WineMachine) -> None:
    wine.service("Late", "lateexit", 3000)
    outcome = restart(wine, "Late")
    assert outcome.verdict is Verdict.PROVEN, outcome
    assert wine.log() == ["Late start", "Late stopped", "Late end", "Late start"] or wine.log() == [
        "Late start",
        "Late stop",
        "Late stopped",
        "Late end",
        "Late start",
    ]


def test_start_that_ends_by_itself_is_tried_once_more(wine: WineMachine) -> None:
    (wine.drive / "failed").touch()
    wine.service("First", "failfirst")
    (wine.drive / "failed").unlink()
    outcome = restart(wine, "First")
    assert outcome.verdict is Verdict.PROVEN, outcome
    assert "(error 32)); started once more" in outcome.summary


def test_service_that_fails_at_once_is_told_with_its_own_code(wine: WineMachine) -> None:
    wine.service("Bad", "failstart", 7, start=False)
    outcome = restart(wine, "Bad")
    assert outcome.verdict is Verdict.FAILED
    assert "it ended with its own code 7 (error 1066)" in outcome.summary
    assert outcome.seconds < 40


def test_slow_stop_is_waited_for_as_long_as_it_takes(wine: WineMachine) -> None:
    wine.service("Base")
    wine.service("Slow", "slowstop", 4000, needs="Base")
    outcome = restart(wine, "Base")
    assert outcome.verdict is Verdict.PROVEN, outcome
    assert wine.state("Slow")[0] == 4


def test_service_that_stops_after_we_gave_up_is_started_by_the_machine(wine: WineMachine) -> None:
    wine.service("Slower", "slowstop", 20000)
    outcome = restart(wine, "Slower", script_seconds=8)
    said = texts(outcome)
    assert "Slower could not be stopped: Slower did not stop within" in said
    assert "starts Slower as soon as that can be" in said
    assert outcome.verdict is Verdict.PROVEN, outcome
    assert wine.log() == ["Slower start", "Slower stop", "Slower stopped", "Slower end", "Slower start"]
    wine.wait(lambda: wine.guards() == [])


@pytest.mark.parametrize("kill", [False, True], ids=["kept", "killed"])
def test_service_that_never_stops_is_killed_only_where_allowed(wine: WineMachine, kill: bool) -> None:
    wine.service("Never", "wrapper")
    child = wine.children()
    result = only_restart(wine, "Never", script_seconds=9, kill=kill)
    assert b"Never could not be stopped: Never did not stop within" in result.stderr
    if kill:
        # Wine does not notice the end of a service's process, so that it never counts as stopped here.
        words = r"killed Never \(process \d+\), program\.exe \(process \d+\) of Never"
        assert re.fullmatch(words, result.notes[0]), result
        assert not set(child) & set(wine.children())
    else:
        assert "killed" not in " ".join(result.notes)
        assert set(child) <= set(wine.children())


def test_kill_waits_for_the_service_that_says_it_is_at_work(wine: WineMachine) -> None:
    wine.service("Busy", "slowstopbusy", 20000)
    outcome = restart(wine, "Busy", script_seconds=8, kill=True)
    assert "it was not killed, since it says that it is at work (wait hint 60 s)" in texts(outcome)
    assert outcome.verdict is Verdict.PROVEN, outcome


def test_second_repair_is_refused_while_one_is_at_work(wine: WineMachine) -> None:
    wine.service("Long", "slowstop", 15000)
    wine.service("Other")
    done: list[CommandResult] = []
    thread = threading.Thread(target=lambda: done.append(only_restart(wine, "Long")))
    thread.start()
    wine.wait(lambda: "Long stop" in wine.log())
    with pytest.raises(RepairUnderWay, match=r"^another repair is at work on the machine$"):
        only_restart(wine, "Other")
    thread.join(90)
    assert done[0].ok
    assert only_restart(wine, "Other").ok


def test_handler_that_hangs_does_not_hold_us_up_and_dependents_come_back(wine: WineMachine) -> None:
    wine.service("Hang", "hangcontrol")
    wine.service("Leaf", needs="Hang")
    result = only_restart(wine, "Hang", script_seconds=9)
    assert b"Hang could not be stopped: Hang did not stop within" in result.stderr
    # On a busy machine by the guard, where our time was up.
    wine.wait(lambda: wine.state("Leaf")[0] == 4)
    assert wine.log("Leaf").count("Leaf start") == 2


def test_restart_that_has_no_time_left_is_not_begun(wine: WineMachine) -> None:
    wine.service("Alone")
    with pytest.raises(Refused, match=r"^the machine refused: only .* s are left, .*; nothing was done$"):
        restart(wine, "Alone", script_seconds=0.5)
    assert wine.log() == ["Alone start"]


def prepare(change: str) -> Callable[[WineMachine], None]:
    def made(wine: WineMachine) -> None:
        if change == "disabled":
            wine.control("disable", "Held")
        elif change == "program":
            (wine.drive / "gone.exe").unlink()
        elif change == "deleted":
            wine.registry("Held", "DeleteFlag", 1)
        elif change == "needs":
            wine.control("delete", "Under")

    return made


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("program", "the program of Held is not there, so it could not be started again"),
        ("deleted", "Held is marked for deletion, so it could not be started again (error 1072)"),
        ("disabled", "Held is disabled, so it cannot be started"),
    ],
)
def test_what_could_not_be_started_again_is_not_stopped(wine: WineMachine, change: str, why: str) -> None:
    program = wine.drive / "gone.exe"
    program.write_bytes((wine.drive / "service.exe").read_bytes())
    assert wine.control("create", "Held", 'C:\\gone.exe "Held" normal 0') == ""
    wine.names.append("Held")
    wine.control("start", "Held")
    wine.wait(lambda: wine.state("Held")[0] == 4)
    prepare(change)(wine)
    try:
        outcome = restart(wine, "Held")
        said = outcome.summary
        assert outcome.verdict is Verdict.FAILED
    except Refused as error:
        said = str(error)
    assert why in said
    assert said.endswith("nothing was done")
    assert wine.log() == ["Held start"]


KILLS: Sequence[tuple[str, str]] = [
    ("the PowerShell", "stopping"),
    ("the shell", "stopping"),
    ("the PowerShell", "starting"),
    ("the guard", "stopping"),
]


@pytest.mark.parametrize(("party", "when"), KILLS, ids=lambda one: one.replace(" ", "-"))
def test_whoever_dies_in_between_the_services_come_back(wine: WineMachine, party: str, when: str) -> None:
    wine.service("Ground", "slowstart" if when == "starting" else "normal", 3000)
    wine.service("Upper", "slowstop", 2000, needs="Ground")
    way = wine.transport(job=1)
    before = wine.log().count("Ground start")
    done: list[CommandResult] = []

    def work() -> None:
        done.append(only_restart(wine, "Ground", transport=way))

    thread = threading.Thread(target=work)
    thread.start()
    moment = "Upper stop" if when == "stopping" else "Ground start"
    wine.wait(lambda: wine.log().count(moment) > (before if when == "starting" else 0))
    if party == "the guard":
        wine.wait(lambda: bool(wine.guards()))
        wine.end(wine.guards())
    elif party == "the PowerShell":
        wine.end(wine.shells())
    else:
        # Who holds the job that the shell is in.
        way.started[-1].kill()
    # Everybody in the job of the shell ends with it; the guard has left the job.
    wine.wait(lambda: [wine.state(name)[0] for name in ("Ground", "Upper")] == [4, 4])
    thread.join(90)
    assert done[0].ended is (Ended.EXITED if party == "the guard" else Ended.LINK_LOST)
    assert wine.log().count("Upper start") >= 2
    wine.wait(lambda: wine.guards() == [])


def fallen(wine: WineMachine, way: PowerShellTransport, *, guards: int) -> CommandResult:
    """End all that is in the shell's job in the middle of a stop; what the restart was told."""
    wine.service("Ground")
    wine.service("Upper", "slowstop", 4000, needs="Ground")
    done: list[CommandResult] = []
    thread = threading.Thread(target=lambda: done.append(only_restart(wine, "Ground", transport=way)))
    thread.start()
    wine.wait(lambda: "Upper stop" in wine.log())
    # The guard is started before the first stop.
    wine.wait(lambda: len(wine.guards()) == guards)
    way.started[-1].kill()
    thread.join(90)
    wine.wait(lambda: wine.shells() == [])
    return done[0]


def test_without_a_guard_that_outlives_the_shell_the_services_stay_down(wine: WineMachine) -> None:
    """What the other tests of killed parties would see; Wine has no WMI, and this job lets nobody go."""
    result = fallen(wine, wine.transport(job=0), guards=1)
    assert result.ended is Ended.LINK_LOST
    # The guard ended with the job.
    wine.wait(lambda: wine.guards() == [] and wine.state("Upper")[0] == 1)
    assert wine.log().count("Upper start") == 1


def test_where_the_job_lets_nobody_go_the_guard_is_started_through_wmi(
    wine: WineMachine, tmp_path: Path
) -> None:
    """WMI itself is stood in for: by what starts the line that it is given, outside of any job."""
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "native.ps1").write_text(lanes.whole("native") + WMI)
    way = wine.transport(job=0)
    way.parts = parts
    stop = threading.Event()
    broker = threading.Thread(target=start_what_wmi_is_asked_for, args=(wine, stop))
    broker.start()
    try:
        result = fallen(wine, way, guards=1)
        assert result.ended is Ended.LINK_LOST
        wine.wait(lambda: [wine.state(name)[0] for name in ("Ground", "Upper")] == [4, 4])
        assert wine.log().count("Upper start") == 2
        wine.wait(lambda: wine.guards() == [])
        # One that is not needed is ended, by the number that WMI told.
        done = only_restart(wine, "Ground", transport=way)
        assert (done.ok, done.notes) == (True, ())
        wine.wait(lambda: wine.guards() == [])
    finally:
        stop.set()
        broker.join(60)


WMI = r"""
function Invoke-CimMethod($ClassName, $MethodName, $Arguments) {
    if ($ClassName -ne 'Win32_Process' -or $MethodName -ne 'Create') { throw 'no such thing' }
    [IO.File]::WriteAllText('C:\wmi.new', $Arguments.CommandLine)
    [IO.File]::Move('C:\wmi.new', 'C:\wmi.line')
    while (-not [IO.File]::Exists('C:\wmi.number')) { Start-Sleep -Milliseconds 50 }
    $number = [uint32] [IO.File]::ReadAllText('C:\wmi.number')
    [IO.File]::Delete('C:\wmi.number')
    @{ ReturnValue = 0; ProcessId = $number }
}
"""


def start_what_wmi_is_asked_for(wine: WineMachine, stop: threading.Event) -> None:
    asked, said = wine.drive / "wmi.line", wine.drive / "wmi.number"
    while not stop.wait(0.05):
        if asked.exists():
            new = said.with_suffix(".told")
            # Into a file: what it starts would hold a pipe open.
            with new.open("wb") as file:
                words = ["wine", "C:\\control.exe", "run", asked.read_text()]
                subprocess.run(
                    words, env=wine.environment, stdout=file, stderr=subprocess.DEVNULL, timeout=60
                )
            asked.unlink()
            new.rename(said)
