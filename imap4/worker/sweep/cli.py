"""``imap4-worker sweep``: argv -> a sweep -> an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imap4.arguments import USAGE, Parser, duration, show_examples, whole
from imap4.check.values import folder
from imap4.monitor.definition.reader import DefinitionError, load
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.report import ReportError
from imap4.packages import missing
from imap4.worker.jobs.ours import beside
from imap4.worker.settings import Limits

if TYPE_CHECKING:
    from imap4.monitor.model import Monitor
    from imap4.worker.sweep.delivery import Receiver

_EACH = 0.01
"""Seconds between two first tests, unless told otherwise."""

_EACH_ONCE = 0.001
"""The same with ``--once``: all at the same moment would be in each other's way, and be measured so."""


_EXAMPLES = {
    "imap4-worker sweep": (
        "imap4-worker sweep /etc/imap4-monitor/mail.toml --once",
        "imap4-worker sweep /etc/imap4-monitor/mail.toml --icinga https://icinga.example.org:5665",
    )
}


def main(argv: Sequence[str]) -> int:
    """Do what the command line says.

    Returns:
        The worst exit code of all monitors with ``--once``, 3 where one was not tested; else 0, or 3
        where results were lost. 3 for wrong use.
    """
    parser = _parser()
    given = parser.parse_args(list(argv))
    try:
        import greenlet  # noqa: F401 - only to see whether it is there
    except ImportError:
        parser.error(missing("greenlet"))
    try:
        definition = load(given.file)
        receivers = _receivers(given)
    except (DefinitionError, ReportError) as error:
        print(error, file=sys.stderr)
        return USAGE
    monitors = _chosen(parser, definition.monitors, given.monitor)
    spread = given.spread
    if spread is None:
        soonest = min(monitor.rules.delays.up for monitor in monitors)
        others = len(monitors) - 1
        spread = _EACH_ONCE * others if given.once else min(_EACH * others, soonest)
    from imap4.worker.sweep.run import SweepSettings, run

    return run(
        monitors,
        receivers,
        SweepSettings(
            program=_program(parser, given.plugin),
            limits=Limits(given.max_jobs, given.max_resolvers, given.max_programs),
            once=given.once,
            length=given.length,
            spread=spread,
            grace=given.grace,
            queue=given.max_queue,
            json=given.json,
            records=_records(given.records),
        ),
    )


def _receivers(given: argparse.Namespace) -> list[Receiver]:
    from imap4.worker.sweep.receivers import IcingaApi, NagiosFile

    receivers: list[Receiver] = []
    if given.nagios is not None:
        receivers.append(NagiosFile(given.nagios))
    if given.icinga is not None:
        receivers.append(IcingaApi.at(given.icinga, os.environ))
    return receivers


def _chosen(parser: Parser, monitors: Sequence[Monitor], names: Sequence[str]) -> list[Monitor]:
    """The enabled monitors, or those of them that have these names."""
    unknown = sorted(set(names) - {monitor.name for monitor in monitors})
    if unknown:
        parser.error(f'argument --monitor: no monitor "{unknown[0]}" in the file')
    found = [each for each in monitors if each.enabled and (not names or each.name in names)]
    if not found:
        parser.error("no monitor of the file is enabled")
    return found


def _program(parser: Parser, plugin: str | None) -> str:
    """The plugin's path: for the few checks that are run as programs, and to see whether it was upgraded."""
    near = [str(path) for path in beside("check_imap4")]
    for path in [plugin] if plugin else near:
        if path and os.path.isfile(path) and os.access(path, os.X_OK):
            return os.path.abspath(path)
    where = plugin or " nor ".join(near)
    return parser.error(f"argument --plugin: there is no check_imap4 at {where}")


def _records(given: str | None) -> str:
    """The folder for records; empty for none."""
    default = Programs().records
    return (default if os.path.isdir(default) else "") if given is None else given


def _parser() -> Parser:
    parser = Parser(
        prog="imap4-worker sweep",
        description="Tests every enabled monitor of a definitions file in one process, on the monitors' own "
        "delays. Prints failing tests and recoveries, or one JSON object a test.",
    )
    add = parser.add_argument
    add("file", metavar="DEFINITIONS", help="as for imap4-monitor")
    add("--monitor", action="append", default=[], metavar="NAME", help="only this one; may be given again")
    add("--once", action="store_true", help="test each monitor once; the exit code is the worst")
    add("--for", dest="length", type=duration(), metavar="TIME", help="end after this time (never)")
    add("--json", action="store_true", help="JSON lines on standard output")
    add("--nagios", metavar="FILE", help="passive results to this command file of Nagios or Naemon")
    add(
        "--icinga",
        metavar="URL",
        help="passive results to this API of Icinga 2, such as https://icinga:5665; the environment has "
        "IMAP4_ICINGA_USER, _PASSWORD_FILE, _CA_FILE and _SERVER_NAME",
    )
    add(
        "--records",
        type=folder,
        metavar="FOLDER",
        help=f"record tests there, for reports ({Programs().records}, where it is there)",
    )
    add("--plugin", metavar="PATH", help="this very check_imap4 (the one beside this program)")
    add(
        "--spread",
        type=duration(),
        metavar="TIME",
        help="begin the first tests over this time (10 ms a monitor, at most the shortest delay while Up; "
        "1 ms a monitor with --once)",
    )
    add("--grace", type=duration(), default=15.0, metavar="TIME", help="for tests under way, at the end (15)")
    _add_limits(parser)
    show_examples(parser, _EXAMPLES)
    return parser


def _add_limits(parser: Parser) -> None:
    defaults = Limits()
    for name, default, what in (
        ("--max-jobs", defaults.max_jobs, "tests at a time"),
        ("--max-resolvers", defaults.max_resolvers, "resolver threads, the hung ones included"),
        (
            "--max-programs",
            defaults.max_programs,
            "programs at a time, for tests with a pattern that repeats",
        ),
        ("--max-queue", 10_000, "results that wait to be delivered; then the oldest are dropped"),
    ):
        parser.add_argument(
            name, type=whole(1, 1_000_000), default=default, metavar="N", help=f"{what} ({default})"
        )
