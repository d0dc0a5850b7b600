"""What was repaired: read from ``imap4-recovery history list --all --json``, or from a file of its output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from imap4.monitor.records.errors import RecordsError
from imap4.monitor.reports.counting.outages import Repair

_PATIENCE = 30
"""Seconds that the program gets."""


def program() -> str | None:
    """``imap4-recovery`` beside this program, or on PATH; None where it is not installed."""
    beside = Path(sys.argv[0]).absolute().parent / "imap4-recovery"
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("imap4-recovery")


def from_program(command: str) -> list[Repair]:
    """Ask the program.

    Raises:
        RecordsError: it does not answer, or not with a history.
    """
    try:
        ended = subprocess.run(
            [command, "history", "list", "--all", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RecordsError(f"{command} history list: {error}") from None
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        raise RecordsError(f"{command} history list: {said[-1]}")
    return parse(ended.stdout, f"{command} history list")


def from_file(path: str) -> list[Repair]:
    """Read the program's output from a file, such as another machine's.

    Raises:
        RecordsError: it cannot be read, or is no history.
    """
    try:
        return parse(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise RecordsError(f"{path}: cannot be read: {error}") from None


def parse(text: str, where: str) -> list[Repair]:
    """The recoveries in the program's output that alerts have begun.

    Raises:
        RecordsError: it is not such an output.
    """
    try:
        return [_repair(each) for each in json.loads(text) if each.get("event")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordsError(f"{where}: is no history as JSON ({error!r})") from None


def _repair(entry: dict[str, Any]) -> Repair:
    what = " ".join(str(each) for each in (entry["action"], entry["subject"]) if each)
    ended = entry["ended"]
    return Repair(
        asked=round(entry["asked"] * 1000),
        ended=None if ended is None else round(ended * 1000),
        what=f"{what} on {entry['machine']}",
        state=str(entry["state"]),
        told=str(entry.get("summary") or entry.get("reason") or ""),
        proof=str(entry.get("proof") or ""),
        host=str(entry["event"].get("host", "")),
        service=str(entry["event"].get("service", "")),
    )
