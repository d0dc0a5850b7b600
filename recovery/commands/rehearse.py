"""``imap4-recovery rehearse``: would the repairs work that definitions could start? Tells it as a plugin."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imap4.durations import above_zero, spell
from recovery.commands import actions
from recovery.commands.parsing import Parser, add_files, kind, paths_of, read
from recovery.decision.event import Event
from recovery.errors import RecoveryError, UsageError
from recovery.execution.preview import Problem
from recovery.execution.progress import clean
from recovery.execution.rehearsal import Rehearsal
from recovery.files import replace_file
from recovery.history.recoveries import clock_text, opened
from recovery.machines.interface import Machines
from recovery.paths import Paths
from recovery.requests import RecoveryRequest

if TYPE_CHECKING:
    from imap4.monitor.model import Action, Monitor

_SAVED = "rehearsal.json"
_SAVED_LIMIT = 16 * 1024 * 1024
_ABOUT = """\
Goes through every repair that the monitors of definition files could start, up to its last step: command
line, credential, limits, the plugin that proves it; then name, host key, login, services, their dependents
and the rights. Nothing is changed, and nothing is in the history. --offline leaves the machines alone.

By a timer at night:   imap4-recovery rehearse --save /etc/check_imap4/monitors.toml
As a check by day:     imap4-recovery rehearse --last
"""
_ENDING = """\
exit codes: 0 all would work; 1 some would fail; 3 wrong options or files, or no rehearsal young enough.
"""


@dataclass(frozen=True)
class Told:
    """What came of a rehearsal."""

    at: float
    """Seconds since the epoch."""
    code: int
    line: str
    """The first line, with performance data."""
    more: tuple[str, ...]
    """A line for each problem."""
    repairs: tuple[dict[str, Any], ...]


def add_parser(commands: Any) -> None:
    """Add ``rehearse`` to the top parser's ``commands``."""
    parser = commands.add_parser(
        "rehearse", help="would the repairs of a definition work?", description=_ABOUT, epilog=_ENDING
    )
    parser.add_argument("definitions", nargs="*", metavar="FILE", help="imap4-monitor's definition files")
    parser.add_argument("--offline", action="store_true", help="ask no machine and no name server")
    parser.add_argument(
        "--check-command",
        metavar="PATH",
        help="the check_imap4 that proves repairs (beside this program)",
    )
    parser.add_argument("--save", action="store_true", help="keep the result for --last")
    parser.add_argument("--last", action="store_true", help="tell the result that was kept, at once")
    parser.add_argument(
        "--max-age",
        type=kind(above_zero),
        default=30 * 3600.0,
        metavar="TIME",
        help="with --last: UNKNOWN where it is older (1d6h)",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="print what would work, and remedies")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the lines")
    add_files(parser)
    parser.set_defaults(run=rehearse)


def rehearse(options: argparse.Namespace, machines: Machines) -> int:
    """Rehearse, or tell the last rehearsal."""
    if options.last and (options.definitions or options.save or options.offline):
        raise UsageError("rehearse: --last tells what was kept; give no FILE, --save or --offline")
    if not options.last and not options.definitions:
        raise UsageError("rehearse: name definition files, or give --last")
    try:
        told = _kept(paths_of(options), options.max_age) if options.last else _rehearsed(options, machines)
    except RecoveryError as error:
        # An engine shows what is on standard output, and nothing else.
        print(_plain(f"UNKNOWN - rehearsal: {' '.join(str(error).split())}"))
        return 3
    return _tell(told, options)


def _rehearsed(options: argparse.Namespace, machines: Machines) -> Told:
    paths = paths_of(options)
    repairs = _repairs(options, paths)
    with opened(paths.state) as history:
        rehearsal = Rehearsal(machines, history, options.offline)
        found = [(monitor, request, rehearsal.of(request)) for monitor, request in repairs]
    told = _told(found)
    if options.save:
        replace_file(paths.state / _SAVED, json.dumps(asdict(told)).encode())
    return told


def _repairs(options: argparse.Namespace, paths: Paths) -> list[tuple[Monitor, RecoveryRequest]]:
    """Every repair that enabled monitors of the definitions could start, as the engine asks for it."""
    # Here and not above: all of the definitions' reader is for this one command.
    from imap4.monitor.definition.reader import DefinitionError
    from imap4.monitor.definition.several import load_all
    from imap4.monitor.engines.command_lines import Programs, recovery_arguments
    from imap4.monitor.engines.installed import beside

    try:
        definition = load_all(options.definitions)
    except DefinitionError as error:
        raise UsageError(str(error)) from None
    programs = Programs(check=options.check_command or beside("check_imap4"))
    parser = Parser(prog="imap4-recovery")
    actions.add_parser(parser.add_subparsers(parser_class=Parser))
    found = []
    for monitor in definition.monitors:
        for action in monitor.recovery.actions if monitor.enabled else ():
            arguments = recovery_arguments(monitor, action, programs, "nagios")[1:]
            request = actions.request_for(read(parser, arguments), _event(monitor, action))
            # The files are those of this call, not of an engine's environment.
            found.append((monitor, replace(request, paths=paths)))
    return found


def _event(monitor: Monitor, action: Action) -> Event:
    """What the engine says at the first alert for which the repair is meant."""
    return Event(
        host=monitor.host,
        address=monitor.address,
        service=monitor.id,
        state="CRITICAL",
        state_type="HARD",
        notification_type="PROBLEM",
        alert=action.alerts.first,
        output="IMAP4 CRITICAL - a rehearsal [connect.refused]",
        source="nagios",
    )


def _told(found: Sequence[tuple[Monitor, RecoveryRequest, list[Problem]]]) -> Told:
    failing = [(monitor, request, problems) for monitor, request, problems in found if problems]
    monitors = len({monitor.id for monitor, _, _ in found})
    if failing:
        _, request, problems = failing[0]
        rest = f", and {len(failing) - 1} more" if len(failing) > 1 else ""
        text = f"{len(failing)} of {len(found)} repairs would fail: {request.title}: {problems[0]}{rest}"
    elif found:
        text = f"all {len(found)} repairs of {monitors} monitors would work"
    else:
        text = "no monitor of the definitions has a repair"
    line = f"{'WARNING' if failing else 'OK'} - rehearsal: {_plain(text)}"
    return Told(
        time.time(),
        1 if failing else 0,
        # label=value;warn;crit;min (Monitoring Plugins guidelines): one that fails is a warning.
        f"{line} | repairs={len(found)};;;0 failing={len(failing)};0;;0",
        tuple(
            _plain(f"{monitor.name}: {request.title}: {one}")
            for monitor, request, all_ in failing
            for one in all_
        ),
        tuple(
            {"monitor": monitor.name, "repair": request.title, "problems": [asdict(one) for one in problems]}
            for monitor, request, problems in found
        ),
    )


def _tell(told: Told, options: argparse.Namespace) -> int:
    """Print it as a plugin does, or as JSON; returns the exit code."""
    if options.json:
        print(json.dumps(asdict(told), indent=2, ensure_ascii=False))
        return told.code
    print(told.line)
    if not options.verbose:
        for line in told.more:
            print(line)
        return told.code
    for repair in told.repairs:
        for problem in repair["problems"]:
            print(_plain(f"{repair['monitor']}: {repair['repair']}: {problem['what']}: {problem['text']}"))
            for line in problem["remedy"].splitlines():
                print(clean(f"    {line}"))
        if not repair["problems"]:
            print(_plain(f"{repair['monitor']}: {repair['repair']}: would work"))
    return told.code


def _kept(paths: Paths, most: float) -> Told:
    """The result that was kept.

    Raises:
        UsageError: there is none that can be read, or it is too old.
    """
    path = Path(paths.state / _SAVED)
    try:
        with path.open("rb") as file:
            told = Told(**json.loads(file.read(_SAVED_LIMIT)))
    except FileNotFoundError:
        raise UsageError(f"no rehearsal was kept in {path}: rehearse --save keeps one") from None
    except OSError as error:
        raise UsageError(f"cannot read the rehearsal {path}: {error.strerror}") from None
    except (ValueError, TypeError):
        raise UsageError(f"{path} is not a rehearsal: rehearse --save makes a new one") from None
    age = time.time() - told.at
    # One from the future was kept while the clock ran ahead: nobody knows how old it is.
    if not 0 <= age <= most:
        when = f"{spell(age)} ago, longer than --max-age {spell(most)}" if age > 0 else "in the future"
        raise UsageError(f"the last rehearsal was {when} ({clock_text(told.at)}): is its timer on?")
    return told


def _plain(text: str) -> str:
    """One line in which nothing begins performance data."""
    return clean(text).replace("|", "/")
