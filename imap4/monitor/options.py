"""The command line of ``imap4-monitor``."""

from __future__ import annotations

import argparse

from imap4 import VERSION
from imap4.arguments import Parser, duration, show_examples, whole
from imap4.monitor.examples import EXAMPLES
from imap4.monitor.records import commands as records
from imap4.monitor.reports import commands as reports
from imap4.monitor.states import Situation

_SETUP = """\
Finds the engine, shows what it would write, asks once, and makes folders, commands, units and the rendered
monitors. The engine's own verifier decides whether they stay. Then a private engine of the same kind goes
through an outage of a server on loopback: check, alert, repair (dry), comment, recovery.

It can be run again at any time, and changes only what is missing or old.
"""
ENGINES = ("nagios", "naemon", "icinga2")


def _add_comment(commands: argparse._SubParsersAction[Parser]) -> None:
    sub = commands.add_parser("comment", help="put a comment on a service, as a repair does")
    sub.add_argument("--host", required=True, metavar="NAME", help="the engine's host")
    sub.add_argument("--service", required=True, metavar="NAME", help="the engine's service")
    sub.add_argument("--author", default="imap4-recovery", metavar="NAME")
    sub.add_argument(
        "--status", type=int, choices=range(4), help="make it a passive result with this exit code, too"
    )
    sub.add_argument("--timeout", type=duration(), default=10.0, metavar="TIME", help="for all of it (10)")
    sub.add_argument("text", metavar="TEXT")


def _add_programs(sub: Parser) -> None:
    from imap4.monitor.engines.command_lines import Programs

    for name, what in (
        ("check", "check_imap4"),
        ("monitor", "imap4-monitor, for Nagios' and Naemon's event handler"),
        ("recovery", "imap4-recovery"),
    ):
        sub.add_argument(
            f"--{name}-command",
            dest=name,
            metavar="PATH",
            help=f"where the engine finds {what} (beside this program)",
        )
    sub.add_argument(
        "--command-file",
        metavar="PATH",
        help="Nagios' and Naemon's command file (what its main file says, or its packaging has)",
    )
    sub.add_argument(
        "--icinga-api",
        metavar="URL",
        help=f"Icinga 2's API, where repairs tell what came of them ({Programs.icinga_api})",
    )
    sub.add_argument(
        "--records",
        metavar="FOLDER",
        help=f"where tests are recorded for reports; '' for nowhere ({Programs.records})",
    )
    sub.add_argument(
        "--interval-length",
        type=whole(1, 86_400),
        metavar="SECONDS",
        help="Nagios' and Naemon's interval_length (what its main file says, or 60)",
    )
    sub.add_argument(
        "--notification-command",
        dest="notification",
        metavar="NAME",
        help="Icinga 2's NotificationCommand for people (mail-service-notification)",
    )


def _add_render(commands: argparse._SubParsersAction[Parser]) -> None:
    sub = commands.add_parser("render", help="write an engine's object configuration")
    sub.add_argument("engine", choices=ENGINES)
    sub.add_argument("files", metavar="FILE", nargs="+", help="all definitions that the folder is for")
    sub.add_argument("-o", "--output", metavar="DIR", required=True, help="folder that the engine reads")
    sub.add_argument("--existing-hosts", action="store_true", help="the engine has the hosts already")
    sub.add_argument(
        "--no-shared", action="store_true", help="what monitors share is rendered into another folder already"
    )
    sub.add_argument(
        "--replace", action="store_true", help="replace what was rendered from other files; its monitors go"
    )
    sub.add_argument(
        "--config",
        metavar="PATH",
        help="Nagios' or Naemon's main file, read for its settings (the usual places)",
    )
    _add_programs(sub)

    sub = commands.add_parser("doctor", help="look at an engine: what has to be changed for the monitors")
    sub.add_argument("engine", choices=ENGINES)
    sub.add_argument(
        "-f",
        "--file",
        metavar="FILE",
        action="append",
        help="a definition: look for its monitors too; may be given again",
    )
    sub.add_argument("--config", metavar="PATH", help="the engine's main file (the usual places)")
    sub.add_argument(
        "-D",
        "--define",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="as on Icinga 2's command line",
    )
    _add_programs(sub)


def _add_setup(commands: argparse._SubParsersAction[Parser]) -> None:
    sub = commands.add_parser(
        "setup", help="set an engine up for the monitors, prove it, or take that back", description=_SETUP
    )
    sub.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="definitions (all of /etc/imap4-monitor, which may be none yet)",
    )
    sub.add_argument("--engine", choices=ENGINES, help="which, where there are several")
    sub.add_argument("--config", metavar="PATH", help="the engine's main file (the usual places)")
    sub.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
    sub.add_argument("--yes", action="store_true", help="do not ask")
    sub.add_argument("--remove", action="store_true", help="take away what setup made, and name what is left")
    sub.add_argument(
        "--replace", action="store_true", help="as of render: what was rendered from other files goes"
    )
    sub.add_argument("--rehearse", action="store_true", help="rehearse also where nothing is to be changed")
    sub.add_argument("--no-rehearsal", action="store_true", help="do not rehearse")
    sub.add_argument(
        "--no-reload", action="store_true", help="leave it to you when the engine reads what is new"
    )
    sub.add_argument("--recovery-command", metavar="PATH", help="imap4-recovery (beside this program)")


def _during(text: str) -> tuple[Situation, float, float | None]:
    """A situation, its beginning and its end in seconds; an end of None is open."""
    name, _, times = text.partition("=")
    start, dash, end = times.partition("-")
    known = {each.value: each for each in Situation}
    if name not in known:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
    if not dash or not start:
        raise argparse.ArgumentTypeError(
            f"{text!r}: write {name}=FROM-TO, for example {name}=2m-5m or {name}=2m-"
        )
    begin, until = duration()(start), duration()(end) if end else None
    if until is not None and until <= begin:
        raise argparse.ArgumentTypeError(f"{text!r} ends before it begins")
    return known[name], begin, until


def make_parser() -> Parser:
    parser = Parser(
        prog="imap4-monitor",
        description="IMAP4 monitors described once, for Nagios Core, Naemon and Icinga 2.",
    )
    parser.add_argument("--version", action="version", version=f"imap4-monitor {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    sub = commands.add_parser("validate", help="tell every mistake in definition files")
    sub.add_argument("files", metavar="FILE", nargs="+")
    sub.add_argument(
        "--recovery",
        action="store_true",
        help="also whether the repairs' credentials and programs are there and allowed; asks no machine",
    )
    sub.add_argument("--recovery-command", metavar="PATH", help="imap4-recovery (beside this program)")
    records.add_folders(sub)

    sub = commands.add_parser("simulate", help="the downtime simulator: what happens in an outage, and when")
    sub.add_argument("file", metavar="FILE")
    sub.add_argument("--monitor", metavar="NAME", help="only this one; without it, all of the file")
    sub.add_argument(
        "--start", metavar="TIME", type=duration(), default=0.0, help="from the first test to the outage (0)"
    )
    sub.add_argument("--length", metavar="TIME", type=duration(), help="of the outage (it does not end)")
    sub.add_argument(
        "--duration", metavar="TIME", type=duration(), default=0.0, help="how long each test takes (0)"
    )
    sub.add_argument(
        "--during",
        metavar="WHAT=FROM-TO",
        type=_during,
        action="append",
        default=[],
        help="what else is going on, from the beginning of the outage: downtime=2m-5m, host-down=0s-; one of "
        + ", ".join(each.value for each in Situation),
    )
    sub.add_argument("--format", choices=("text", "json", "csv"), default="text")

    sub = commands.add_parser("new", help="write a commented example, or ask for a monitor's values")
    sub.add_argument("file", metavar="FILE", nargs="?", help="must not exist yet; without it, the terminal")
    sub.add_argument("--ask", action="store_true", help="ask the questions of ipMonitor's form")
    sub.add_argument(
        "--engine", choices=ENGINES, help="whose contact it names (the engine on this machine, else nagios)"
    )
    sub.add_argument(
        "--recovery-command", metavar="PATH", default="imap4-recovery", help="lists machines and services"
    )

    _add_render(commands)
    _add_setup(commands)
    _add_comment(commands)
    records.add_parser(commands)
    reports.add_parsers(commands)
    commands.add_parser("pace", help="event handler: sets the delay until the next test", add_help=False)
    show_examples(parser, EXAMPLES)
    return parser
