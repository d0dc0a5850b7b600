"""``imap4-monitor records``: collect what checks recorded, import what engines logged, look at the store."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imap4.arguments import Parser, duration
from imap4.monitor.records.places import RECORDS, STORE, monitors_in
from imap4.text import clean

if TYPE_CHECKING:
    from imap4.monitor.records.manifest import Manifest

KEEP = 400 * 86400.0
"""Seconds for which tests are kept: a year, and the month to compare it with."""


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add ``records`` and what it has below it."""
    sub = commands.add_parser("records", help="collect what tests left behind for reports")
    sub.set_defaults(run=run)
    below = sub.add_subparsers(dest="what", required=True, metavar="WHAT", parser_class=Parser)
    collecting = below.add_parser("collect", help="make columnar files of the hours that are over")
    collecting.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER", help=f"where checks record ({RECORDS})"
    )
    collecting.add_argument(
        "--keep",
        type=duration(least=86400.0),
        default=KEEP,
        metavar="TIME",
        help="remove tests that are older (400d); at least 1d",
    )
    add_store(collecting)
    importing = below.add_parser("import", help="what engines logged before")
    importing.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="Nagios' log and its archives, or performance data (PNP4Nagios, Icinga 2); also gzipped",
    )
    add_store(importing)
    looking = below.add_parser("show", help="what is in the store, and what could not be read")
    looking.add_argument("--store", type=Path, default=STORE, metavar="DIR", help=f"the store ({STORE})")


def add_folders(sub: Parser) -> None:
    """Where records are looked for that a new name would leave behind."""
    sub.add_argument(
        "--records", type=Path, default=RECORDS, metavar="FOLDER", help=f"to warn of new names ({RECORDS})"
    )
    sub.add_argument("--store", type=Path, default=STORE, metavar="DIR", help=f"likewise ({STORE})")


def add_store(sub: Parser) -> None:
    """The options that say where definitions and the store are."""
    sub.add_argument("--store", type=Path, default=STORE, metavar="DIR", help=f"columnar files ({STORE})")
    sub.add_argument(
        "-f",
        "--file",
        dest="files",
        action="append",
        default=[],
        metavar="FILE",
        help="a definition; may be given again (/etc/imap4-monitor/*.toml)",
    )


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; 1 where something could not be read."""
    doing: dict[str, Any] = {"collect": _collect, "import": _import, "show": _show}
    code: int = doing[options.what](options)
    return code


def _collect(options: argparse.Namespace) -> int:
    from imap4.monitor.records.collect import collect
    from imap4.monitor.records.rules import rules_of
    from imap4.monitor.reports.clocks import said

    folders = options.folders or [RECORDS]
    rules = rules_of(monitors_in(options.files, options.store))
    done = collect(folders, options.store, rules, keep=options.keep, now=time.time())
    assert done is not None
    for trouble in done.troubles:
        print(trouble)
    for note in said(done.ahead):
        print(note)
    parts = [f"{done.rows:,} tests out of {done.files} files"]
    parts += [f"{done.broken} broken lines"] * bool(done.broken)
    parts += [f"{done.again} files had been collected before"] * bool(done.again)
    parts += [f"{done.removed} old files removed"] * bool(done.removed)
    print(f"{options.store}: {', '.join(parts)}")
    return 1 if done.troubles else 0


def _import(options: argparse.Namespace) -> int:
    from imap4.monitor.records.imports.importing import bring

    done = bring(options.paths, options.store, monitors_in(options.files), time.time())
    parts = [f"{done.tests:,} tests and log entries, {done.notices:,} notifications"]
    parts += [f"{done.known:,} were known or are of a time that has records"] * bool(done.known)
    parts += [f"{done.logged.unread:,} lines could not be read"] * bool(done.logged.unread)
    print(f"{options.store}: {'; '.join(parts)}")
    for host, service in sorted(done.logged.foreign)[:10]:
        print(f"in no definition: {service} on {host}")
    if len(done.logged.foreign) > 10:
        print(f"and {len(done.logged.foreign) - 10} more services")
    return 1 if done.logged.unread else 0


def _show(options: argparse.Namespace) -> int:
    from imap4.monitor.records.manifest import damaged, load

    manifest = load(options.store)
    missing = damaged(options.store, manifest)
    sizes = [(options.store / each.name).stat().st_size for each in manifest.parts if each not in missing]
    size = sum(sizes)
    tests = sum(part.rows for part in manifest.parts)
    print(f"{options.store}: {tests:,} tests in {_files(manifest)}, {size:,} bytes")
    if manifest.parts:
        first, last = min(p.first for p in manifest.parts), max(p.last for p in manifest.parts)
        print(f"from {_clock(first)} to {_clock(last)}")
    for hour, count in sorted(manifest.broken.items()):
        print(f"{_hour(hour)}: {count} lines could not be read")
    for hour, hosts in sorted(manifest.ahead.items()):
        for name, by in hosts.items():
            print(f"{_hour(hour)}: the clock of {clean(name, 255)} was ahead by {by / 1000:.0f} s or more")
    for path in manifest.aside:
        print(f"put aside: {path}")
    for part in missing:
        print(f"damaged: {options.store / part.name}; records collect puts it aside")
    return 1 if missing else 0


def _hour(name: str) -> str:
    return f"{name[:4]}-{name[4:6]}-{name[6:8]} {name[9:]}:00 UTC"


def _files(manifest: Manifest) -> str:
    whole = sum(part.whole for part in manifest.parts)
    return f"{whole} days and {len(manifest.parts) - whole} hours"


def _clock(moment: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(moment / 1000))
