"""What every way to perform a recovery shares (at once, in the background, as a dry run): reach the
machine, act on it, and tell how that ended."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TextIO

from imap4.deadline import Deadline
from recovery.commands.parsing import paths_of
from recovery.credentials.restrictions import check, check_name
from recovery.credentials.store import Store
from recovery.decision import policy
from recovery.decision.event import Event
from recovery.errors import RecoveryError, UsageError
from recovery.execution.job import Job
from recovery.execution.progress import ProgressDisplay, clean
from recovery.execution.report import report
from recovery.history.recoveries import History
from recovery.machines.interface import Access, Machines
from recovery.machines.target import find_target
from recovery.model import Outcome, Step, Verdict
from recovery.scrub import Scrubber
from recovery.signals import Signalled, internal


@dataclass(frozen=True)
class Result:
    """How an attempt ended, as :meth:`Job.end` tells it."""

    code: int
    verdict: str
    summary: str
    outcome: Outcome | None = None


def reach(job: Job, machines: Machines, deadline: Deadline, address: str = "") -> Access:
    """All that a connection needs, with the restrictions asked; nothing is connected to yet.

    Args:
        address: where the machine was found to be before; it is looked up where this is empty.

    Raises:
        RecoveryError: there is no such credential, machine or permission.
    """
    options = job.options
    credential = Store(paths_of(options)).get(options.credential)
    check_name(credential, options.machine, job.action)
    target = find_target(options, credential, machines, deadline, address)
    check(credential, target, job.action)
    if options.become:
        credential = replace(credential, become=True)
    known_hosts = tuple(options.known_hosts) if options.known_hosts else None
    return Access(target, credential, known_hosts, deadline)


def act(
    job: Job, event: Event | None, machines: Machines, history: History, access: Access, number: int
) -> int:
    """Do it, tell the engine and the caller; returns the exit code."""
    ended = _attempt(job, event, machines, history, access, number)
    return tell(job, event, history, number, ended, access.deadline.elapsed)


def tell(job: Job, event: Event | None, history: History, number: int, ended: Result, at: float) -> int:
    """Tell the engine whose event it was, and print the last line; returns the exit code.

    Args:
        at: seconds since the recovery began.
    """
    line = job.line(ended.code, ended.summary)
    reported = report(job, event, history, number, line, at)
    more = {} if reported is None else {"report": reported}
    return job.end(ended.code, ended.verdict, ended.summary, number=number, outcome=ended.outcome, **more)


def _attempt(
    job: Job, event: Event | None, machines: Machines, history: History, access: Access, number: int
) -> Result:
    """Do it; every step and the end are written down, also where it ends in an error or by a signal."""
    options, scrubber = job.options, Scrubber(access.credential)
    lines = (sys.stderr if options.json else sys.stdout) if options.verbose else None
    try:
        with ProgressDisplay(job.title, lines) as progress:

            def note(step: Step) -> None:
                shown = scrubber.step(step)
                history.step(number, shown)
                progress(shown)

            outcome = machines.run(access, options.request(options, event), options.verify, note)
        outcome = scrubber.outcome(outcome)
    except Signalled as error:
        text = f"ended by {error}: what was begun on the machine may go on there"
        history.fail(number, text, "interrupted")
        return Result(2, "interrupted", text)
    except RecoveryError as error:
        history.fail(number, scrubber.text(str(error)))
        return failure(error, scrubber)
    except Exception as error:  # a bug must not leave the history without an end, nor a secret in a traceback
        text = internal(error)
        history.fail(number, text)
        return Result(2, "failed", text)
    history.finish(number, outcome)
    if lines is not None:
        _print_streams(outcome, lines)
    summary = _with_verdict(outcome.verdict, outcome.summary)
    return Result(outcome.verdict.exit_code, outcome.verdict.value, summary, outcome)


def _print_streams(outcome: Outcome, lines: TextIO) -> None:
    for name in ("stdout", "stderr"):
        for line in str(outcome.facts_after.get(name, "")).splitlines():
            print(clean(f"{name}: {line}"), file=lines)


def _with_verdict(verdict: Verdict, summary: str) -> str:
    """The summary, with the verdict before it where neither the line's first word nor the summary says it."""
    if verdict in (Verdict.NOT_PROVEN, Verdict.SKIPPED) and verdict.value not in summary:
        return f"{verdict.value}: {summary}"
    return summary


def failure(error: BaseException, scrubber: Scrubber | None = None) -> Result:
    """An error as an end; one of usage has exit code 3."""
    text = str(error) if scrubber is None else scrubber.text(str(error))
    if isinstance(error, Signalled):
        text = f"ended by {text} before anything was done"
    return Result(3 if isinstance(error, UsageError) else 2, "failed", text)


def explain(job: Job, answers: list[policy.RuleAnswer]) -> None:
    """With ``--explain``: what each rule said."""
    if job.options.explain:
        for answer in answers:
            job.say(f"{answer.rule}: {answer.reason or 'no objection'}")
