"""What a repair did, told to the engine: a comment on the service, and a passive result where asked for.

``recovery`` may import this module; it imports nothing of recovery's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from imap4.deadline import Deadline

LONGEST = 1000


class ReportError(Exception):
    """The engine was not told: the text says which, what was tried and what to do. It holds no secret."""


class ReportRefused(ReportError):
    """The engine answers, and does not want this very report: saying it again would not help."""


@dataclass(frozen=True)
class Report:
    """One thing to tell about a service."""

    host: str
    service: str
    """Both as the engine names them."""
    text: str
    author: str = "imap4-recovery"
    status: int | None = None
    """0 to 3 makes a passive result with the same text, too."""


class Reporter(Protocol):
    """An engine that takes reports."""

    def send(self, report: Report, deadline: Deadline) -> None:
        """Tell the engine.

        Raises:
            ReportError: it does not know about it now, or that is not certain.
        """
        ...


def cleaned(text: str) -> str:
    """``text`` on one line, without what pages and engines take for markup, performance data or a macro."""
    flat = re.sub(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text).strip()
    plain = flat.translate(str.maketrans("<>|`$", "()/''"))
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."
