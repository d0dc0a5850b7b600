"""One recovery: event -> policy -> address -> restrictions -> lock -> limits -> act -> history."""

from __future__ import annotations

import sys
from dataclasses import replace

from imap4.deadline import Deadline
from recovery import policy
from recovery.credentials import Store
from recovery.endings import Signalled, internal, signals
from recovery.event import Event
from recovery.event_options import event_of, rules_of
from recovery.far import FarSide, Link
from recovery.history import History, opened
from recovery.job import Job
from recovery.machine_lock import MachineLock
from recovery.model import RecoveryError, Step, UsageError, Verdict
from recovery.parsing import places_of
from recovery.placing import place
from recovery.progress import Progress, clean
from recovery.restrictions import check, check_name
from recovery.scrub import Scrubber


def perform(job: Job, far: FarSide) -> int:
    """Decide, act, prove, write down, print the last line; returns the exit code.

    Raises:
        UsageError: the options or the event are wrong, or there is no usable history; nothing was tried.
    """
    options = job.options
    deadline = Deadline(options.timeout)
    if options.taken_over is not None:
        from recovery.background import take_over

        return take_over(job, far, deadline)
    event = event_of(options)
    options.request(options, event)  # a wrong token or file shows before anything is done
    if options.dry_run:
        from recovery.dry_run import dry_run

        return dry_run(job, event, far, deadline)
    with opened(places_of(options).state) as history, signals():
        for found in history.find_interrupted():
            print(f"imap4-recovery: {found.text}", file=sys.stderr)
        return _decide(job, event, far, history, deadline)


def _decide(job: Job, event: Event | None, far: FarSide, history: History, deadline: Deadline) -> int:
    rules = rules_of(job.options)
    for finding in policy.judge_event(event, rules):
        if finding.reason:
            explain(job, policy.judge_event(event, rules))
            number = history.note(job.asked(event), "skipped", finding.reason)
            return skipped(job, number, finding.reason)
    try:
        link = reach(job, far, deadline)
    except (RecoveryError, Signalled) as error:
        number = history.note(job.asked(event), "failed", str(error))
        return failed(job, number, error)
    asked = job.asked(event, link.target.address)
    lock = history.lock(asked.address or asked.machine)
    try:

        def decide(facts: policy.Facts, now: float) -> policy.Decision:
            explain(job, policy.explain(event, rules, facts, now))
            return policy.decide(event, rules, facts, now)

        number, decision = history.reserve(asked, lock is not None, decide)
        if isinstance(decision, policy.Skip):
            return skipped(job, number, decision.reason)
        assert lock is not None  # the policy skips a machine whose lock is held
        if job.options.detach:
            return _detach(job, history, lock, number, decision.reason)
        return act(job, event, far, history, link, number)
    finally:
        if lock is not None:
            lock.release()


def reach(job: Job, far: FarSide, deadline: Deadline, address: str = "") -> Link:
    """All that a connection needs, with the restrictions asked; nothing is connected to yet.

    Args:
        address: where the machine was found to be before; it is looked up where this is empty.

    Raises:
        RecoveryError: there is no such credential, machine or permission.
    """
    options = job.options
    credential = Store(places_of(options)).get(options.credential)
    check_name(credential, options.machine, job.action)
    target = place(options, credential, far, deadline, address)
    check(credential, target, job.action)
    if options.become:
        credential = replace(credential, become=True)
    known_hosts = tuple(options.known_hosts) if options.known_hosts else None
    return Link(target, credential, known_hosts, deadline)


def act(job: Job, event: Event | None, far: FarSide, history: History, link: Link, number: int) -> int:
    """Do it; every step and the end are written down, also where it ends in an error or by a signal."""
    options, scrubber = job.options, Scrubber(link.credential)
    lines = (sys.stderr if options.json else sys.stdout) if options.verbose else None
    try:
        with Progress(job.title, lines) as progress:

            def tell(step: Step) -> None:
                shown = scrubber.step(step)
                history.step(number, shown)
                progress(shown)

            outcome = far.run(link, options.request(options, event), options.verify, tell)
        outcome = scrubber.outcome(outcome)
    except Signalled as error:
        text = f"ended by {error}: what was begun on the machine may go on there"
        history.fail(number, text, "interrupted")
        return job.end(2, "interrupted", text, number=number)
    except RecoveryError as error:
        history.fail(number, scrubber.text(str(error)))
        return failed(job, number, error, scrubber)
    except Exception as error:  # a bug must not leave the history without an end, nor a secret in a traceback
        text = internal(error)
        history.fail(number, text)
        return job.end(2, "failed", text, number=number)
    history.finish(number, outcome)
    if options.verbose and lines is not None:
        for name in ("stdout", "stderr"):
            for line in str(outcome.facts_after.get(name, "")).splitlines():
                print(clean(f"{name}: {line}"), file=lines)
    summary = _with_verdict(outcome.verdict, outcome.summary)
    return job.end(outcome.verdict.exit_code, outcome.verdict.value, summary, number=number, outcome=outcome)


def _with_verdict(verdict: Verdict, summary: str) -> str:
    """The summary, with the verdict before it where neither the line's first word nor the summary says it."""
    if verdict in (Verdict.NOT_PROVEN, Verdict.SKIPPED) and verdict.value not in summary:
        return f"{verdict.value}: {summary}"
    return summary


def _detach(job: Job, history: History, lock: MachineLock, number: int, reason: str) -> int:
    from recovery import detach

    history.hand_over(number)
    try:
        how = detach.start(detach.own_command(sys.argv[1:], number), number)
    except OSError as error:
        text = f"cannot start in the background: {error.strerror}"
        history.fail(number, text)
        return job.end(2, "failed", text, number=number)
    # Its successor waits for the lock.
    lock.release()
    text = f"begun as recovery {number} {how} ({reason}); imap4-recovery history show {number} tells the end"
    return job.end(0, "detached", text, number=number)


def skipped(job: Job, number: int | None, reason: str) -> int:
    """Tell a skip."""
    return job.end(0, "skipped", f"skipped: {reason}", number=number)


def failed(job: Job, number: int | None, error: BaseException, scrubber: Scrubber | None = None) -> int:
    """Tell an error; one of usage has exit code 3."""
    text = str(error) if scrubber is None else scrubber.text(str(error))
    if isinstance(error, Signalled):
        text = f"ended by {text} before anything was done"
    return job.end(3 if isinstance(error, UsageError) else 2, "failed", text, number=number)


def explain(job: Job, findings: list[policy.Finding]) -> None:
    """With ``--explain``: what each rule said."""
    if job.options.explain:
        for finding in findings:
            job.say(f"{finding.rule}: {finding.reason or 'no objection'}")
