"""Writes docs/engine-facts.md from the tables that render and doctor read: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from imap4.monitor.engines.facts import FACTS, PACKAGINGS  # noqa: E402 - the checkout is not installed

PAGE = ROOT / "docs" / "engine-facts.md"

_HEAD = """# Engines: paths and differences

This page is made from the tables that `imap4-monitor render` and `doctor` read (`make docs`). "Seen" was run;
everything else was read in the engine's or the package's own sources.

## Where packages have their files

| engine | package | main file | command file | query socket | program | unit | runs as | seen |
|---|---|---|---|---|---|---|---|---|
"""
_FACTS = """
In an OMD site, `$OMD_ROOT` is set in the site user's environment; run `imap4-monitor` as that user.

## What engines and their versions do differently

| engine | versions | what it does | what the project does | seen |
|---|---|---|---|---|
"""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _path(text: str) -> str:
    return f"`{text}`" if text else ""


def page() -> str:
    """The whole page."""
    packages = (
        _row(
            each.engine,
            each.who,
            _path(each.main_file),
            _path(each.command_file),
            _path(each.query_socket),
            _path(each.program),
            each.unit,
            each.user or "the site's user",
            each.seen or "no",
        )
        for each in PACKAGINGS
    )
    facts = (_row(each.engine, each.versions, each.behaviour, each.consequence, each.seen) for each in FACTS)
    return _HEAD + "".join(packages) + _FACTS + "".join(facts)


if __name__ == "__main__":
    PAGE.write_text(page())
