"""Lines as checks write them, for tests."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterable
from pathlib import Path

from imap4.handover.record_file import file_name
from imap4.monitor.records.collect import collect
from imap4.monitor.records.manifest import load
from imap4.monitor.records.reading import ask
from imap4.monitor.records.rules import RowRules

NOON = calendar.timegm((2026, 10, 5, 12, 0, 0))
"""A Monday in summer time, in seconds since the epoch."""

KEEP = 400 * 86400.0


def line(
    moment: float,
    state: int = 0,
    identity: str = "Mail",
    *,
    downtime: int = 0,
    cause: str = "",
    seconds: float = 0.02,
) -> str:
    """One record."""
    cause = cause or ("" if state < 2 else "connect.refused")
    phases = f"0.000100\t0.001000\t\t{seconds / 2:.6f}\t\t\t0.000500" if state < 2 else "0.000100\t\t\t\t\t\t"
    message = f"IMAP4 CRITICAL - mail:143 connection refused [{cause}]" if state >= 2 else ""
    return (
        f"\n1\t{moment:.3f}\t{seconds:.6f}\t{identity}\tmail:143\t{state}\t{cause}\t{phases}\t192.0.2.1\t30.50"
        f"\t{downtime}\thost\t{message}\t.\n"
    )


def write(folder: Path, lines: Iterable[tuple[float, str]], user: int = 0) -> None:
    """Append lines to the files of their hours."""
    folder.mkdir(parents=True, exist_ok=True)
    for moment, text in lines:
        with (folder / file_name(moment, user)).open("a") as file:
            file.write(text)


def series(folder: Path, first: float, results: Iterable[int], every: float = 300, **more: object) -> None:
    """A series of tests."""
    moments = [(first + number * every, state) for number, state in enumerate(results)]
    write(folder, [(moment, line(moment, state, **more)) for moment, state in moments])  # type: ignore[arg-type]


def collected(folder: Path, store: Path, now: float, rules: RowRules | None = None) -> None:
    """Collect."""
    collect([folder], store, rules or {}, keep=KEEP, now=now)


def moments_in(folder: Path, store: Path) -> list[tuple[str, int]]:
    """Id and moment of every test that a question sees, in order; those not collected yet too."""
    return ask(
        [folder],
        store,
        {},
        (0, round(time.time() * 1000) + 10**11),
        lambda reader: sorted(reader.database.table(reader.tests).project("id, ms").fetchall()),
    )


def broken_in(store: Path) -> dict[str, int]:
    """Lines that could not be read, by hour."""
    return load(store).broken
