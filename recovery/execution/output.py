"""What a recovery prints: lines on the way, and one last line (or JSON) that an engine shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from recovery.decision.policy import RuleAnswer
from recovery.execution.progress import clean
from recovery.model import Outcome
from recovery.requests import OutputOptions, RecoveryRequest

_WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}


def say(output: OutputOptions, text: str) -> None:
    """A line beside the result: on standard output, or on standard error where that is JSON."""
    # Flushed: an engine that ends us at its time-out keeps what was said by then.
    print(clean(text), file=sys.stderr if output.json else sys.stdout, flush=True)


def warn(text: str) -> None:
    """A line on standard error, for what went wrong beside the recovery itself."""
    print(clean(f"imap4-recovery: {text}"), file=sys.stderr)


def explain(output: OutputOptions, answers: Sequence[RuleAnswer]) -> None:
    """With ``--explain``: what each rule said."""
    if output.explain:
        for answer in answers:
            say(output, f"{answer.rule}: {answer.reason or 'no objection'}")


def last_line(title: str, code: int, summary: str) -> str:
    """``OK - restart-service dovecot on mail1: running again after 4.1 s``."""
    # A bar would begin performance data, and end the line for the person who reads it.
    return clean(f"{_WORDS[code]} - {title}: {summary}").replace("|", "/")


def end(
    request: RecoveryRequest,
    code: int,
    verdict: str,
    summary: str,
    *,
    number: int | None = None,
    outcome: Outcome | None = None,
    **more: Any,
) -> int:
    """Print the last line (or the JSON), and return the exit code.

    Args:
        number: the recovery's entry in the history.
        more: for the JSON alone.
    """
    line = last_line(request.title, code, summary)
    if not request.output.json:
        if "|" in summary:
            # What a person may copy, such as a line for sudoers: the last line has another sign there. Not on
            # standard output, where an engine could take what a machine said for performance data.
            print(clean(f"with its bars: {summary}"), file=sys.stderr)
        print(line, flush=True)
        return code
    document: dict[str, Any] = {
        "verdict": verdict,
        "exit_code": code,
        "line": line,
        "summary": summary,
        "action": request.action,
        "subject": request.subject,
        "machine": request.access.machine,
        "history": number,
        **more,
    }
    if outcome is not None:
        document |= {
            "proof": outcome.proof,
            "verify": outcome.verify,
            "facts_before": outcome.facts_before,
            "facts_after": outcome.facts_after,
            "steps": [{"at": step.at, "name": step.name, "text": step.text} for step in outcome.steps],
            "seconds": outcome.seconds,
        }
    # "default": facts are what a machine said, and may be of any type.
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str), flush=True)
    return code
