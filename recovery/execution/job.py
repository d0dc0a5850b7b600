"""One call of an action: its options, its names, and how its result is told."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import sys
from dataclasses import dataclass
from typing import Any

from recovery.decision.event import Event
from recovery.execution.progress import clean
from recovery.history.recoveries import Asked
from recovery.model import Outcome

_WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}


@dataclass(frozen=True)
class Job:
    """What was asked for on the command line."""

    options: argparse.Namespace
    action: str
    subject: str
    """The services or the program; empty for a reboot."""

    @property
    def title(self) -> str:
        """``restart-service dovecot on mail1``."""
        return f"{self.action} {self.subject}".strip() + f" on {self.options.machine}"

    def asked(self, event: Event | None, address: str = "") -> Asked:
        """What is written down of it."""
        return Asked(
            self.action,
            self.options.machine,
            self.options.credential,
            self.subject,
            f"user {_user()}" if event is None else f"{event} (user {_user()})",
            event,
            address,
        )

    def say(self, text: str) -> None:
        """A line beside the result: on standard output, or on standard error where that is JSON."""
        print(clean(text), file=sys.stderr if self.options.json else sys.stdout, flush=True)

    def line(self, code: int, summary: str) -> str:
        """The last line: ``OK - restart-service dovecot on mail1: running again after 4.1 s``."""
        # A bar would begin performance data, and end the line for the person who reads it.
        return clean(f"{_WORDS[code]} - {self.title}: {summary}").replace("|", "/")

    def end(
        self,
        code: int,
        verdict: str,
        summary: str,
        *,
        number: int | None = None,
        outcome: Outcome | None = None,
        **more: Any,
    ) -> int:
        """Print the last line (or the JSON), and return the exit code."""
        line = self.line(code, summary)
        if not self.options.json:
            print(line, flush=True)
            return code
        document: dict[str, Any] = {
            "verdict": verdict,
            "exit_code": code,
            "line": line,
            "summary": summary,
            "action": self.action,
            "subject": self.subject,
            "machine": self.options.machine,
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
        print(json.dumps(document, indent=2, ensure_ascii=False, default=str), flush=True)
        return code


def _user() -> str:
    """Who runs this, and who they were before sudo."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    before = os.environ.get("SUDO_USER")
    return f"{name}, by sudo from {before}" if before and before != name else name
