"""``imap4-monitor``: argv -> one of the commands -> an exit code.

Exit codes: 0 done, 1 something is wrong with what was looked at (a definition, an engine), 3 wrong use.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imap4.children import count_exit_codes
from imap4.monitor.options import make_parser
from imap4.monitor.trouble import DONE, WRONG, Trouble

if TYPE_CHECKING:
    from imap4.monitor.model import Definition, Monitor


def _definition(path: str) -> Definition:
    from imap4.monitor.definition.reader import DefinitionError, load

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
    from imap4.monitor.definition.reader import DefinitionError, load
    from imap4.monitor.definition.several import two_addresses
    from imap4.monitor.records import renames

    code = DONE
    for path in options.files:
        try:
            definition = load(path)
            count = len(definition.monitors)
            print(f"{path}: {count} monitor{'s' * (count != 1)}, no mistakes")
            renamed = renames.warnings(definition.monitors, options.records, options.store, time.time())
            for said in (*two_addresses(definition), *renamed):
                print(f"warning: {said}", file=sys.stderr)
        except DefinitionError as error:
            print(error)
            code = WRONG
    if options.recovery and code == DONE:
        from imap4.monitor import repairs_offline

        code = repairs_offline.compare(options.files, options.recovery_command)
    return code


def simulate(options: argparse.Namespace) -> int:
    """Print the downtime simulator's table."""
    from imap4.monitor import simulate

    during = tuple(simulate.During(*each) for each in options.during)
    outage = simulate.Outage(options.start, options.length, options.duration, during)
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
    from imap4.monitor.definition import form as questions
    from imap4.monitor.engines import facts

    contact = facts.contact_of(options.engine)
    text = questions.example(contact)
    if options.ask:
        try:
            text = questions.interview(input, print, options.recovery_command, contact)
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
    """See ``engine_commands``."""
    from imap4.monitor import engine_commands

    return engine_commands.render(options)


def doctor(options: argparse.Namespace) -> int:
    """See ``engine_commands``."""
    from imap4.monitor import engine_commands

    return engine_commands.doctor(options)


def setup(options: argparse.Namespace) -> int:
    """See ``setup``."""
    from imap4.monitor.setup import commands

    return commands.setup(options)


def comment(options: argparse.Namespace) -> int:
    """Tell the engine something about a service, as a repair does."""
    from imap4.deadline import Deadline
    from imap4.monitor.engines.report import Report, ReportError
    from imap4.monitor.engines.reporters import reporter_from

    try:
        reporter = reporter_from(os.environ)
        if reporter is None:
            raise Trouble("comment: no engine; set IMAP4_NAGIOS_COMMAND_FILE or IMAP4_ICINGA_API")
        said = Report(options.host, options.service, options.text, options.author, options.status)
        reporter.send(said, Deadline(options.timeout))
    except ReportError as error:
        raise Trouble(f"comment: {error}", WRONG) from None
    return DONE


def about_records(options: argparse.Namespace) -> int:
    """Collect, look, report."""
    from imap4.monitor.records.errors import RecordsError

    try:
        return int(options.run(options))
    except RecordsError as error:
        raise Trouble(f"{options.command}: {error}") from None


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "validate": validate,
    "simulate": simulate,
    "new": new,
    "render": render,
    "doctor": doctor,
    "setup": setup,
    "comment": comment,
    **dict.fromkeys(("records", "list", "status", "activity", "report"), about_records),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code comes back. A wrong option or a bad file is one clear line."""
    count_exit_codes()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["pace"]:
        # Runs at every failing test: it loads nothing that it does not need.
        from imap4.monitor.engines.nagios import pace_program

        return pace_program.main(given[1:])
    options = make_parser().parse_args(given)
    try:
        code = COMMANDS[options.command](options)
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
