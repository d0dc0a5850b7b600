"""Looks at a Nagios' or Naemon's main file and status, and says what has to be changed for the monitors.

Nothing is changed. The names are those of Nagios Core's manual, "Main Configuration File Options".
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imap4.monitor.engines import installed
from imap4.monitor.engines.command_lines import OPTIONS, Programs
from imap4.monitor.engines.nagios import foreign, object_cache, running
from imap4.monitor.engines.nagios.main_file import MainFile, NotMainFile, find, read
from imap4.monitor.engines.nagios.object_cache import ObjectCache
from imap4.monitor.engines.nagios.pace import changes_interval
from imap4.monitor.findings import Finding
from imap4.monitor.model import Monitor

INTERVAL = 1024
"""MODATTR_NORMAL_CHECK_INTERVAL, in both engines' ``common.h``."""


@dataclass(frozen=True)
class Rule:
    """One setting that matters."""

    name: str
    default: str
    good: Callable[[str], bool]
    line: str
    why: str


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return -1


def _equals(number: int) -> Callable[[str], bool]:
    return lambda text: _number(text) == number


def _at_least(number: int) -> Callable[[str], bool]:
    # 0 is no time-out at all.
    return lambda text: _number(text) >= number or _number(text) == 0


def _on(name: str, why: str, default: str = "1") -> Rule:
    return Rule(name, default, _equals(1), f"{name}=1", why)


def _rendered(main: MainFile, cache: ObjectCache | None, programs: Programs) -> Iterator[Finding]:
    """Whether the event handler that the engine has fits the main file: its unit, and its command file."""
    length = main.get("interval_length", "60")
    given = "" if "interval_length" in main.values else " (the engine's default)"
    # Files that were rendered before the handler had the option are in seconds.
    has_pace = cache is not None and "imap4-pace" in cache.commands
    said = (cache.pace("--interval-length") or "1") if cache and has_pace else str(programs.interval_length)
    yield Finding(
        _number(length) == _number(said),
        f"interval_length is {length}{given}",
        f"the rendered delays are in units of {said} s; every one would be another",
        f"render again with --interval-length {length}, and restart the engine",
    )
    file = main.place("command_file")
    written = (cache.pace("--command-file") if cache and has_pace else None) or programs.command_file
    yield Finding(
        file == os.path.normpath(written),
        f"command_file is {file}",
        f"the rendered handler writes to {written}",
        f"render again with --command-file {file}, and restart the engine",
    )
    for named in sorted(cache.reported(), key=str) if cache else ():
        yield Finding(
            named is not None and os.path.normpath(named) == file,
            f"repairs tell what came of them to {named or 'the engine that their unit names'}",
            f"the engine reads {file}; nobody hears of them where the unit's environment names no engine",
            f"render again with --command-file {file}, and restart the engine",
        )


def _contacts(cache: ObjectCache, monitors: Sequence[Monitor]) -> Iterator[Finding]:
    names = {contact.name for monitor in monitors for contact in monitor.contacts}
    for name in sorted(names - cache.contacts):
        yield Finding(
            False,
            f"the engine knows no contact or contact group {name}",
            "with the monitors rendered, it would refuse its whole configuration",
            "define it before you restart the engine, or correct the name in the definition's contacts",
        )
    for name in sorted({monitor.period for monitor in monitors if monitor.period} - cache.periods):
        yield Finding(
            False,
            f"the engine knows no time period {name}",
            "with the monitors rendered, it would refuse its whole configuration",
            "define it before you restart the engine, or correct the definition's period",
        )


def _left_over(cache: ObjectCache, monitors: Sequence[Monitor]) -> Iterator[Finding]:
    """Monitors that the engine has, but not the definitions."""
    known = {(monitor.host, monitor.service) for monitor in monitors}
    for host, service in sorted(cache.services - known if monitors else ()):
        yield Finding(
            False,
            f"the monitor {service} on the host {host} is in no definition that was given",
            "it is tested as it was rendered once",
            "give its file with another -f; or render again without it, and restart the engine",
        )


def rules(engine: str, monitors: Sequence[Monitor]) -> Iterator[Rule]:
    """What the main file must say for these monitors."""
    longest = max((monitor.test_duration for monitor in monitors), default=10)
    if any(changes_interval(monitor.rules, monitor.test_duration) for monitor in monitors):
        mask = "retained_service_attribute_mask"
        yield Rule(
            mask, "0", lambda text: _number(text) >= 0 and bool(_number(text) & INTERVAL),
            f"{mask}={INTERVAL}",
            "some Down or Lost delay and a test are longer than the Up delay, so the engine's interval is "
            "changed in an outage; after a restart, the changed one would win over the rendered one",
        )  # fmt: skip
    if engine == "naemon":
        yield Rule(
            "cached_service_check_horizon", "15", _equals(0), "cached_service_check_horizon=0",
            "tests that come sooner than this are answered from a cache, and put off",
        )  # fmt: skip
    yield Rule(
        "service_check_timeout", "60", _at_least(longest + 5),
        f"service_check_timeout={max(60, longest + 5)}",
        f"the engine would kill a test of {longest} s before it can say what it found",
    )  # fmt: skip
    yield Rule(
        "event_handler_timeout", "30", _at_least(15), "event_handler_timeout=30",
        "the handler that paces the tests may wait 10 s for a busy engine",
    )  # fmt: skip
    yield Rule(
        "notification_timeout", "30", _at_least(15), "notification_timeout=30",
        "a repair needs some seconds to detach",
    )  # fmt: skip
    yield _on("check_external_commands", "the handler sets the delays through external commands")
    yield _on("enable_event_handlers", "without event handlers every state has the Up delay")
    yield _on("enable_notifications", "alerts and repairs are notifications")
    yield _on("execute_service_checks", "nothing is tested")
    yield _on("retain_state_information", "a restart in an outage would begin to count anew", "0")
    yield _on("use_retained_scheduling_info", "a restart would test everything at other times", "0")
    unsafe = "illegal_macro_output_chars"
    yield Rule(
        unsafe, "", lambda text: all(c in text for c in "'`$\""), f"{unsafe}=`~$&|'\"<>",
        "a repair's command line has the check's output in quotes, which it could end",
    )  # fmt: skip


def _command_file(main: MainFile) -> Iterator[Finding]:
    path = Path(main.place("command_file"))
    try:
        is_pipe = stat.S_ISFIFO(path.stat().st_mode)
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK) if is_pipe else None
        if descriptor is not None:
            os.close(descriptor)
        yield Finding(
            is_pipe,
            f"{path} is {'read by an engine' if is_pipe else 'no pipe'}",
            "",
            "remove it, and restart",
        )
    except OSError as error:
        why = f"{error.strerror}: the engine does not run, or you may not write to it"
        yield Finding(False, f"{path} takes no commands", why, "start the engine; run this as its user")


def examine(
    engine: str, config: str | None, programs: Programs, monitors: Sequence[Monitor]
) -> Iterator[Finding]:
    """Everything that was looked at, in the main file's order of importance.

    Args:
        config: the main file; None tries the usual ones.
        monitors: those of a definition, to look for them; () looks at the engine only.
    """
    path = find(engine, config)
    try:
        main = read(path, engine)
    except OSError as error:
        remedy = "give the main file with --config"
        yield Finding(False, f"{error.filename or path} cannot be read", error.strerror or "", remedy)
        return
    except NotMainFile as error:
        remedy = "give the main file with --config"
        yield Finding(False, f"{path} is no main file of {engine}", str(error), remedy)
        return
    try:
        cache = object_cache.read(Path(main.place("object_cache_file")))
    except OSError:
        cache = None
    yield from _rendered(main, cache, programs)
    for rule in rules(engine, monitors):
        value = main.get(rule.name, rule.default)
        given = "" if rule.name in main.values else " (the engine's default)"
        yield Finding(
            rule.good(value), f"{rule.name} is {value or 'empty'}{given}", rule.why, main.change(rule.line)
        )
    yield from _command_file(main)
    yield from running.examine(main, monitors)
    if cache:
        yield from _contacts(cache, monitors)
        yield from _left_over(cache, monitors)
        yield from foreign.examine(cache, monitors)
    yield from installed.examine_user(main.user)
    used = cache.programs() if cache and cache.commands else programs.named(monitors, engine)
    for name, program in used:
        yield installed.examine(OPTIONS[name], name, program, main.user)
    yield from installed.examine_units()
