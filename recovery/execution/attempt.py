"""Acts on the machine; every step and the end are written down, also where it ends in an error."""

from __future__ import annotations

import sys
from typing import TextIO

from recovery.errors import LoginFailed, RecoveryError
from recovery.execution.prepare import prepare
from recovery.execution.progress import ProgressDisplay, clean
from recovery.execution.recovery import Recovery, Result, failure
from recovery.execution.scrub import OutcomeScrubber
from recovery.machines.interface import Access
from recovery.model import Outcome, Step, Verdict
from recovery.signals import Signalled, internal


def act(recovery: Recovery, access: Access) -> int:
    """Do it, tell the engine and the caller; returns the exit code."""
    return recovery.tell(_attempt(recovery, access))


def _attempt(recovery: Recovery, access: Access) -> Result:
    request, history, number = recovery.request, recovery.history, recovery.number
    scrubber = OutcomeScrubber(access.credential)
    lines = (sys.stderr if request.output.json else sys.stdout) if request.output.verbose else None
    try:
        with ProgressDisplay(request.title, lines) as progress:

            def note(step: Step) -> None:
                shown = scrubber.step(step)
                history.step(number, shown)
                progress(shown)

            outcome = recovery.machines.run(access, prepare(request), request.verify, note)
        outcome = scrubber.outcome(outcome)
    except Signalled as error:
        text = f"ended by {error}: what was begun on the machine may go on there"
        history.fail(number, text, "interrupted")
        return Result(2, "interrupted", text)
    except RecoveryError as error:
        # Nothing was done then. A refused login counts all the same: many in a row lock an account.
        history.fail(number, scrubber.text(str(error)), acted=isinstance(error, LoginFailed))
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
