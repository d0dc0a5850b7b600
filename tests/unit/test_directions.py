"""Imports go one way; docs/architecture.md says why."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOMS = ("actions", "credentials", "decision", "execution", "history", "machines", "platforms", "transports")
"""Of recovery, all but its door: commands."""
ROOT = Path(__file__).parents[2]

# Who may not import whom, as prefixes of module names.
FORBIDDEN = [
    ("imap4", "recovery"),
    ("imap4", "check_imap4"),
    # The check runs without the rest, and costs no more for it.
    ("imap4/check", "imap4.monitor"),
    ("imap4/check", "imap4.worker"),
    ("imap4/check/protocol.py", "socket"),
    ("imap4/check/protocol.py", "imap4"),
    ("imap4/check/connection.py", "imap4.check.probe"),
    ("imap4/check/connection.py", "imap4.check.session"),
    ("imap4/check/connection.py", "imap4.check.connecting"),
    ("imap4/check/session.py", "imap4.check.probe"),
    ("imap4/check/probe.py", "imap4.check.verdict"),
    # Of what starts with the worker, only the sweep knows definitions.
    ("imap4/worker/jobs", "imap4.monitor"),
    ("imap4/worker/loop", "imap4.monitor"),
    # No circle among the ways to perform a recovery.
    ("recovery/execution/attempt.py", "recovery.execution.perform"),
    ("recovery/execution/background.py", "recovery.execution.perform"),
    ("recovery/execution/dry_run.py", "recovery.execution.perform"),
    ("recovery/execution/report.py", "recovery.execution.attempt"),
    ("recovery/execution/report.py", "recovery.execution.recovery"),
    ("recovery/execution/recovery.py", "recovery.execution.attempt"),
    # The command line is read at the door: no room behind it knows of options.
    *((f"recovery/{room}", module) for room in ROOMS for module in ("argparse", "recovery.commands")),
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


# What all rooms share, as paths: no room's own business is known there.
SHARED = sorted((ROOT / "imap4").glob("*.py"))


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.name)
def test_what_all_rooms_share_knows_no_room(path: Path) -> None:
    rooms = ("imap4.check", "imap4.monitor", "imap4.worker")
    assert not {name for name in imported_modules(path) if name.startswith(rooms)}


def test_only_the_worker_imports_the_worker() -> None:
    """It needs greenlet, which nothing else does; `imap4-worker sweep` lives there too."""
    for path in sorted((ROOT / "imap4" / "monitor").rglob("*.py")):
        wrong = {name for name in imported_modules(path) if name.startswith("imap4.worker")}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even for annotations: what needs each other is one thing, or two with a third below them."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in ("imap4", "recovery")
        for path in (ROOT / package).rglob("*.py")
    }
    above = {name: imported_modules(path) & paths.keys() - {name} for name, path in paths.items()}
    # Whoever imports nothing that is left is taken out, again and again; circles are what remains.
    while lowest := [name for name, others in above.items() if not others]:
        for name in lowest:
            del above[name]
        for others in above.values():
            others.difference_update(lowest)
    assert above == {}


def test_no_folder_holds_more_than_fifteen_modules() -> None:
    counts = Counter(
        path.parent.relative_to(ROOT)
        for package in ("imap4", "recovery")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    )
    assert {folder: count for folder, count in counts.items() if count > 15} == {}


@pytest.mark.parametrize(("who", "whom"), FORBIDDEN)
def test_imports_go_one_way(who: str, whom: str) -> None:
    place = ROOT / who
    files = [place] if place.suffix else sorted(place.rglob("*.py"))
    for path in files:
        wrong = {name for name in imported_modules(path) if name == whom or name.startswith(f"{whom}.")}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"
