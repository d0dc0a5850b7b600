"""One recovery: event -> policy -> address -> restrictions -> lock -> limits -> act -> history."""

from __future__ import annotations

import sys
from contextlib import suppress

from imap4.deadline import Deadline
from recovery.decision import policy
from recovery.decision.event import Event
from recovery.errors import RecoveryError
from recovery.execution import detached, output
from recovery.execution.attempt import act
from recovery.execution.background import take_over
from recovery.execution.dry_run import dry_run
from recovery.execution.prepare import prepare
from recovery.execution.recovery import Recovery, Result, asked, failure
from recovery.execution.report import report
from recovery.history.entries import entry
from recovery.history.machine_lock import MachineLock
from recovery.history.recoveries import opened
from recovery.machines.interface import Machines
from recovery.model import Step
from recovery.requests import RecoveryRequest
from recovery.signals import Signalled, signals

# Skips of these rules are news for who looks at the service. An alert that another action is for, a
# downtime or a recovery notification are not.
_TOLD = ("causes", "pause")


def perform(request: RecoveryRequest, machines: Machines) -> int:
    """Decide, act, prove, write down, print the last line; returns the exit code.

    Raises:
        UsageError: the request is wrong; nothing was tried.
    """
    deadline = Deadline(request.access.timeout)
    if request.taken_over is not None:
        return take_over(request, machines, deadline, request.taken_over)
    prepare(request)  # a wrong token or file shows before anything is done
    if request.dry_run:
        return dry_run(request, machines, deadline)
    try:
        with opened(request.paths.state) as history, signals():
            return _with_history(Recovery(request, machines, history, deadline))
    except RecoveryError as error:
        # The history cannot be read or written: no limit could be kept, so that nothing is done. An engine
        # shows what is on standard output.
        result = failure(error)
        return output.end(request, result.code, result.verdict, f"{result.summary}; no repair was begun")


def _with_history(recovery: Recovery) -> int:
    interrupted = recovery.history.find_interrupted()
    for found in interrupted:
        output.warn(found.text)
    code = _decide(recovery)
    for found in interrupted:
        with suppress(RecoveryError):  # the last line is said, and there is only one
            _tell_interrupted(recovery, found.number)
    return code


def _decide(recovery: Recovery) -> int:
    request, history = recovery.request, recovery.history
    event, rules = request.event, request.rules
    paused = history.paused(asked(request))
    answers = policy.judge_event(event, rules, paused)
    for answer in answers:
        if answer.reason:
            output.explain(request.output, answers)
            recovery.note("skipped", answer.reason)
            return recovery.skip(answer.reason, event if answer.rule in _TOLD else None)
    try:
        access = recovery.access()
    except (RecoveryError, Signalled) as error:
        recovery.note("failed", str(error))
        return recovery.tell(failure(error))
    what = asked(request, access.target.address)
    lock = history.lock(what.address or what.machine)
    try:

        def decide(facts: policy.Facts, now: float) -> policy.Decision:
            output.explain(request.output, policy.explain(event, rules, facts, now))
            return policy.decide(event, rules, facts, now)

        recovery.number, decision = history.reserve(what, lock is not None, decide)
        if history.ahead:
            _note_clock(recovery)
        if isinstance(decision, policy.Skip):
            return recovery.skip(decision.reason, event)
        assert lock is not None  # the policy skips a machine whose lock is held
        if event is None and paused:
            _note_pause(recovery, paused)
        if request.detach:
            return _detach(recovery, lock, decision.reason)
        return act(recovery, access)
    finally:
        if lock is not None:
            lock.release()


def _note_clock(recovery: Recovery) -> None:
    """Say that this host's clock had run ahead: times in the history were later than now."""
    count = recovery.history.ahead
    text = f"{count} recoveries were in the future: this host's clock had run ahead; they count from now on"
    _say_beside(recovery, "clock", text)


def _say_beside(recovery: Recovery, name: str, text: str) -> None:
    """Say it on standard error and in the history; one that cannot be written ends no repair."""
    output.warn(text)
    with suppress(RecoveryError):
        recovery.history.step(recovery.number, Step(name, recovery.deadline.elapsed, text))


def _note_pause(recovery: Recovery, paused: str) -> None:
    """Say to who asks by hand what an event would have been skipped for; the colleague wrote it for them."""
    text = f"{paused}; asked for by hand, so it is done all the same"
    _say_beside(recovery, "pause", text)


def _tell_interrupted(recovery: Recovery, number: int) -> None:
    """Tell the engine of an event whose recovery never came to its end."""
    found = entry(recovery.history, number)
    if found is None or found.event is None:
        return
    what = f"{found.texts['action']} {found.texts['subject']}".strip()
    line = f"CRITICAL - {what} on {found.texts['machine']}: {found.texts['summary']}"
    event, at = Event.from_dict(found.event), found.seconds or 0.0
    report(event, recovery.history, number, line, at, recovery.request.output)


def _detach(recovery: Recovery, lock: MachineLock, reason: str) -> int:
    number = recovery.number
    recovery.history.hand_over(number)
    try:
        how = detached.start(detached.own_command(sys.argv[1:], number), number)
    except OSError as error:
        text = f"cannot start in the background: {error.strerror}"
        recovery.history.fail(number, text)
        return recovery.tell(Result(2, "failed", text))
    # Its successor waits for the lock.
    lock.release()
    text = f"begun as recovery {number} {how} ({reason}); imap4-recovery history show {number} tells the end"
    return output.end(recovery.request, 0, "detached", text, number=number)
