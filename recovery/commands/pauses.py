"""``imap4-recovery pause | resume | status``: no repairs for a while, and what is so now."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from imap4.durations import above_zero, spell
from recovery.caller import caller
from recovery.commands.parsing import add_files, kind, number, paths_of
from recovery.credentials.restrictions import read_actions, read_machines
from recovery.decision.pauses import Clock, Pause, Scope
from recovery.errors import UsageError
from recovery.execution.progress import clean
from recovery.history import entries as history_view
from recovery.history import pauses
from recovery.history.entries import Entry
from recovery.history.recoveries import History, clock_text, opened
from recovery.machines.interface import Machines

# What is to be left alone for longer belongs into the definition, where it can be seen.
_LONGEST = 31 * 86400.0
_WHY_LENGTH = 200
_MONITOR = re.compile(r"[^,\x00-\x1f]{1,255}")
_PAUSE = """\
Keeps repairs that an engine asks for from being done, for a while: all of them, or those on some machines,
for some monitors, of some actions. The checks go on, and so do their notifications (the engine's own
downtime silences those). What is under way goes on; what a person asks for by hand is done all the same.
"""
_RESUME = """\
Ends pauses before their time: those with the numbers given, those for exactly the machines, monitors and
actions named, or --all. With none of these, the one that is in force.
"""
_STATUS = "Prints which pauses are in force and which repairs are under way."


def add_parser(commands: Any) -> None:
    """Add the three commands to the top parser's ``commands``."""
    pausing = commands.add_parser("pause", help="do no repairs for a while", description=_PAUSE)
    pausing.add_argument(
        "--for",
        dest="seconds",
        required=True,
        type=kind(_length),
        metavar="TIME",
        help="how long, such as 8h; it ends by itself",
    )
    pausing.add_argument(
        "--why", required=True, type=kind(_why), metavar="TEXT", help="what colleagues should know of it"
    )
    pausing.set_defaults(run=pause)
    resuming = commands.add_parser("resume", help="end a pause", description=_RESUME)
    resuming.add_argument("numbers", nargs="*", type=number, metavar="N", help="the pauses' numbers")
    resuming.add_argument("--all", action="store_true", help="every pause")
    resuming.set_defaults(run=resume)
    for one in (pausing, resuming):
        one.add_argument(
            "--machine",
            type=kind(_some(read_machines)),
            default=(),
            metavar="LIST",
            help="only on these: mail1,*.example.org,192.0.2.0/24",
        )
        one.add_argument(
            "--monitor",
            type=kind(_monitors),
            default=(),
            metavar="LIST",
            help="only for these monitors, as the engine calls the service; * and ? stand for others",
        )
        one.add_argument(
            "--action", type=kind(_some(read_actions)), default=(), metavar="LIST", help="only these actions"
        )
    telling = commands.add_parser(
        "status", help="which pauses are in force, what is under way", description=_STATUS
    )
    telling.add_argument("--all", action="store_true", help="pauses that are over, too")
    telling.set_defaults(run=status)
    for one in (pausing, resuming, telling):
        one.add_argument("--json", action="store_true", help="print JSON")
        add_files(one, store=False)


def pause(options: argparse.Namespace, machines: Machines) -> int:
    """Begin a pause."""
    scope = _scope(options)
    with opened(paths_of(options).state) as history:
        # First: a repair whose process was killed is not under way.
        history.find_interrupted()
        made = pauses.add(history.database, history.path, scope, options.seconds, caller(), options.why)
        busy = [entry for entry in history_view.under_way(history) if _is_meant(scope, entry)]
    if options.json:
        print(json.dumps(_as_dict(made, made.begun), indent=2, ensure_ascii=False))
    else:
        print(clean(f"Begun: {line_of(made, made.begun)}"))
    for entry in busy:
        what = f"recovery {entry.number} ({entry.texts['action']} on {entry.texts['machine']})"
        # Beside the result: with --json, standard output is one document.
        print(clean(f"imap4-recovery: {what} is under way, and goes on"), file=sys.stderr)
    return 0


def resume(options: argparse.Namespace, machines: Machines) -> int:
    """End pauses."""
    with opened(paths_of(options).state) as history:
        at = pauses.clock()
        ended = _chosen(options, pauses.read(history.database, history.path), history)
        pauses.end(history.database, history.path, ended, caller())
    if options.json:
        print(json.dumps([one.number for one in ended]))
        return 0
    for one in ended:
        print(clean(f"Ended, {spell(one.left(at))} before its time: {_name(one)}"))
    if not ended:
        print("Nothing is paused.")
    return 0


def _chosen(options: argparse.Namespace, found: Sequence[Pause], history: History) -> list[Pause]:
    """Those of the pauses in force that the options mean.

    Raises:
        UsageError: they mean one that is not in force, or none in particular where there are several.
    """
    scope = _scope(options)
    ways = [bool(options.numbers), options.all, scope != Scope()]
    if sum(ways) > 1:
        raise UsageError("resume: give numbers, or --all, or what was paused; only one of these")
    if options.all:
        return list(found)
    if options.numbers:
        known = {one.number: one for one in found}
        # All or none: of two numbers one may be a slip of the finger.
        if missing := [wanted for wanted in options.numbers if wanted not in known]:
            raise UsageError(
                f"there is no pause {missing[0]} in force in {history.path}; imap4-recovery status lists them"
            )
        return [known[wanted] for wanted in dict.fromkeys(options.numbers)]
    if scope != Scope():
        meant = [one for one in found if one.scope == scope]
        if not meant:
            raise UsageError(f"no pause in force is for exactly {scope}; imap4-recovery status lists them")
        return meant
    if len(found) > 1:
        numbers = ", ".join(str(one.number) for one in found)
        raise UsageError(f"{len(found)} pauses are in force ({numbers}): give their numbers, or --all")
    return list(found)


def status(options: argparse.Namespace, machines: Machines) -> int:
    """Print pauses and what is under way."""
    with opened(paths_of(options).state) as history:
        history.find_interrupted()
        at = pauses.clock()
        found = pauses.read(history.database, history.path)
        if options.all:
            found = pauses.all_pauses(history.database)
        busy = history_view.under_way(history)
    if options.json:
        document = {
            "pauses": [_as_dict(one, at) for one in found],
            "under_way": [entry.as_dict() for entry in busy],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    for one in found:
        print(clean(line_of(one, at)))
    for entry in busy:
        what = f"{entry.texts['action']} {entry.texts['subject']}".strip()
        since = clock_text(entry.started)
        print(clean(f"recovery {entry.number}: {what} on {entry.texts['machine']} since {since}"))
    if not found and not busy:
        print("Nothing is paused, and no repair is under way.")
    return 0


def line_of(pause: Pause, at: Clock) -> str:
    """``pause 3: all repairs, by user root: new kernel; until 2026-01-31 11:00:00 (8h)``."""
    if left := pause.left(at):
        return f"{_name(pause)}; until {clock_text(at.now + left)} ({spell(left)})"
    if pause.ended is not None:
        return f"{_name(pause)}; ended {clock_text(pause.ended)} by {pause.ended_by}"
    return f"{_name(pause)}; over since {clock_text(pause.begun.now + pause.seconds)}"


def _name(pause: Pause) -> str:
    return f"pause {pause.number}: {pause.scope}, by {pause.by}: {pause.why}"


def _as_dict(pause: Pause, at: Clock) -> dict[str, Any]:
    left = pause.left(at)
    return {
        "id": pause.number,
        "machines": list(pause.scope.machines),
        "monitors": list(pause.scope.monitors),
        "actions": list(pause.scope.actions),
        "begun": pause.begun.now,
        "seconds": pause.seconds,
        "left": left,
        "until": at.now + left if left else None,
        "by": pause.by,
        "why": pause.why,
        "ended": pause.ended,
        "ended_by": pause.ended_by,
    }


def _is_meant(scope: Scope, entry: Entry) -> bool:
    texts, monitor = entry.texts, str((entry.event or {}).get("service", ""))
    return scope.covers(texts["action"], texts["machine"], texts["address"], monitor)


def _scope(options: argparse.Namespace) -> Scope:
    return Scope(options.machine, options.monitor, options.action)


def _length(text: str) -> float:
    seconds = above_zero(text)
    if seconds > _LONGEST:
        raise UsageError(f"{text!r} is longer than {spell(_LONGEST)}: a pause for so long is forgotten")
    return seconds


def _why(text: str) -> str:
    why = " ".join(clean(text).split())
    if not why or len(why) > _WHY_LENGTH:
        raise UsageError(f"write why in 1 to {_WHY_LENGTH} characters: colleagues read it in every skip")
    return why


def _some(read: Callable[[str], tuple[str, ...]]) -> Callable[[str], tuple[str, ...]]:
    """``read``, where nothing is an error: an empty variable of a script must not mean everything."""

    def checked(text: str) -> tuple[str, ...]:
        if not (found := read(text)):
            raise UsageError("the list is empty; leave the option out to mean all")
        return found

    return checked


def _monitors(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names or not all(_MONITOR.fullmatch(name) for name in names):
        raise UsageError(f"{text!r} is no list of monitors' names")
    return names
