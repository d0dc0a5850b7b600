"""What a look at an engine found, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    ok: bool
    title: str
    """What it is and how it is: ``interval_length is 60``."""
    why: str = ""
    """What goes wrong with it as it is."""
    remedy: str = ""
    """The line to change, or the command to run."""


def told(findings: Iterable[Finding]) -> str:
    """The findings for a person, one line each; a bad one has its reason and its remedy below it."""
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.ok else 'BAD '} {finding.title}")
        if not finding.ok:
            lines += [f"     {part}" for part in (finding.why, finding.remedy) if part]
    return "\n".join(lines)
