"""Writes the table of situations into docs/engines.md, as the engines' tests compare them: ``make docs``."""

from __future__ import annotations

import re
from pathlib import Path

from tests.engines.situations import DISTURBED, FORGETS, KEEPS, SITUATIONS, Situation

PAGE = Path(__file__).parents[2] / "docs" / "engines.md"
COLUMNS = {
    FORGETS: "Nagios up to 4.5.6, Naemon",
    KEEPS: "Nagios 4.5.7 and later",
    "icinga2": "Icinga 2",
}
BEGIN, END = "<!-- situations: made by make docs -->\n", "<!-- end of situations -->\n"


def _happens(situation: Situation) -> str:
    """What happens at which test, in words."""
    found = [
        f"{DISTURBED[each]} after test {number}" if each in DISTURBED else f"{each} at test {number}"
        for number, what in sorted(situation.happens.items())
        for each in what
    ]
    return "; ".join(found)


def _cell(situation: Situation, kind: str) -> str:
    if kind in situation.differs:
        return f"**differs**: {situation.differs[kind]}"
    if situation.expected(early=True) != situation.expected(early=False):
        return "right; the recovery " + (
            "at once (Nagios: as a custom one)" if kind == FORGETS else "when it can be sent"
        )
    return "right"


def table() -> str:
    """One row a situation, one column a kind of engine."""
    rows = [
        f"| Situation | N, M | Tests | {' | '.join(COLUMNS.values())} |",
        "|---|---|---" + "|---" * len(COLUMNS) + "|",
    ]
    for each in SITUATIONS:
        happens = _happens(each)
        name = each.name + (f" ({happens})" if happens else "")
        limits = f"{each.failures_per_alert}, {each.maximum_alerts or 'none'}"
        if each.changed:
            limits += f"; then {each.changed[0]}, {each.changed[1]}"
        cells = " | ".join(_cell(each, kind) for kind in COLUMNS)
        rows.append(f"| {name} | {limits} | `{each.results}` | {cells} |")
    return "\n".join(rows) + "\n"


def page(text: str) -> str:
    """The page with the table as it should be."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: BEGIN + table() + END, text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
