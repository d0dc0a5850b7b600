"""What an action tells while it is at work, and what it leaves to be told."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from recovery.model import Outcome, Step, StepListener, Verdict


def silent(_: Step) -> None:
    """A progress that nobody watches."""


@dataclass
class Story:
    """The steps of one action, told to ``progress`` as they happen."""

    progress: StepListener = silent
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
    proof: str = ""
    verify: str = ""
    acted: bool = False
    """Whether anything that changes the machine was asked for; set it just before."""
    beside: str = ""
    """What is said after every summary: what the person must know, however it ended."""
    verdict: Verdict | None = None
    """How it ended, once it has."""
    steps: list[Step] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since the action began."""
        return time.monotonic() - self._began

    def tell(self, name: str, text: str) -> None:
        """Add a step."""
        step = Step(name, round(self.seconds, 3), printable(text))
        self.steps.append(step)
        self.progress(step)

    def end(self, verdict: Verdict, summary: str) -> Outcome:
        """The outcome, with everything told so far."""
        self.verdict = verdict
        if self.beside and self.acted:
            summary = f"{summary}; {self.beside}"
        return Outcome(
            verdict=verdict,
            summary=printable(summary),
            facts_before=self.before,
            facts_after=self.after,
            proof=printable(self.proof),
            verify=self.verify,
            steps=tuple(self.steps),
            seconds=round(self.seconds, 3),
            acted=self.acted,
        )


def printable(text: str) -> str:
    """``text`` from a machine as one line without control characters."""
    words = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(words.split())


def in_time(seconds: float) -> str:
    """A duration for a person: ``4.1 s``, ``3 min 20 s``."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
