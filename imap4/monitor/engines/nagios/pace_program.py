"""``imap4-monitor pace``, the event handler of Nagios and Naemon: argv -> lines in the command file.

It runs at every failing test, so it is read and done in two ways, with one outcome: as a program, and by
``imap4-worker`` in its process. What is rendered is read by ``read``, which costs a fiftieth of argparse;
whatever is not exactly so, ``_parser`` reads, and says what is wrong with it.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from imap4.deadline import Deadline
from imap4.monitor.engines.nagios.command_file import CommandFileError, send
from imap4.monitor.engines.nagios.pace import SAVE_AFTER, VARIABLE, Count, Told, commands, saves
from imap4.monitor.states import Delays, Rules

if TYPE_CHECKING:
    from imap4.arguments import Parser

# Engines kill a handler after 30 seconds, and nothing is gained by a delay that comes late.
SECONDS = 10.0
_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_TEXTS = ("command-file", "host", "service", "notice", "problem", "host-state", "host-state-type", "count")
_WHOLE = ("up", "warn", "down", "lost", "failures", "alerts")
_NUMBERS = ("number", "downtime", "host-downtime")
_DEFAULTS = {"interval-length": "1", "wrap": "0"}
_NEEDED = {"state", "duration", *_TEXTS, *_WHOLE, *_NUMBERS}
_KNOWN = {f"--{name}": name for name in (*_NEEDED, *_DEFAULTS, "retention")}


class Request(NamedTuple):
    """What the command line says."""

    command_file: str
    rules: Rules
    told: Told
    before: Count
    duration: float
    """Of the longest test, in seconds."""
    wrap: int
    length: int
    """The engine's interval_length, in seconds."""
    retention: str
    """The file that the engine saves to; empty where that is not known."""


def _request(given: dict[str, Any]) -> Request:
    """The options' values, by their names."""
    delays = Delays(given["up"], given["warn"], given["down"], given["lost"])
    return Request(
        command_file=given["command-file"],
        rules=Rules(delays, max(1, given["failures"]), max(0, given["alerts"])),
        told=Told(
            host=given["host"],
            service=given["service"],
            ok=given["state"] == "OK",
            number=given["number"],
            notice=given["notice"],
            problem=given["problem"],
            host_down=given["host-state"] not in ("UP", "") and given["host-state-type"] == "HARD",
            downtime=given["downtime"] + given["host-downtime"] > 0,
        ),
        before=Count.read(given["count"]),
        duration=given["duration"],
        wrap=given["wrap"],
        length=max(1, given["interval-length"]),
        retention=given["retention"],
    )


def read(arguments: Sequence[str]) -> Request | None:
    """The command line, where it is as it was rendered: each option once and whole, plain numbers.

    Returns:
        None where anything is otherwise; the parser may read it all the same.
    """
    given: dict[str, Any] = {}
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        name = _KNOWN.get(option)
        if name is None or name in given:
            return None
        if not equals:
            value = next(words, "-")
            if value.startswith("-"):
                return None
        given[name] = value
    if not given.keys() >= _NEEDED or given["state"] not in _STATES:
        return None
    for name in (*_WHOLE, *_NUMBERS, *_DEFAULTS):
        text: str = given.get(name, _DEFAULTS.get(name)) or ("0" if name in _NUMBERS else "")
        if not _is_plain(text):
            return None
        given[name] = int(text)
    whole, _, fraction = given["duration"].partition(".")
    if not _is_plain(whole) or not _is_plain(fraction or "0"):
        return None
    given["duration"] = float(given["duration"])
    given.setdefault("retention", "")
    return _request(given)


def _is_plain(text: str) -> bool:
    """Whether it is a number of a few digits."""
    return len(text) < 16 and text.isascii() and text.isdigit()


def perform(
    request: Request,
    now: float,
    pause: Callable[[float], object] = time.sleep,
    asked: dict[str, float] | None = None,
) -> str:
    """Tell the engine.

    Args:
        now: the end of the test, in seconds since the epoch.
        pause: waits for so many seconds.
        asked: when an engine was last asked to save, by the file; for a process that performs many requests,
            more than an engine can have saved meanwhile.

    Returns:
        What was wrong, in one line; empty where the engine took it.
    """
    wanted = commands(
        request.rules,
        request.told,
        request.before,
        now,
        duration=request.duration,
        wrap=request.wrap,
        length=request.length,
    )
    path, asked = request.retention, {} if asked is None else asked
    recent = abs(now - asked.get(path, 0.0)) < SAVE_AFTER
    save = not recent and saves(request.rules, request.told, request.before, path, now)
    if save:
        # After all others, for they are done in this order.
        wanted.append(("SAVE_STATE_INFORMATION",))
    try:
        send(request.command_file, wanted, Deadline(SECONDS), pause)
    except CommandFileError as error:
        return f"imap4-monitor pace: {request.told.host}/{request.told.service}: {error}"
    if save:
        asked[path] = now
    return ""


def _parser() -> Parser:
    from imap4.arguments import Parser

    parser = Parser(
        prog="imap4-monitor pace",
        description="Event handler for Nagios Core and Naemon: sets the delay until the next test.",
    )
    parser.add_argument("--command-file", required=True, metavar="PATH", help="the engine's command file")
    parser.add_argument("--host", required=True, metavar="NAME", help="$HOSTNAME$")
    parser.add_argument("--service", required=True, metavar="NAME", help="$SERVICEDESC$")
    for name in ("up", "warn", "down", "lost"):
        what = f"seconds between tests while {name.capitalize()}"
        parser.add_argument(f"--{name}", required=True, type=int, metavar="SECONDS", help=what)
    parser.add_argument("--failures", required=True, type=int, metavar="N", help="failures per alert")
    parser.add_argument(
        "--alerts", required=True, type=int, metavar="N", help="maximum alerts; 0 is no limit"
    )
    parser.add_argument("--duration", required=True, type=_seconds, metavar="SECONDS", help="longest test")
    # Files that were rendered before there was this option had seconds.
    parser.add_argument(
        "--interval-length", type=int, default=1, metavar="SECONDS", help="the engine's interval_length (1)"
    )
    parser.add_argument(
        "--wrap", type=int, default=0, metavar="N", help="alert that is repeated without a limit"
    )
    parser.add_argument("--state", required=True, choices=_STATES, help="$SERVICESTATE$")
    parser.add_argument(
        "--number", required=True, type=_number, metavar="N", help="$SERVICENOTIFICATIONNUMBER$"
    )
    parser.add_argument("--notice", required=True, metavar="ID", help="$SERVICENOTIFICATIONID$")
    parser.add_argument("--problem", required=True, metavar="ID", help="$SERVICEPROBLEMID$")
    parser.add_argument("--downtime", required=True, type=_number, metavar="N", help="$SERVICEDOWNTIME$")
    parser.add_argument("--host-downtime", required=True, type=_number, metavar="N", help="$HOSTDOWNTIME$")
    parser.add_argument("--host-state", required=True, metavar="STATE", help="$HOSTSTATE$")
    parser.add_argument("--host-state-type", required=True, metavar="TYPE", help="$HOSTSTATETYPE$")
    parser.add_argument("--count", required=True, metavar="TEXT", help=f"$_SERVICE{VARIABLE}$")
    parser.add_argument("--retention", default="", metavar="PATH", help="$RETENTIONDATAFILE$")
    return parser


def _seconds(text: str) -> float:
    """A length of time."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _number(text: str) -> int:
    """A macro's number; one that is empty is 0."""
    return int(text or 0)


def main(arguments: Sequence[str]) -> int:
    """Tell the engine; 0 done, 1 the engine did not take it, 3 wrong use."""
    now = time.time()
    request = read(arguments)
    if request is None:
        try:
            given = _parser().parse_args(arguments)
        except SystemExit as error:
            return 3 if error.code else 0
        request = _request({name.replace("_", "-"): value for name, value in vars(given).items()})
    trouble = perform(request, now)
    if trouble:
        print(trouble, file=sys.stderr)
    return 1 if trouble else 0
