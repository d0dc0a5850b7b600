"""One recovery: event -> policy -> address -> restrictions -> lock -> limits -> act -> history."""

from __future__ import annotations

import sys

from imap4.deadline import Deadline
from recovery.commands.event_options import event_of, rules_of
from recovery.commands.parsing import paths_of
from recovery.decision import policy
from recovery.decision.event import Event
from recovery.errors import RecoveryError
from recovery.execution.attempt import Result, act, explain, failure, reach, tell
from recovery.execution.job import Job
from recovery.execution.report import report, report_skip
from recovery.history.entries import entry
from recovery.history.machine_lock import MachineLock
from recovery.history.recoveries import History, opened
from recovery.machines.interface import Machines
from recovery.signals import Signalled, signals

# Skips of these rules are news for who looks at the service. An alert that another action is for, a
# downtime or a recovery notification are not.
_TOLD = ("causes",)


def perform(job: Job, machines: Machines) -> int:
    """Decide, act, prove, write down, print the last line; returns the exit code.

    Raises:
        UsageError: the options or the event are wrong, or there is no usable history; nothing was tried.
    """
    options = job.options
    deadline = Deadline(options.timeout)
    if options.taken_over is not None:
        from recovery.execution.background import take_over

        return take_over(job, machines, deadline)
    event = event_of(options)
    options.request(options, event)  # a wrong token or file shows before anything is done
    if options.dry_run:
        from recovery.execution.dry_run import dry_run

        return dry_run(job, event, machines, deadline)
    with opened(paths_of(options).state) as history, signals():
        interrupted = history.find_interrupted()
        for found in interrupted:
            print(f"imap4-recovery: {found.text}", file=sys.stderr)
        code = _decide(job, event, machines, history, deadline)
        for found in interrupted:
            _tell_interrupted(job, history, found.number)
        return code


def _decide(job: Job, event: Event | None, machines: Machines, history: History, deadline: Deadline) -> int:
    rules = rules_of(job.options)
    for answer in policy.judge_event(event, rules):
        if answer.reason:
            explain(job, policy.judge_event(event, rules))
            number = history.note(job.asked(event), "skipped", answer.reason)
            return _skip(job, event if answer.rule in _TOLD else None, history, number, answer.reason)
    try:
        access = reach(job, machines, deadline)
    except (RecoveryError, Signalled) as error:
        number = history.note(job.asked(event), "failed", str(error))
        return tell(job, event, history, number, failure(error), deadline.elapsed)
    asked = job.asked(event, access.target.address)
    lock = history.lock(asked.address or asked.machine)
    try:

        def decide(facts: policy.Facts, now: float) -> policy.Decision:
            explain(job, policy.explain(event, rules, facts, now))
            return policy.decide(event, rules, facts, now)

        number, decision = history.reserve(asked, lock is not None, decide)
        if isinstance(decision, policy.Skip):
            return _skip(job, event, history, number, decision.reason)
        assert lock is not None  # the policy skips a machine whose lock is held
        if job.options.detach:
            return _detach(job, event, history, lock, number, decision.reason)
        return act(job, event, machines, history, access, number)
    finally:
        if lock is not None:
            lock.release()


def _skip(job: Job, event: Event | None, history: History, number: int, reason: str) -> int:
    """Tell a skip; the engine of ``event``, too."""
    text = f"skipped: {reason}"
    reported = report_skip(job, event, history, number, job.line(0, text))
    more = {} if reported is None else {"report": reported}
    return job.end(0, "skipped", text, number=number, outcome=None, **more)


def _tell_interrupted(job: Job, history: History, number: int) -> None:
    """Tell the engine of an event whose recovery never came to its end."""
    found = entry(history, number)
    if found is None or found.event is None:
        return
    what = f"{found.texts['action']} {found.texts['subject']}".strip()
    line = f"CRITICAL - {what} on {found.texts['machine']}: {found.texts['summary']}"
    report(job, Event.from_dict(found.event), history, number, line, found.seconds or 0.0)


def _detach(
    job: Job, event: Event | None, history: History, lock: MachineLock, number: int, reason: str
) -> int:
    from recovery.execution import detached

    history.hand_over(number)
    try:
        how = detached.start(detached.own_command(sys.argv[1:], number), number)
    except OSError as error:
        text = f"cannot start in the background: {error.strerror}"
        history.fail(number, text)
        return tell(job, event, history, number, Result(2, "failed", text), 0.0)
    # Its successor waits for the lock.
    lock.release()
    text = f"begun as recovery {number} {how} ({reason}); imap4-recovery history show {number} tells the end"
    return job.end(0, "detached", text, number=number)
