"""Writes docs/verdicts.md and docs/causes.md from the code, so that they cannot drift: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from imap4.causes import ANY_ACTION, CAUSES, Cause  # noqa: E402 - the checkout is not installed
from tests.machines.cases import CASES, Case  # noqa: E402

PAGE = ROOT / "docs" / "verdicts.md"
CAUSES_PAGE = ROOT / "docs" / "causes.md"

_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")

_HEAD = """# Verdicts

What `check_imap4` says of servers that misbehave, and of some that do not.
This page is made from the table that the tests run (`make docs`): every row is tested against a real
socket, the whole line and the exit code. `T` stands for a measured time. Each line begins with
`IMAP4 STATE - 127.0.0.1:PORT`, which is left out here.
"""


_CAUSES_HEAD = """# Causes

Every failure carries one cause, last on the status line in brackets. Recovery decides by it, and it is there
to be searched for. The part before the dot is the phase that failed. This page is made from the code
(`make docs`).

The last column tells whether `imap4-recovery` acts on it where `--causes` does not say otherwise.
`engine.*` and `none` are never printed by the check: they are what recovery makes of a line that an engine or
another plugin wrote.

| cause | what it means, and what to do | repaired |
|---|---|---|
"""


def causes_page() -> str:
    """The whole page of causes."""
    return _CAUSES_HEAD + "".join(
        f"| `{cause.name}` | {cause.hint} | {_actions(cause)} |\n" for cause in CAUSES.values()
    )


def _actions(cause: Cause) -> str:
    if not cause.actions:
        return "no"
    return "yes" if cause.actions == ANY_ACTION else ", ".join(cause.actions)


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for section in dict.fromkeys(case.section for case in CASES):
        parts.append(
            f"\n## {section}\n\n| the server | options | verdict | status line |\n|---|---|---|---|\n"
        )
        parts += [_row(case) for case in CASES if case.section == section]
    return "".join(parts)


def _row(case: Case) -> str:
    text = case.line.partition("127.0.0.1:PORT ")[2]
    options = " ".join(f"'{option}'" if " " in option else option for option in case.options)
    cells = (case.does, _code(options), f"{_STATES[case.exit_code]} ({case.exit_code})", _code(text))
    return f"| {' | '.join(cells)} |\n"


def _code(text: str) -> str:
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""


if __name__ == "__main__":
    PAGE.write_text(page())
    CAUSES_PAGE.write_text(causes_page())
