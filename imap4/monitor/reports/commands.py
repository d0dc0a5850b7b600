"""``imap4-monitor list``, ``status``, ``activity`` and ``report``: argv -> what is shown -> an exit code."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from typing import TYPE_CHECKING

from imap4.arguments import Parser, whole
from imap4.monitor.records.errors import RecordsError
from imap4.monitor.reports.asking import add_places, chosen, now, places_of

if TYPE_CHECKING:
    from imap4.monitor.reports.outages import Repair

_EVERY = 5.0
"""Seconds between two looks of ``status --watch``."""


def add_parsers(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the commands to the top parser."""
    sub = commands.add_parser("list", help="every monitor: state, name, last result, availability")
    _add_status(sub)
    sub.set_defaults(run=status, watch=False)
    sub = commands.add_parser("status", help="the same, the worst first; --watch stays")
    _add_status(sub)
    sub.add_argument("--watch", action="store_true", help="a live page; Ctrl+C ends it")
    sub.set_defaults(run=status)
    sub = commands.add_parser("activity", help="what happened to one monitor: states, alerts, repairs")
    sub.add_argument("monitor", metavar="NAME", help="its name or id")
    sub.add_argument("--hours", type=whole(1, 24 * 40), default=24, metavar="N", help="how far back (24)")
    _add_zone(sub)
    add_repairs(sub)
    add_places(sub)
    sub.set_defaults(run=activity)


def _add_status(sub: Parser) -> None:
    sub.add_argument("file", nargs="?", metavar="FILE", help="a definition, as with -f")
    sub.add_argument("--json", action="store_true", help="print JSON")
    _add_zone(sub)
    add_places(sub)


def _add_zone(sub: Parser) -> None:
    sub.add_argument("--timezone", metavar="NAME", help="such as Europe/Berlin (the system's)")


def add_repairs(sub: Parser) -> None:
    """Where repairs are read from."""
    sub.add_argument(
        "--recovery-command", metavar="PATH", help="imap4-recovery, for its history (beside this program)"
    )
    sub.add_argument(
        "--repairs",
        metavar="FILE",
        help="a file of what 'imap4-recovery history list --all --json' printed, such as another machine's",
    )


def repairs_of(options: argparse.Namespace) -> tuple[list[Repair], str]:
    """The repairs, and why they are not known where they are not."""
    from imap4.monitor.reports import repairs

    try:
        if options.repairs:
            return repairs.from_file(options.repairs), ""
        command = options.recovery_command or repairs.program()
        if not command:
            return [], "imap4-recovery is not installed here"
        return repairs.from_program(command), ""
    except RecordsError as error:
        if options.repairs or options.recovery_command:
            raise
        return [], str(error)


def status(options: argparse.Namespace) -> int:
    """Print how every monitor is; the exit code says the worst."""
    from imap4.monitor.reports.periods import zone_of
    from imap4.monitor.reports.screen import table
    from imap4.monitor.reports.status import in_order, look, worst

    zone = zone_of(options.timezone)
    places = places_of(options)
    if options.watch:
        return _watch(options, zone)
    moment = now()
    rows = look(places, moment)
    if options.command == "status":
        rows = in_order(rows)
    if options.json:
        print(json.dumps([row.as_dict() for row in rows], indent=2, ensure_ascii=False))
    elif rows:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
        print(table(rows, moment, width))
    else:
        raise RecordsError("no monitor: neither in a definition (-f FILE) nor in the records")
    return worst(rows)


def _watch(options: argparse.Namespace, zone: object) -> int:
    """Show the status until it is enough."""
    from datetime import tzinfo

    from rich.live import Live

    from imap4.monitor.reports.screen import live
    from imap4.monitor.reports.status import in_order, look, worst

    assert isinstance(zone, tzinfo)
    code = 0
    with Live(screen=sys.stdout.isatty(), auto_refresh=False) as page:
        try:
            while True:
                moment = now()
                rows = in_order(look(places_of(options), moment))
                code = worst(rows)
                page.update(live(rows, moment, zone), refresh=True)
                time.sleep(_EVERY)
        except KeyboardInterrupt:
            return code


def activity(options: argparse.Namespace) -> int:
    """Print what happened to one monitor."""
    from imap4.monitor.records.manifest import load
    from imap4.monitor.records.reading import ask
    from imap4.monitor.reports.activity import show
    from imap4.monitor.reports.periods import zone_of

    places, zone, end = places_of(options), zone_of(options.timezone), now()
    begin = end - options.hours * 3_600_000
    recorded = set(load(places.store).spells) | ask(
        places.folders, places.store, {}, (begin, end), lambda reader: reader.ids()
    )
    (monitor, *more) = chosen(places.all(recorded), [options.monitor])
    if more:
        raise RecordsError(f'"{options.monitor}" is more than one monitor; give its name')
    repairs, why = repairs_of(options)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100
    print(show(monitor, places, repairs, (begin, end), zone, width))
    if why:
        print(f"\nrepairs are not known: {why}")
    return 0
