"""``imap4-worker``: argv -> the supervisor, the status of one that runs, or a sweep."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from imap4 import VERSION
from imap4.arguments import Parser, duration, show_examples, whole
from imap4.children import count_exit_codes
from imap4.handover.client import SOCKET
from imap4.packages import missing
from imap4.worker.settings import Limits, Settings

DEFAULT_SOCKET = "/run/imap4-worker/status.sock"

_CORES = (
    "/var/lib/nagios4/rw/nagios.qh",
    "/usr/local/nagios/var/rw/nagios.qh",
    "/var/spool/nagios/cmd/nagios.qh",
    "/var/nagios/rw/nagios.qh",
    "/var/cache/naemon/naemon.qh",
    "/var/lib/naemon/naemon.qh",
)


_EXAMPLES = {
    "imap4-worker": (
        "imap4-worker --core /var/lib/nagios4/rw/nagios.qh",
        "imap4-worker status --json",
    )
}


def main(argv: Sequence[str]) -> int:
    """Do what the command line says.

    Returns:
        The exit code; 3 where the command line is wrong.
    """
    parser = _parser()
    given = parser.parse_args(argv)
    if given.command == "status":
        from imap4.worker.status import show

        return show(given.socket, as_json=given.json)
    try:
        import greenlet  # noqa: F401 - only to see whether it is there
    except ImportError:
        parser.error(missing("greenlet"))
    core = given.core
    if core is None:
        core = next((path for path in _CORES if os.path.exists(path)), _CORES[0])
    serve = _serve(given.serve, given.socket)
    if not core and not serve:
        parser.error("there is nothing to do without a core (--core '') and without --serve")
    if len(os.fsencode(core)) > 107:
        parser.error(f"argument --core: a socket's path has at most 107 bytes: {core}")
    settings = Settings(
        core=core,
        register=given.register,
        plugins=tuple(given.plugin),
        monitors=tuple(given.monitor),
        workers=given.workers,
        limits=Limits(given.max_jobs, given.max_resolvers, given.max_programs),
        naemon=given.naemon or "naemon" in Path(core).name,
        stall=given.stall,
        grace=given.grace,
        socket=given.socket or None,
        serve=serve,
        checks_only=given.checks_only,
    )
    from imap4.worker.supervisor import Supervisor

    return Supervisor(settings).run()


def run() -> NoReturn:
    """The program; ``sweep`` is a command with a parser, and needs, of its own."""
    count_exit_codes()
    arguments = sys.argv[1:]
    if arguments[:1] == ["sweep"]:
        # Definitions, which the worker knows nothing of.
        from imap4.worker.sweep.cli import main as sweep

        sys.exit(sweep(arguments[1:]))
    try:
        sys.exit(main(arguments))
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(1)


def _parser() -> Parser:
    parser = Parser(
        prog="imap4-worker",
        description="Runs check_imap4 for Nagios Core and Naemon in a few processes, without forking. "
        "Without a command it works; 'status' shows how a running one does. 'sweep DEFINITIONS' tests the "
        "monitors of a definitions file without a core: see imap4-worker sweep --help.",
    )
    add = parser.add_argument
    add("command", nargs="?", choices=("run", "status"), default="run")
    add("--version", action="version", version=f"imap4-worker {VERSION}")
    add(
        "--core",
        metavar="PATH",
        help="the core's query handler socket (query_socket in its main file); empty for none",
    )
    add(
        "--register",
        type=_word,
        default="check_imap4",
        metavar="NAME",
        help="plugin to register for: a base name, or a path (check_imap4)",
    )
    add(
        "--plugin",
        action="append",
        default=[],
        metavar="PATH",
        help="another path under which this very plugin is called, such as a wrapper; may be given again",
    )
    add(
        "--monitor",
        action="append",
        default=[],
        metavar="PATH",
        help="another path under which this very imap4-monitor is called; may be given again",
    )
    add(
        "--checks-only",
        action="store_true",
        help="leave event handlers and silent notifications of imap4-monitor to the core's own workers",
    )
    _add_bounds(parser)
    add("--naemon", action="store_true", help="split command lines as Naemon does (guessed from --core)")
    add(
        "--stall",
        type=duration(0.5, 3600),
        default=Settings("").stall,
        metavar="TIME",
        help="end a worker that stands still for so long (2)",
    )
    add(
        "--grace",
        type=duration(0.5, 3600),
        default=Settings("").grace,
        metavar="TIME",
        help="time to answer jobs when told to stop (15)",
    )
    add(
        "--socket",
        default=DEFAULT_SOCKET,
        metavar="PATH",
        help=f"where status asks ({DEFAULT_SOCKET}; empty for none)",
    )
    add(
        "--serve",
        metavar="PATH",
        help="where check_imap4 hands its checks over instead of running them (check.sock beside --socket; "
        "empty for none)",
    )
    add("--json", action="store_true", help="with status: print JSON")
    show_examples(parser, _EXAMPLES)
    return parser


def _add_bounds(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "--workers",
        type=whole(1, 100_000),
        default=2,
        metavar="N",
        help="processes (2); one alone is no protection",
    )
    defaults = Limits()
    add(
        "--max-jobs",
        type=whole(1, 100_000),
        default=defaults.max_jobs,
        metavar="N",
        help=f"jobs at a time in each process ({defaults.max_jobs})",
    )
    add(
        "--max-resolvers",
        type=whole(1, 100_000),
        default=defaults.max_resolvers,
        metavar="N",
        help=f"resolver threads in each, the hung ones included ({defaults.max_resolvers})",
    )
    add(
        "--max-programs",
        type=whole(1, 100_000),
        default=defaults.max_programs,
        metavar="N",
        help=f"programs at a time in each, for what cannot be run in it ({defaults.max_programs})",
    )


def _serve(given: str | None, status: str) -> str | None:
    """The socket for checks: as given, else beside the one for the status, if there is one."""
    if given is None and status:
        return str(Path(status).parent / Path(SOCKET).name)
    return given or None


def _word(text: str) -> str:
    if not text or any(sign in text for sign in " ;=\0\n"):
        raise argparse.ArgumentTypeError("a plugin's name has no spaces, semicolons or equals signs")
    return text


if __name__ == "__main__":
    run()
