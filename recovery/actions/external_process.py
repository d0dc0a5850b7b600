"""Run a command on the machine, its arguments exactly as given, and tell how it ended."""

from __future__ import annotations

import shlex
import signal

from imap4.deadline import Deadline
from recovery.actions.steps import Story, in_time, silent
from recovery.actions.turns import TurnTaken, turn_refused
from recovery.actions.verify import conclude, parse
from recovery.decision.turns import Turn
from recovery.errors import UsageError
from recovery.model import CommandResult, Ended, Outcome, Plan, StepListener, Verdict
from recovery.platforms import RepairUnderWay
from recovery.platforms.account import account as account_of
from recovery.requests import ProcessRequest
from recovery.transports.link import Connect, Link, refuse_without_privilege
from recovery.transports.sudoers import TIMEOUT, line_for_process, missing_privilege, refuse_open_program

# A process of root cannot be ended by the account that asked for it, so timeout(1) goes with it through
# sudo. The variables' names go to sudo, never their values: a command line can be read by everybody.
_SCRIPT = """\
cwd=$1 names=$2
shift 2
if [ -n "$cwd" ]; then cd -- "$cwd" || exit 125; fi
if [ $become = 1 ] && [ "$(id -u)" != 0 ]; then
    LC_MESSAGES=C sudo -n ${names:+"--preserve-env=$names"} -- \\
        /usr/bin/timeout -k 2 "$((seconds + 1))" "$@"
    exit $?
fi
exec "$@"
"""
# With sudo it is root who must find it; sudo says so itself.
_LOOK = """\
cwd=$1 program=$2
[ -z "$cwd" ] || cd -- "$cwd" 2>/dev/null ||
    { echo "there is no folder $cwd that the account may enter"; exit; }
[ $become = 1 ] || command -v -- "$program" >/dev/null || echo "$program is not there, or may not be run"
"""
_LARGEST_ON_UNIX, _LARGEST = 255, 0xFFFFFFFF
"""Exit statuses have 8 bits on Unix, 32 on Windows."""
_CUT = "; of its output only the first 64 KiB are kept"
_NO_SUCH_COMMAND = {126: " cannot be executed and", 127: " was not found and"}


def run(
    connect: Connect,
    request: ProcessRequest,
    *,
    become: bool = False,
    deadline: Deadline,
    progress: StepListener = silent,
    verify: str | None = None,
    turn: Turn | None = None,
) -> Outcome:
    """Run ``request.arguments`` on the machine that ``connect`` leads to.

    ``facts_after`` holds ``exit_status``, ``signal``, ``ended``, ``seconds``, ``stdout``, ``stderr`` (text,
    the first 64 KiB of each) and ``truncated``. Through sudo, a signal shows as exit status 128 + signal.

    Args:
        turn: what is to be taken on the machine first; None takes none.

    Raises:
        RecoveryError: before anything was done: no way to the machine, no privilege, a bad argument.
    """
    if verify is not None:
        parse(verify)
    _check(request)
    story = Story(progress)
    with Link(connect, become=become) as link, TurnTaken(link, turn, deadline, story) as mine:
        if mine.refusal:
            return story.end(Verdict.SKIPPED, mine.refusal)
        return _run(link, request, become, deadline, story, verify)


def _run(
    link: Link, request: ProcessRequest, become: bool, deadline: Deadline, story: Story, verify: str | None
) -> Outcome:
    story.tell("process", f"started {_shown(request)}")
    story.acted = True
    try:
        result = _carry_out(link, request, deadline)
    except RepairUnderWay as under_way:
        story.acted = False
        return story.end(Verdict.SKIPPED, f"not run: {under_way}")
    if become and result.exit_status == 1 and not result.stdout:

        def lines(account: str) -> list[str]:
            refuse_open_program(link, request, deadline)
            return [line_for_process(account, request)]

        refuse_without_privilege(result, link, lines, deadline, only_sudo=True)
    story.after = facts(result)
    summary, done = judge(result, request)
    story.proof = _ending(result)
    story.tell("process", summary)
    for note in result.notes:
        story.tell("process", note)
    unknown = result.ended is Ended.LINK_LOST
    summary = "; ".join((summary, *result.notes)) if done or unknown else summary
    if not done:
        return story.end(Verdict.NOT_PROVEN if unknown else Verdict.FAILED, summary)
    return conclude(story, summary, verify, deadline)


def plan(
    connect: Connect,
    request: ProcessRequest,
    *,
    become: bool = False,
    deadline: Deadline,
    turn: Turn | None = None,
) -> Plan:
    """What ``run`` would do; logs in and changes nothing."""
    _check(request)
    with Link(connect, become=become) as link:
        if reason := turn_refused(link, turn, deadline):
            return Plan((f"would skip: {reason}",), Verdict.SKIPPED, reason)
        account = account_of(link, deadline=deadline)
        seconds = link.work_seconds(deadline)
        verdict, reason = _cannot(link, request, become and account != "root", deadline)
    through = " through sudo" if become and account != "root" else ""
    where = f" in {request.cwd}" if request.cwd else ""
    good = ", ".join(map(str, request.success_exit_status))
    lines = (
        f"would run{where} as {account}{through}: {_shown(request)}",
        f"would call exit status {good} a success, and end the process group after {in_time(seconds)} at the "
        f"latest: the rest of --timeout {in_time(deadline.seconds)} is for connecting, and for ending it",
    )
    if reason:
        return Plan((lines[0], f"would fail: {reason}"), verdict, reason)
    return Plan(lines)


def _cannot(
    link: Link, request: ProcessRequest, through_sudo: bool, deadline: Deadline
) -> tuple[Verdict, str]:
    """Why the command could not be run, as far as that shows without running it; "" where it could."""
    if link.language(deadline) != "sh":
        return Verdict.PROVEN, ""
    look = link.ask(_LOOK, [request.cwd or "", request.arguments[0]], deadline=deadline).strip()
    if look or not through_sudo:
        return Verdict.FAILED, look
    command = (TIMEOUT, "-k", "2", str(max(1, round(deadline.left)) + 1), *request.arguments)

    def lines(account: str) -> list[str]:
        refuse_open_program(link, request, deadline)
        return [line_for_process(account, request)]

    return missing_privilege(link, [command], deadline, lines)


def _carry_out(link: Link, request: ProcessRequest, deadline: Deadline) -> CommandResult:
    if link.language(deadline) == "powershell":
        from recovery.platforms.windows.process import run_process

        return run_process(
            link,
            (*request.arguments, request.command_line) if request.command_line else request.arguments,
            environment=request.environment,
            stdin=request.stdin,
            cwd=request.cwd,
            deadline=deadline,
            raw=bool(request.command_line),
        )
    if request.command_line:
        raise UsageError("--command-line is for Windows; give the arguments after --")
    if bad := [status for status in request.success_exit_status if status > _LARGEST_ON_UNIX]:
        raise UsageError(f"--success-exit-status: {bad[0]} is not between 0 and 255")
    return link.run(
        _SCRIPT,
        [request.cwd or "", ",".join(request.environment), *request.arguments],
        deadline=deadline,
        stdin=request.stdin,
        environment=request.environment,
    )


def facts(result: CommandResult) -> dict[str, object]:
    """What the process did, for the history."""
    return {
        "ended": result.ended.value,
        "exit_status": result.exit_status,
        "signal": result.signal,
        "seconds": result.seconds,
        "stdout": result.stdout.decode("utf-8", "replace"),
        "stderr": result.stderr.decode("utf-8", "replace"),
        "truncated": result.truncated,
    }


def judge(result: CommandResult, request: ProcessRequest) -> tuple[str, bool]:
    """The summary, and whether the process did what it was for."""
    name = request.arguments[0]
    ending = _ending(result) + (_CUT if result.truncated else "")
    if result.ended is Ended.EXITED and result.exit_status in request.success_exit_status:
        return f"{name} ended after {in_time(result.seconds)} ({ending})", True
    if result.ended is Ended.LINK_LOST:
        return (
            f"{name}: {ending}, so it is not known what it did; the machine ends it at its time-out"
        ), False
    why = _NO_SUCH_COMMAND.get(result.exit_status or 0, "")
    lines = result.stderr.decode("utf-8", "replace").strip().splitlines()
    said = f": {lines[-1][:200]}" if lines else ""
    left = ", but some of its processes, which are another account's, still run" if result.unstoppable else ""
    return f"{name}{why} failed after {in_time(result.seconds)} ({ending}{left}){said}", False


def _ending(result: CommandResult) -> str:
    if result.ended is Ended.EXITED:
        return f"exit status {result.exit_status}"
    if result.ended is Ended.SIGNALLED:
        return f"killed by signal {_signal_name(result.signal)}"
    return str(result.ended.value)


def _signal_name(number: int | None) -> str:
    try:
        return f"{number} ({signal.Signals(number or 0).name})"
    except ValueError:
        return str(number or "unknown")


def _check(request: ProcessRequest) -> None:
    if not request.arguments or not request.arguments[0]:
        raise UsageError("external-process needs a command after --")
    if bad := [status for status in request.success_exit_status if not 0 <= status <= _LARGEST]:
        raise UsageError(f"--success-exit-status: {bad[0]} is not an exit status")
    if request.command_line and len(request.arguments) > 1:
        raise UsageError("--command-line has the arguments: give only the program after --")


def _shown(request: ProcessRequest) -> str:
    return f"{shlex.join(request.arguments)} {request.command_line}".rstrip()
