"""Tables and timelines for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Literal

from imap4.monitor.reports.counting.numbers import percent, spelled
from imap4.monitor.reports.counting.periods import at
from imap4.monitor.reports.status import DISABLED, MAINTENANCE, NO_DATA, Row

if TYPE_CHECKING:
    from rich.console import RenderableType

HEADS = ("State", "Name", "Last result", "Since", "Avail. 24 h", "Cov. 24 h")
_COLOURS = {"Up": "blue", "Warn": "yellow", "Down": "red", "Lost": "red", NO_DATA: "magenta"}
_DIM = (DISABLED, MAINTENANCE)


def plain(text: str) -> str:
    """A foreign text without what a terminal would take for an instruction."""
    if text.isprintable():  # none of the characters below is
        return text
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", " ", text)


def clock(moment: int | None, zone: tzinfo) -> str:
    """``2026-10-05 14:00:05``, or a dash."""
    return "-" if moment is None else at(moment, zone).strftime("%Y-%m-%d %H:%M:%S")


def cells(row: Row, now: int) -> tuple[str, ...]:
    """A row's cells, in the order of HEADS."""
    since = "-" if row.since is None else spelled(max(0, now - row.since))
    result = row.result
    if " - " in result:
        result = re.sub(r"^.*? (?:CRITICAL|UNKNOWN|WARNING) - ", "", result)
    shares = row.shares
    return (
        *(row.state, plain(row.name), plain(result) or "-", since),
        *(percent(shares.availability), percent(shares.coverage)),
    )


def table(rows: Sequence[Row], now: int, width: int) -> str:
    """The rows as text; the last result is cut where the terminal is not wide enough."""
    found = [HEADS, *(cells(row, now) for row in rows)]
    widths = [max(len(row[column]) for row in found) for column in range(len(HEADS))]
    others = sum(widths) - widths[2] + 2 * (len(HEADS) - 1)
    widths[2] = max(12, min(widths[2], width - others))
    lines = []
    for row in found:
        parts = [
            f"{_cut(text, size):>{size}}" if column > 2 else f"{_cut(text, size):<{size}}"
            for column, (text, size) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def live(rows: Sequence[Row], now: int, zone: tzinfo, notes: Sequence[str] = ()) -> RenderableType:
    """The rows for rich, and notes below them."""
    from rich.table import Table
    from rich.text import Text

    made = Table(title=f"{len(rows)} monitors, {clock(now, zone)}", expand=True)
    made.caption = Text("\n".join(notes)) if notes else None
    for number, head in enumerate(HEADS):
        side: Literal["left", "right"] = "right" if number > 2 else "left"
        made.add_column(head, justify=side, no_wrap=number != 2, ratio=1 if number == 2 else None)
    for row in rows:
        style = _COLOURS.get(row.state, "dim" if row.state in _DIM else "")
        state, *rest = cells(row, now)
        made.add_row(Text(state, style), *(Text(each) for each in rest))
    return made


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "\u2026"


_BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"


def sparkline(values: Sequence[float | None], highest: float | None = None) -> str:
    """One character a value; a space where there is none."""
    known = [each for each in values if each is not None]
    top = highest or max(known, default=0) or 1
    marks = [" " if each is None else _BARS[min(7, int(each / top * 7.999))] for each in values]
    return "".join(marks)
