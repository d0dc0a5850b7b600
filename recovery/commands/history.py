"""``imap4-recovery history list|show|prune``."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from imap4.durations import seconds, spell
from recovery.commands.parsing import Parser, add_files, kind, number, paths_of
from recovery.credentials.restrictions import ACTIONS
from recovery.errors import RecoveryError, UsageError
from recovery.execution.output import warn
from recovery.execution.progress import clean
from recovery.history import entries as history_view
from recovery.history.entries import Entry
from recovery.history.recoveries import clock_text, opened
from recovery.machines.interface import Machines

_ABOUT = """\
What was done, where, when, for whom and with which result: also what was skipped and why, and what was
interrupted. One entry a call; --dry-run leaves none.
"""
_LEAST_AGE = 86400.0


def add_parser(commands: Any) -> None:
    """Add ``history`` and its subcommands to the top parser's ``commands``."""
    parser = commands.add_parser("history", help="what was done, skipped or interrupted", description=_ABOUT)
    group = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    listing = group.add_parser("list", help="one line for each entry, the newest last")
    listing.add_argument("--machine", metavar="NAME", help="only this machine's, by name or address")
    listing.add_argument("--action", choices=ACTIONS, help="only this action's")
    listing.add_argument(
        "--since", type=kind(seconds), metavar="TIME", help="only those asked for in this time up to now: 7d"
    )
    listing.add_argument("--last", type=number, default=50, metavar="N", help="only the last N (50)")
    listing.add_argument("--all", action="store_true", help="all of them")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=list_entries)
    showing = group.add_parser("show", help="everything about one entry")
    showing.add_argument("number", type=number, metavar="N")
    showing.add_argument("--json", action="store_true", help="print JSON")
    showing.set_defaults(run=show)
    pruning = group.add_parser("prune", help="remove old entries; what is under way always stays")
    pruning.add_argument(
        "--older-than",
        type=kind(seconds),
        required=True,
        metavar="TIME",
        help="such as 90d; at least 1d. Limits (--at-most) look back over what is still there",
    )
    pruning.set_defaults(run=prune)
    for one in (listing, showing, pruning):
        add_files(one, store=False)


def list_entries(options: argparse.Namespace, machines: Machines) -> int:
    """Print the last entries."""
    with opened(paths_of(options).state) as history:
        history.find_interrupted()
        found = history_view.entries(
            history,
            machine=options.machine,
            action=options.action,
            since=None if options.since is None else time.time() - options.since,
            limit=None if options.all else options.last,
        )
    if options.json:
        print(json.dumps([entry.as_dict() for entry in found], indent=2, ensure_ascii=False))
        return 0
    for entry in found:
        # A server's greeting may be in it: no control character of it reaches the terminal.
        print(clean(line_of(entry)))
    if not found:
        chosen = options.machine or options.action or options.since is not None
        hint = "none of these; imap4-recovery history list --all has every one" if chosen else "none yet"
        print(f"imap4-recovery: no recovery in {paths_of(options).state}: {hint}", file=sys.stderr)
    return 0


def line_of(entry: Entry) -> str:
    """One line: number, time, action, subject, machine, state, and its summary or reason."""

    texts = entry.texts
    what = f"{texts['action']} {texts['subject']}".strip()
    told = texts["summary"] or texts["reason"]
    return f"{entry.number} {clock_text(entry.asked)} {what} on {texts['machine']}: {texts['state']}: {told}"


def show(options: argparse.Namespace, machines: Machines) -> int:
    """Print one entry with its steps."""

    with opened(paths_of(options).state) as history:
        history.find_interrupted()
        found = history_view.entry(history, options.number)
    if found is None:
        raise UsageError(f"there is no entry {options.number} in {history.path}")
    if options.json:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        return 0
    for line in lines_of(found):
        print(clean(line))
    return 0


def lines_of(entry: Entry) -> list[str]:
    """Everything about an entry, for a person."""

    lines = [line_of(entry)]
    lines += [f"  {name.replace('_', ' ')}: {text}" for name, text in entry.texts.items() if text]
    lines += [f"  {name}: {clock_text(getattr(entry, name))}" for name in ("asked", "started", "ended")]
    if entry.seconds is not None:
        lines.append(f"  took: {entry.seconds:.1f} s")
    for name in ("event", "facts_before", "facts_after"):
        for key, value in (getattr(entry, name) or {}).items():
            # What is empty says nothing; what has many lines, such as a program's output, keeps them.
            shown = str(value).splitlines() if value not in (None, "", False) else []
            lines += [f"  {name.replace('_', ' ')}: {key}: {line}" for line in shown]
    lines += [f"  {at:7.1f} s  {name}: {text}" for at, name, text in entry.steps]
    return lines


def prune(options: argparse.Namespace, machines: Machines) -> int:
    """Remove old entries."""

    if options.older_than < _LEAST_AGE:
        raise UsageError("--older-than is at least 1d: the limits need the last day")
    with opened(paths_of(options).state) as history:
        removed = history_view.prune(history, time.time() - options.older_than)
        try:
            history_view.give_room_back(history)
        except RecoveryError as error:
            warn(f"the file keeps its size: {error}")
    print(f"Removed {removed} entries older than {spell(options.older_than)}.")
    return 0
