"""``imap4-monitor``: argv -> one of the commands -> an exit code.

Exit codes: 0 done, 1 something is wrong with what was looked at (a definition, an engine), 3 wrong use.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from monitor.commands import Programs
    from monitor.model import Definition, Monitor

DONE, WRONG, USAGE = 0, 1, 3
ENGINES = ("nagios", "naemon", "icinga2")


class Parser(argparse.ArgumentParser):
    """argparse, with wrong use as one line and exit code 3."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}; see {self.prog} --help\n")


class Trouble(Exception):
    """A message for the person, and the exit code that goes with it."""

    def __init__(self, text: str, code: int = USAGE) -> None:
        super().__init__(text)
        self.code = code


def _seconds(text: str) -> float:
    from monitor import durations

    try:
        return durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _definition(path: str) -> Definition:
    from monitor.definition import DefinitionError, load

    try:
        return load(path)
    except DefinitionError as error:
        raise Trouble(str(error), WRONG) from None


def _chosen(definition: Definition, name: str | None) -> tuple[Monitor, ...]:
    if name is None:
        return definition.monitors
    found = tuple(monitor for monitor in definition.monitors if monitor.name == name)
    if not found:
        names = ", ".join(f'"{monitor.name}"' for monitor in definition.monitors)
        raise Trouble(f'{definition.source}: no monitor "{name}"; there are {names}')
    return found


def validate(options: argparse.Namespace) -> int:
    """Tell what is wrong in each file, everything at once."""
    from monitor.definition import DefinitionError, load

    code = DONE
    for path in options.files:
        try:
            count = len(load(path).monitors)
            print(f"{path}: {count} monitor{'s' * (count != 1)}, no mistakes")
        except DefinitionError as error:
            print(error)
            code = WRONG
    return code


def simulate(options: argparse.Namespace) -> int:
    """Print the downtime simulator's table."""
    from monitor import simulate

    outage = simulate.Outage(options.start, options.length, options.duration)
    monitors = _chosen(_definition(options.file), options.monitor)
    if options.format == "csv" and len(monitors) > 1:
        raise Trouble("simulate: CSV is for one monitor; choose one with --monitor NAME")
    tables = [simulate.simulate(monitor, outage) for monitor in monitors]
    if options.format == "json":
        both = zip(tables, monitors, strict=True)
        print("[" + ",\n".join(simulate.as_json(rows, monitor) for rows, monitor in both) + "]")
        return DONE
    if options.format == "csv":
        print(simulate.as_csv(tables[0]))
        return DONE
    for number, (monitor, rows) in enumerate(zip(monitors, tables, strict=True)):
        disabled = "" if monitor.enabled else " (disabled: it is not tested)"
        print("\n" * (number > 0) + f"{monitor.name}{disabled}")
        print(simulate.as_text(rows) if rows else "no test falls into the outage: nothing is noticed")
    return DONE


def new(options: argparse.Namespace) -> int:
    """Write a commented example, or the answers to the form's questions."""
    from monitor import questions

    text = questions.EXAMPLE
    if options.ask:
        try:
            text = questions.interview(input, print, options.recovery_command)
        except (EOFError, KeyboardInterrupt):
            raise Trouble("\nnew: no answer; nothing was written") from None
    if options.file is None:
        print(text, end="")
        return DONE
    try:
        with Path(options.file).open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise Trouble(f"{options.file}: is there already; nothing was written") from None
    except OSError as error:
        raise Trouble(f"{options.file}: cannot be written: {error.strerror}") from None
    print(f"{options.file}: written; next: imap4-monitor validate {options.file}")
    return DONE


def render(options: argparse.Namespace) -> int:
    """Write the engine's object configuration."""
    from monitor import icinga2, nagios
    from monitor.render import RenderError, write

    definition = _definition(options.file)
    programs = _programs(options)
    make = icinga2.render if options.engine == "icinga2" else nagios.render
    files = make(definition, programs, existing_hosts=options.existing_hosts)
    try:
        changed = write(Path(options.output), files)
    except RenderError as error:
        raise Trouble(f"render: {error}") from None
    for name, is_new in changed.items():
        print(f"{Path(options.output) / name}: {'written' if is_new else 'unchanged'}")
    return DONE


def _programs(options: argparse.Namespace) -> Programs:
    from monitor.commands import Programs

    given = {name: getattr(options, name) for name in Programs.__dataclass_fields__}
    return Programs(**{name: value for name, value in given.items() if value is not None})


def doctor(options: argparse.Namespace) -> int:
    """Look at the engine, and tell what has to be changed for the monitors."""
    from monitor import doctor_icinga2, doctor_nagios
    from monitor.findings import told

    monitors = _definition(options.file).monitors if options.file else ()
    programs = _programs(options)
    if options.engine == "icinga2":
        found = list(doctor_icinga2.examine(options.config, programs, monitors, defines=options.define))
    else:
        found = list(doctor_nagios.examine(options.engine, options.config, programs, monitors))
    print(told(found))
    return DONE if all(finding.ok for finding in found) else WRONG


def report(options: argparse.Namespace) -> int:
    """Tell the engine something about a service, as a repair does."""
    from imap4.deadline import Deadline
    from monitor.comments import Report, ReportError, reporter_from

    try:
        reporter = reporter_from(os.environ)
        if reporter is None:
            raise Trouble("report: no engine; set IMAP4_NAGIOS_COMMAND_FILE or IMAP4_ICINGA_API")
        said = Report(options.host, options.service, options.text, options.author, options.status)
        reporter.send(said, Deadline(options.timeout))
    except ReportError as error:
        raise Trouble(f"report: {error}", WRONG) from None
    return DONE


def _add_report(commands: argparse._SubParsersAction[Parser]) -> None:
    sub = commands.add_parser("report", help="put a comment on a service, as a repair does")
    sub.add_argument("--host", required=True, metavar="NAME", help="the engine's host")
    sub.add_argument("--service", required=True, metavar="NAME", help="the engine's service")
    sub.add_argument("--author", default="imap4-recovery", metavar="NAME")
    sub.add_argument(
        "--status", type=int, choices=range(4), help="make it a passive result with this exit code, too"
    )
    sub.add_argument("--timeout", type=_seconds, default=10.0, metavar="TIME", help="for all of it (10)")
    sub.add_argument("text", metavar="TEXT")
    sub.set_defaults(run=report)


def _add_programs(sub: Parser) -> None:
    from monitor.commands import Programs

    default = Programs()
    for name, what in (
        ("check", "check_imap4"),
        ("monitor", "imap4-monitor, for Nagios' and Naemon's event handler"),
        ("recovery", "imap4-recovery"),
    ):
        sub.add_argument(
            f"--{name}-command",
            dest=name,
            metavar="PATH",
            help=f"where the engine finds {what} ({getattr(default, name)})",
        )
    sub.add_argument(
        "--command-file", metavar="PATH", help=f"Nagios' and Naemon's command file ({default.command_file})"
    )
    sub.add_argument(
        "--notification-command",
        dest="notification",
        metavar="NAME",
        help=f"Icinga 2's NotificationCommand for people ({default.notification})",
    )


def _add_render(commands: argparse._SubParsersAction[Parser]) -> None:
    sub = commands.add_parser("render", help="write an engine's object configuration")
    sub.add_argument("engine", choices=ENGINES)
    sub.add_argument("file", metavar="FILE")
    sub.add_argument("-o", "--output", metavar="DIR", required=True, help="folder that the engine reads")
    sub.add_argument("--existing-hosts", action="store_true", help="the engine has the hosts already")
    _add_programs(sub)
    sub.set_defaults(run=render)

    sub = commands.add_parser("doctor", help="look at an engine: what has to be changed for the monitors")
    sub.add_argument("engine", choices=ENGINES)
    sub.add_argument("-f", "--file", metavar="FILE", help="a definition: look for its monitors too")
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
    sub.set_defaults(run=doctor)


def _parser() -> Parser:
    parser = Parser(
        prog="imap4-monitor",
        description="IMAP4 monitors described once, for Nagios Core, Naemon and Icinga 2.",
    )
    from imap4 import __version__

    parser.add_argument("--version", action="version", version=f"imap4-monitor {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    sub = commands.add_parser("validate", help="tell every mistake in definition files")
    sub.add_argument("files", metavar="FILE", nargs="+")
    sub.set_defaults(run=validate)

    sub = commands.add_parser("simulate", help="the downtime simulator: what happens in an outage, and when")
    sub.add_argument("file", metavar="FILE")
    sub.add_argument("--monitor", metavar="NAME", help="only this one; without it, all of the file")
    sub.add_argument(
        "--start", metavar="TIME", type=_seconds, default=0.0, help="from the first test to the outage (0)"
    )
    sub.add_argument("--length", metavar="TIME", type=_seconds, help="of the outage (it does not end)")
    sub.add_argument(
        "--duration", metavar="TIME", type=_seconds, default=0.0, help="how long each test takes (0)"
    )
    sub.add_argument("--format", choices=("text", "json", "csv"), default="text")
    sub.set_defaults(run=simulate)

    sub = commands.add_parser("new", help="write a commented example, or ask for a monitor's values")
    sub.add_argument("file", metavar="FILE", nargs="?", help="must not exist yet; without it, the terminal")
    sub.add_argument("--ask", action="store_true", help="ask the questions of ipMonitor's form")
    sub.add_argument(
        "--recovery-command", metavar="PATH", default="imap4-recovery", help="lists machines and services"
    )
    sub.set_defaults(run=new)

    _add_render(commands)
    _add_report(commands)
    commands.add_parser("pace", help="event handler: sets the delay until the next test", add_help=False)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code comes back. A wrong option or a bad file is one clear line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["pace"]:
        # Runs at every failing test: it loads nothing that it does not need.
        from monitor import pace

        return pace.main(given[1:])
    options = _parser().parse_args(given)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except Trouble as error:
        print(error, file=sys.stderr)
        return error.code
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain at its exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code


if __name__ == "__main__":
    sys.exit(main())
