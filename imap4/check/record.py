"""One line a test for reports: what ``--record FOLDER`` leaves behind. ``docs/reports.md`` has the fields.

A record never changes a verdict: whatever goes wrong here comes back as a text, for ``-v``.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imap4.check.options import endpoint
from imap4.handover.record_file import append
from imap4.text import clean

if TYPE_CHECKING:
    from imap4.check.options import Options
    from imap4.check.probe import ProbeResult

VERSION = "1"

PHASES = ("resolve", "connect", "tls", "greeting", "capability", "login", "logout")

FIELDS = (
    *("version", "time", "seconds", "id", "target", "state", "cause", *PHASES),
    *("address", "days_left", "downtime", "recorder", "message", "end"),
)

END = "."
"""The last field: a line that was cut short, by a full disk, has none."""

_MESSAGE = 400
_NO_PHASES = "\t" * (len(PHASES) - 1)


def line(options: Options, results: Sequence[ProbeResult], code: int, output: str, now: float) -> bytes:
    """The record of a test.

    Args:
        results: none where the test could not be run.
        code: the plugin's exit code.
        output: what the plugin printed.
        now: when the verdict was known, in seconds since the epoch.

    Returns:
        At most 4,000 bytes. It begins with a line feed too, so that what a full disk cut short before it
        spoils nothing.
    """
    seconds = cause = address = days = phases = ""
    if len(results) == 1:
        told: ProbeResult | None = results[0]
    else:
        told = next((each for each in results if each.failure is not None), results[0] if results else None)
    if told is not None:
        seconds = f"{max([each.seconds for each in results]):.6f}"
        cause = told.failure.cause if told.failure is not None else ""
        address = told.address
        taken = dict(told.phases)
        phases = "\t".join([f"{taken[name]:.6f}" if name in taken else "" for name in PHASES])
        left = [each.days_left for each in results if each.days_left is not None]
        days = f"{min(left):.2f}" if left else ""
    message = output.split("\n", 1)[0].split(" | ", 1)[0][:_MESSAGE] if code else ""
    subject = _subject(options.id or "", options.host, options.port, options.unix_path)
    if not address.isascii() or message:
        # str.split() knows every character that a reader may take for the end of a line.
        address, message = " ".join(address.split()), " ".join(message.split())
    text = (
        f"\n{VERSION}\t{now:.3f}\t{seconds}\t{subject}\t{code}\t{cause}\t{phases or _NO_PHASES}\t{address}\t"
        f"{days}\t{int(options.downtime > 0)}\t{_recorder()}\t{message}\t{END}\n"
    )
    return text.encode("utf-8", "replace")


@functools.lru_cache(100_000)
def _subject(identity: str, host: str, port: int, unix_path: str | None) -> str:
    """Id and target, which are the same from test to test."""
    target = clean(unix_path, 107) if unix_path is not None else endpoint(clean(host, 255), port)
    return " ".join(identity.split()) + "\t" + target


@functools.cache
def _recorder() -> str:
    return os.uname().nodename


def record(options: Options, results: Sequence[ProbeResult], code: int, output: str) -> str:
    """Append the record of a test that has just ended; what was wrong comes back. Never raises."""
    now = time.time()
    try:
        assert options.record is not None
        return append(options.record, line(options, results, code, output, now), now)
    except Exception as error:  # the verdict is worth more than its record
        return f"not recorded: {error!r}"
