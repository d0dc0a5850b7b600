"""Imports go one way; docs/architecture.md says why."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Who may not import whom, as prefixes of module names.
FORBIDDEN = [
    ("imap4", "monitor"),
    ("imap4", "recovery"),
    ("imap4", "check_imap4"),
    ("imap4/protocol.py", "socket"),
    ("imap4/protocol.py", "imap4"),
    ("imap4/connection.py", "imap4.probe"),
    ("imap4/connection.py", "imap4.session"),
    ("imap4/session.py", "imap4.probe"),
    ("imap4/probe.py", "imap4.check"),
    ("monitor", "recovery"),
    # No circle among the ways to perform a recovery.
    ("recovery/acting.py", "recovery.perform"),
    ("recovery/background.py", "recovery.perform"),
    ("recovery/dry_run.py", "recovery.perform"),
    ("recovery/report.py", "recovery.acting"),
]


def imported_modules(path: Path) -> set[str]:
    """Every module that a file imports, at any depth, by its full name."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


# What of monitor may use the worker: it needs greenlet, which nothing else of monitor does.
WITH_WORKER = ("monitor/worker.py", "monitor/sweep/")


def test_only_the_sweep_imports_the_worker() -> None:
    for path in sorted((ROOT / "monitor").rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if not place.startswith(WITH_WORKER):
            wrong = {
                name for name in imported_modules(path) if name.startswith(("imap4.worker", "monitor.sweep"))
            }
            assert not wrong, f"{place} imports {wrong}"


@pytest.mark.parametrize(("who", "whom"), FORBIDDEN)
def test_imports_go_one_way(who: str, whom: str) -> None:
    place = ROOT / who
    files = [place] if place.suffix else sorted(place.rglob("*.py"))
    for path in files:
        wrong = {name for name in imported_modules(path) if name == whom or name.startswith(f"{whom}.")}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"
