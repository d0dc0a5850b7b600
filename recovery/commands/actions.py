"""``imap4-recovery restart-service | reboot-server | external-process``: options -> request -> exit code."""

from __future__ import annotations

import argparse
import re
from typing import Any

from imap4.durations import seconds
from recovery.actions.verify import parse
from recovery.commands.event_options import add_event, add_rules, event_of, rules_of
from recovery.commands.parsing import access_of, add_files, add_machine, kind, number, paths_of
from recovery.decision.event import Event
from recovery.errors import UsageError
from recovery.execution.perform import perform
from recovery.machines.interface import Machines
from recovery.requests import OutputOptions, ProcessTemplate, RebootRequest, RecoveryRequest, RestartRequest

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SERVICE = re.compile(r"[^\s/-][^/]{0,255}")
"""Names of Windows may hold nearly everything; each platform looks closer."""

_ENDING = """\
exit codes: 0 done and proven, or skipped; 1 done but not proven; 2 failed; 3 wrong options or a bad file.
The last line on standard output says what happened, after OK, WARNING, CRITICAL or UNKNOWN.
"""
_RESTART = """\
Restarts services and what depends on them, in the right order, and proves that it did: a new invocation,
active, no job left, and stable for --settle. What ran before runs after.
"""
_REBOOT = """\
Reboots the machine cleanly, waits for it, and proves that it did: another boot id, and a marker in /run
that is gone; then the system says that it is running.
"""
_PROCESS = """\
Runs a command on the machine, its arguments exactly as given: no shell, nothing is interpreted. Tokens
are filled from the event: {host} {address} {service} {state} {output} {alert}; {{ and }} are braces.
At --timeout its whole process group is ended on the machine, also if the link is lost.
"""


def add_parser(commands: Any) -> None:
    """Add the three actions to the top parser's ``commands``."""
    restart = _common(commands, "restart-service", "restart services, with dependents", _RESTART, 120.0)
    restart.add_argument(
        "--service",
        dest="services",
        nargs="+",
        action="extend",
        required=True,
        type=kind(_service),
        metavar="NAME",
        help="the services to restart; repeatable",
    )
    restart.add_argument(
        "--no-dependents", action="store_true", help="only the services named, not what depends on them"
    )
    restart.add_argument(
        "--settle", type=kind(seconds), default=3.0, metavar="TIME", help="how long they must stay up (3s)"
    )
    restart.add_argument(
        "--kill",
        action="store_true",
        help="Windows: end the process of a service that does not stop, once its own time for that is over",
    )
    restart.set_defaults(subject=lambda options: " ".join(options.services), work=_restart)

    reboot = _common(commands, "reboot-server", "reboot the machine and wait for it", _REBOOT, 600.0)
    reboot.add_argument(
        "--min-uptime",
        type=kind(seconds),
        default=600.0,
        metavar="TIME",
        help="refuse where it came up less than this ago (10m)",
    )
    reboot.add_argument(
        "--during-updates",
        action="store_true",
        help="Windows: reboot also while it installs updates or programs, which that may break",
    )
    reboot.set_defaults(subject=lambda options: "", work=_reboot)
    _add_process(commands)


def _add_process(commands: Any) -> None:
    process = _common(commands, "external-process", "run a command on the machine", _PROCESS, 60.0)
    process.usage = "imap4-recovery external-process [options] -- COMMAND [ARGUMENT ...]"
    process.add_argument(
        "--env",
        action="append",
        default=[],
        type=kind(_variable),
        metavar="NAME=VALUE",
        help="a variable for the command; repeatable",
    )
    process.add_argument("--stdin-file", metavar="FILE", help="what the command reads from standard input")
    process.add_argument("--cwd", metavar="FOLDER", help="the folder on the machine to run it in")
    process.add_argument(
        "--success-exit-status",
        type=kind(_statuses),
        default=(0,),
        metavar="LIST",
        help="exit statuses that are success, such as 0,3 (0)",
    )
    process.add_argument(
        "--command-line",
        default="",
        metavar="TEXT",
        help="Windows: what follows the program on its command line, as it is; no tokens are filled in",
    )
    process.set_defaults(subject=_process_subject, work=_process)


def _common(commands: Any, name: str, text: str, description: str, timeout: float) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=description, epilog=_ENDING
    )
    add_machine(parser, timeout)
    parser.add_argument(
        "--become", action="store_true", help="sudo -n, also if the credential does not say so"
    )
    parser.add_argument(
        "--verify",
        type=kind(_command),
        metavar="COMMAND",
        help="a plugin command, run here without a shell; its exit code 0 within --timeout proves the repair",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="look, say what would be done, and change nothing"
    )
    parser.add_argument("--explain", action="store_true", help="say what each rule said")
    parser.add_argument(
        "--detach", action="store_true", help="go on in the background: engines kill what takes over 30 s"
    )
    parser.add_argument("--continue", dest="taken_over", type=number, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the last line")
    parser.add_argument("-v", "--verbose", action="store_true", help="print each step as it happens")
    add_event(parser)
    add_rules(parser, name)
    _add_report(parser)
    add_files(parser)
    parser.set_defaults(run=run, action=name)
    return parser


_REPORT = {
    "nagios_command_file": "IMAP4_NAGIOS_COMMAND_FILE",
    "icinga_api": "IMAP4_ICINGA_API",
    "icinga_server_name": "IMAP4_ICINGA_SERVER_NAME",
}


def _add_report(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "report", "where the engine is told what came of an event; the variables of its unit win"
    )
    engine = group.add_mutually_exclusive_group()
    api = "Icinga 2's API; only IMAP4_ICINGA_PASSWORD_FILE names the file of its password"
    for owner, option, metavar, text in (
        (engine, "--nagios-command-file", "PATH", "Nagios' or Naemon's command file"),
        (engine, "--icinga-api", "https://HOST:5665", api),
        (group, "--icinga-server-name", "NAME", "the name in its certificate, where that is not the host"),
    ):
        variable = _REPORT[option[2:].replace("-", "_")]
        owner.add_argument(option, metavar=metavar, help=f"{text} ({variable})")


def _engine(options: argparse.Namespace) -> dict[str, str]:
    return {variable: found for name, variable in _REPORT.items() if (found := getattr(options, name))}


def run(options: argparse.Namespace, machines: Machines) -> int:
    """Perform the action that the options name."""
    return perform(request_of(options), machines)


def request_of(options: argparse.Namespace) -> RecoveryRequest:
    """The request that the options make; the event is read here, too.

    Raises:
        UsageError: the options contradict each other, or what the engine said is no event.
    """
    options.subject(options)  # a command that is missing is told before an event that is
    # The event of a recovery that is taken over is in the history: this process has no engine's variables.
    return request_for(options, event_of(options) if options.taken_over is None else None)


def request_for(options: argparse.Namespace, event: Event | None) -> RecoveryRequest:
    """The request that the options make for an event, whatever they say of one."""
    return RecoveryRequest(
        action=options.action,
        subject=options.subject(options),
        work=options.work(options),
        access=access_of(options, become=options.become),
        event=event,
        rules=rules_of(options),
        paths=paths_of(options),
        verify=options.verify,
        output=OutputOptions(options.json, options.verbose, options.explain, _engine(options)),
        dry_run=options.dry_run,
        detach=options.detach,
        taken_over=options.taken_over,
    )


def _restart(options: argparse.Namespace) -> RestartRequest:
    return RestartRequest(tuple(options.services), not options.no_dependents, options.settle, options.kill)


def _reboot(options: argparse.Namespace) -> RebootRequest:
    return RebootRequest(options.min_uptime, options.during_updates)


def _process(options: argparse.Namespace) -> ProcessTemplate:
    return ProcessTemplate(
        tuple(options.command),
        dict(options.env),
        options.stdin_file,
        options.cwd,
        options.success_exit_status,
        options.command_line,
    )


def _process_subject(options: argparse.Namespace) -> str:
    """The program's name only: arguments may be long, or nobody's business."""
    if not options.command:
        raise UsageError("imap4-recovery external-process: give the command after --, such as: -- /bin/true")
    return str(options.command[0])


def _service(text: str) -> str:
    if not _SERVICE.fullmatch(text) or not text.isprintable():
        raise UsageError(f"{text!r} is no service's name")
    return text


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _VARIABLE.fullmatch(name):
        raise UsageError(f"{name!r} is not NAME=VALUE with a name of letters, digits and _")
    return name, value


def _statuses(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word[:11]) <= 0xFFFFFFFF for word in words):
        raise UsageError(f"{text!r} is no list of exit statuses (0 to 255, on Windows to 4294967295)")
    return tuple(int(word) for word in words)


def _command(text: str) -> str:
    parse(text)  # so that wrong quotes show before anything is done
    return text
