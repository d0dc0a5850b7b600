"""Acts on the machine; every step and the end are written down, also where it ends in an error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TextIO

from recovery.errors import LoginFailed, RecoveryError
from recovery.execution.prepare import prepare
from recovery.execution.progress import ProgressDisplay, clean
from recovery.execution.recovery import Recovery, Result, failure
from recovery.execution.scrub import OutcomeScrubber
from recovery.execution.turn import turn_of
from recovery.machines.interface import Access
from recovery.model import Hop, Outcome, Step, Verdict
from recovery.signals import Signalled, internal


def act(recovery: Recovery, access: Access) -> int:
    """Do it, tell the engine and the caller; returns the exit code."""
    result = _attempt(recovery, access)
    if result.outcome is not None and result.outcome.verdict is Verdict.SKIPPED:
        # Once told is enough, as for what is skipped before: an outage without end is no flood.
        return recovery.skip(result.outcome.summary, recovery.request.event, result.outcome)
    return recovery.tell(result)


def _attempt(recovery: Recovery, access: Access) -> Result:
    request, history, number = recovery.request, recovery.history, recovery.number
    scrubber = OutcomeScrubber(*access.credentials)
    lines = (sys.stderr if request.output.json else sys.stdout) if request.output.verbose else None
    lost = ""

    def written(write: Callable[[], None]) -> None:
        """Write into the history. A full disk must not end a repair in its middle, nor hide how it ended."""
        nonlocal lost
        try:
            write()
        except RecoveryError as error:
            lost = lost or f"; not all of it is in the history: {error}"

    def note(step: Step) -> None:
        shown = scrubber.step(step)
        written(lambda: history.step(number, shown))
        progress(shown)

    try:
        with ProgressDisplay(request.title, lines) as progress:
            if access.hops:
                note(Step("way", 0.0, f"through {', then '.join(map(_told, access.hops))}"))
            outcome = recovery.machines.run(access, prepare(request), request.verify, note, turn_of(recovery))
        outcome = scrubber.outcome(outcome)
    except Signalled as error:
        text = f"ended by {error}: what was begun on the machine may go on there"
        written(lambda: history.fail(number, text, "interrupted"))
        return Result(2, "interrupted", text + lost)
    except RecoveryError as error:
        # Nothing was done then. A refused login counts all the same: many in a row lock an account.
        failed, counts = failure(error, scrubber), isinstance(error, LoginFailed)
        written(lambda: history.fail(number, failed.summary, acted=counts))
        return replace(failed, summary=failed.summary + lost)
    except Exception as error:  # a bug must not leave the history without an end, nor a secret in a traceback
        text = internal(error)
        written(lambda: history.fail(number, text))
        return Result(2, "failed", text + lost)
    written(lambda: history.finish(number, outcome))
    if lines is not None:
        _print_streams(outcome, lines)
    summary = _with_verdict(outcome.verdict, outcome.summary) + lost
    return Result(outcome.verdict.exit_code, outcome.verdict.value, summary, outcome)


def _told(hop: Hop) -> str:
    """``gate1 (192.0.2.1) with credential gate``."""
    address = f" ({hop.target.address})" if hop.target.address not in ("", hop.target.machine) else ""
    return f"{hop.target.machine}{address} with credential {hop.credential.name}"


def _print_streams(outcome: Outcome, lines: TextIO) -> None:
    for name in ("stdout", "stderr"):
        for line in str(outcome.facts_after.get(name, "")).splitlines():
            print(clean(f"{name}: {line}"), file=lines)


def _with_verdict(verdict: Verdict, summary: str) -> str:
    """The summary, with the verdict before it where neither the line's first word nor the summary says it."""
    if verdict in (Verdict.NOT_PROVEN, Verdict.SKIPPED) and verdict.value not in summary:
        return f"{verdict.value}: {summary}"
    return summary
