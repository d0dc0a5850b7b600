"""Tells the engine whose event asked for a recovery what came of it: a comment on the service.

The repair is over by then, and its end is in the history. A report that cannot be delivered changes
neither: it is a step in the history and a line on standard error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from imap4.deadline import Deadline
from recovery.decision.event import Event
from recovery.errors import RecoveryError
from recovery.execution.output import say, warn
from recovery.history.entries import entry_before
from recovery.history.recoveries import History
from recovery.model import Step
from recovery.requests import OutputOptions
from recovery.signals import Signalled, internal

SECONDS = 5.0
"""How long the engine may take; a notification command may live for 30 s in all."""
STEP = "report"
_LOST = "not delivered"


def report(
    event: Event | None, history: History, number: int, line: str, at: float, output: OutputOptions
) -> str | None:
    """Tell the engine that the environment names (``imap4.monitor.engines.reporters``), or else the options.

    Args:
        event: a person who asked by hand (None) needs no comment, and gets none.
        line: what is told: the last line.
        at: seconds since the recovery began.

    Returns:
        what is noted of it; None where there is nobody to tell.
    """
    if event is None:
        return None
    text, problem = "", ""
    try:
        text = _deliver(event, f"{line} (recovery {number})", output.engine)
    except Signalled as error:
        problem = f"ended by {error}; it is not certain that the engine was told"
    except RecoveryError as error:
        problem = str(error)
    except Exception as error:  # a bug in telling must not hide what was done
        problem = internal(error)
    if not text and not problem:
        return None
    return _note(output, history, number, Step(STEP, at, f"{_LOST}: {problem}" if problem else text))


def report_skip(
    event: Event | None, history: History, number: int, line: str, output: OutputOptions
) -> str | None:
    """As :func:`report`, for the first of several skips in a row: an outage without end is no flood."""
    if event is not None and _skip_was_told(event, history, number):
        return _note(output, history, number, Step(STEP, 0.0, "none: the engine knows of the skip before"))
    return report(event, history, number, line, 0.0, output)


def _skip_was_told(event: Event, history: History, number: int) -> bool:
    """Whether the last call for this problem was a skip too, and the engine knows of it."""
    before = entry_before(history, number)
    if before is None or before.event is None or before.texts["state"] != "skipped":
        return False
    same = all(before.event.get(name) == getattr(event, name) for name in ("host", "service", "problem_id"))
    return same and any(name == STEP and not text.startswith(_LOST) for _, name, text in before.steps)


def _deliver(event: Event, line: str, engine: Mapping[str, str]) -> str:
    """Send it; returns what the history says of it, empty where no engine is named.

    Args:
        engine: variables that count where the environment names no engine.

    Raises:
        RecoveryError: it was not delivered, or that is not certain.
    """
    from imap4.monitor.engines.report import Report, ReportError
    from imap4.monitor.engines.reporters import reporter_from

    try:
        named = any(os.environ.get(name) for name in ("IMAP4_NAGIOS_COMMAND_FILE", "IMAP4_ICINGA_API"))
        reporter = reporter_from(os.environ if named else {**os.environ, **engine})
        if reporter is None:
            return ""
        if not event.host or not event.service:
            raise RecoveryError("the event names no host and service to comment on")
        # An engine's page would show an arrow as markup, so the reporters take it out.
        text = line.replace(" -> ", " to ")
        reporter.send(Report(event.host, event.service, text), Deadline(SECONDS))
    except ReportError as error:
        raise RecoveryError(str(error)) from None
    return f"a comment on {event.host}/{event.service}"


def _note(output: OutputOptions, history: History, number: int, step: Step) -> str:
    if step.text.startswith(_LOST):
        warn(f"report {step.text}")
    elif output.verbose:
        say(output, f"{step.at:7.1f} s  {step.name}: {step.text}")
    try:
        history.step(number, step)
    except RecoveryError as error:
        warn(str(error))
    return step.text
