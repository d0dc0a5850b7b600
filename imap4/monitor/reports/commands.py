"""``imap4-monitor list``, ``status``, ``activity`` and ``report``: argv -> what is shown -> an exit code."""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from imap4 import folders
from imap4.arguments import Parser, whole
from imap4.monitor.records.errors import RecordsError
from imap4.monitor.reports.asking import Places, add_places, chosen, now, places_of

if TYPE_CHECKING:
    from imap4.monitor.reports.counting.outages import Repair
    from imap4.monitor.reports.counting.periods import Period
    from imap4.monitor.reports.model import Report

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
    _add_report(commands)


def _add_report(commands: argparse._SubParsersAction[Parser]) -> None:
    sub = commands.add_parser("report", help="availability, outages and their stories of a period")
    add = sub.add_argument
    add(
        "--period",
        metavar="P",
        help="2026, 2026-10, 2026-10-05, 2026-W41, last-month, last-week, yesterday ...",
    )
    add("--from", dest="begin", metavar="TIME", help="2026-10-05T08:00; with --to, in place of --period")
    add("--to", dest="end", metavar="TIME")
    add("--monitor", action="append", default=[], metavar="NAME", help="only this one; * and ? fit any")
    add("--target", type=_target, metavar="PERCENT", help="the availability that is aimed at, such as 99.9")
    add("--hours", default="", metavar="HOURS", help="what counts, such as 'mon-fri 08:00-18:00'")
    add("--planned", choices=("exclude", "include"), default="exclude", help="planned downtime (exclude)")
    add("--planned-file", metavar="FILE", help="spans that are planned downtime, or are not: TOML")
    add("--format", choices=("text", "html", "csv", "json"), default="text")
    add("-o", "--output", metavar="FILE", help="write there, in one step (the terminal)")
    _add_zone(sub)
    add_repairs(sub)
    add_places(sub)
    sub.set_defaults(run=report)


def _target(text: str) -> Fraction:
    """A percentage above 0 and at most 100, as a share."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", text) or not 0 < Fraction(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage above 0 and up to 100, such as 99.9")
    return Fraction(text) / 100


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
        help="imap4-recovery's history as JSON from a file, such as another machine's",
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
    from imap4.monitor.reports.clocks import said
    from imap4.monitor.reports.counting.periods import zone_of
    from imap4.monitor.reports.screen import table
    from imap4.monitor.reports.status import in_order, look, worst

    zone = zone_of(options.timezone)
    if options.watch:
        return _watch(options, zone)
    # What 10,000 monitors are made of stays to the end: to look for garbage in it is a tenth of the time.
    gc.disable()
    places = places_of(options)
    moment = now()
    rows, ahead = look(places, moment)
    if options.command == "status":
        rows = in_order(rows)
    if options.json:
        print(json.dumps([row.as_dict() for row in rows], indent=2, ensure_ascii=False))
    elif rows:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
        print(table(rows, moment, width))
    else:
        raise RecordsError("no monitor: neither in a definition (-f FILE) nor in the records")
    for note in said(ahead):
        print(note, file=sys.stderr)
    return worst(rows)


def _watch(options: argparse.Namespace, zone: object) -> int:
    """Show the status until it is enough."""
    from datetime import tzinfo

    from rich.live import Live

    from imap4.monitor.reports.clocks import said
    from imap4.monitor.reports.screen import live
    from imap4.monitor.reports.status import in_order, look, worst

    assert isinstance(zone, tzinfo)
    code = 0
    with Live(screen=sys.stdout.isatty(), auto_refresh=False) as page:
        try:
            while True:
                moment = now()
                rows, ahead = look(places_of(options), moment)
                code = worst(rows)
                page.update(live(in_order(rows), moment, zone, said(ahead)), refresh=True)
                time.sleep(_EVERY)
        except KeyboardInterrupt:
            return code


def activity(options: argparse.Namespace) -> int:
    """Print what happened to one monitor."""
    from imap4.monitor.records.manifest import load
    from imap4.monitor.records.reading import ask
    from imap4.monitor.reports.activity import show
    from imap4.monitor.reports.counting.periods import zone_of

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


def report(options: argparse.Namespace) -> int:
    """Print or write a report."""
    from imap4.monitor.reports.counting.periods import zone_of
    from imap4.monitor.reports.counting.planned import read
    from imap4.monitor.reports.model import Sources, Wish, make

    zone, moment = zone_of(options.timezone), now()
    period = _period(options, moment)
    wish = Wish(
        period=period,
        monitors=tuple(options.monitor),
        target=options.target,
        hours=options.hours,
        exclude_planned=options.planned == "exclude",
        spans=read(options.planned_file, zone) if options.planned_file else (),
        curves=options.format == "html",
    )
    form = _form(options.format)
    gc.disable()  # as in status
    places = places_of(options)
    _collect(places, moment)
    repairs, why = repairs_of(options)
    made = make(places, wish, Sources(tuple(repairs), why), moment)
    if not made.subjects:
        raise RecordsError(
            "nothing to report: no monitor, neither in a definition (-f FILE) nor in the records"
        )
    text = form(made)
    if options.output is None:
        print(text, end="")
    else:
        _write(options.output, text)
    return 0


def _form(name: str) -> Callable[[Report], str]:
    from imap4.monitor.reports.forms import data, page, text

    return {"text": text.render, "html": page.render, "csv": data.as_csv, "json": data.as_json}[name]


def _period(options: argparse.Namespace, moment_now: int) -> Period:
    """What the command line says of the period; last month where it says nothing."""
    from imap4.monitor.reports.counting.periods import Period, moment, named, zone_of

    zone = zone_of(options.timezone)
    if (options.begin is None) != (options.end is None) or (options.begin and options.period):
        raise RecordsError("give --from and --to, or --period")
    if options.begin is None:
        return named(options.period or "last-month", zone, moment_now)
    begin, end = moment(options.begin, zone), moment(options.end, zone)
    if end <= begin:
        raise RecordsError("--to must be after --from")
    return Period(begin, end, "", zone)


def _collect(places: Places, moment: int) -> None:
    """Collect first where we may and nobody else does; else the lines are read as they are."""
    from imap4.monitor.records.collect import collect

    with contextlib.suppress(RecordsError):
        if os.access(places.store, os.W_OK) and all(os.access(each, os.W_OK) for each in places.folders):
            collect(places.folders, places.store, places.rules, keep=math.inf, now=moment / 1000, wait=False)


def _write(path: str, text: str) -> None:
    """Replace a file in one step, with the rights that every new file of ours has."""
    umask = os.umask(0)
    os.umask(umask)
    try:
        folders.replace_file(Path(os.path.abspath(path)), text.encode(), 0o666 & ~umask)
    except OSError as error:
        raise RecordsError(f"{path}: cannot be written: {error.strerror}") from None
