"""Looks at a Nagios' or Naemon's main file and status, and says what has to be changed for the monitors.

Nothing is changed. The names are those of Nagios Core's manual, "Main Configuration File Options".
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imap4.findings import Finding
from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.nagios.pace import changes_interval
from imap4.monitor.model import Monitor

MAIN_FILES = {
    "nagios": ("/etc/nagios4/nagios.cfg", "/etc/nagios/nagios.cfg", "/usr/local/nagios/etc/nagios.cfg"),
    "naemon": ("/etc/naemon/naemon.cfg",),
}
INTERVAL = 1024
"""MODATTR_NORMAL_CHECK_INTERVAL, in both engines' ``common.h``."""


@dataclass(frozen=True)
class MainFile:
    """A main configuration file, as the engine reads it."""

    path: Path
    values: dict[str, tuple[str, int]]
    """Value and line by name; where a name is there twice, the last counts."""

    def get(self, name: str, default: str) -> str:
        """The value of a setting, or what the engine takes without one."""
        return self.values[name][0] if name in self.values else default

    def change(self, line: str) -> str:
        """The sentence that says where to write ``line``."""
        name = line.split("=")[0]
        if name in self.values:
            return f"{self.path}:{self.values[name][1]}: change to {line}"
        return f"{self.path}: add {line}"


def read(path: Path) -> MainFile:
    """Read a main file.

    Raises:
        OSError: it cannot be read.
    """
    values = {}
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        found = re.match(r"\s*([a-z_0-9]+)\s*=\s*(.*?)\s*$", line)
        if found:
            values[found[1]] = (found[2], number)
    return MainFile(path, values)


@dataclass(frozen=True)
class _Rule:
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


def _on(name: str, why: str, default: str = "1") -> _Rule:
    return _Rule(name, default, _equals(1), f"{name}=1", why)


def _interval_length(main: MainFile, programs: Programs) -> Finding:
    length = main.get("interval_length", "60")
    given = "" if "interval_length" in main.values else " (the engine's default)"
    return Finding(
        _number(length) == programs.interval_length,
        f"interval_length is {length}{given}",
        f"the rendered delays are in units of {programs.interval_length} s; every one would be another",
        f"render again with --interval-length {length}",
    )


def _rules(engine: str, monitors: Sequence[Monitor]) -> Iterator[_Rule]:
    longest = max((monitor.test_duration for monitor in monitors), default=10)
    if any(changes_interval(monitor.rules, monitor.test_duration) for monitor in monitors):
        mask = "retained_service_attribute_mask"
        yield _Rule(
            mask, "0", lambda text: _number(text) >= 0 and bool(_number(text) & INTERVAL),
            f"{mask}={INTERVAL}",
            "some Down or Lost delay and a test are longer than the Up delay, so the engine's interval is "
            "changed in an outage; after a restart, the changed one would win over the rendered one",
        )  # fmt: skip
    if engine == "naemon":
        yield _Rule(
            "cached_service_check_horizon", "15", _equals(0), "cached_service_check_horizon=0",
            "tests that come sooner than this are answered from a cache, and put off",
        )  # fmt: skip
    yield _Rule(
        "service_check_timeout", "60", _at_least(longest + 5),
        f"service_check_timeout={max(60, longest + 5)}",
        f"the engine would kill a test of {longest} s before it can say what it found",
    )  # fmt: skip
    yield _Rule(
        "event_handler_timeout", "30", _at_least(15), "event_handler_timeout=30",
        "the handler that paces the tests may wait 10 s for a busy engine",
    )  # fmt: skip
    yield _Rule(
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
    yield _Rule(
        unsafe, "", lambda text: all(c in text for c in "'`$\""), f"{unsafe}=`~$&|'\"<>",
        "a repair's command line has the check's output in quotes, which it could end",
    )  # fmt: skip


def _command_file(main: MainFile, programs: Programs) -> Iterator[Finding]:
    path = Path(main.get("command_file", "/usr/local/nagios/var/rw/nagios.cmd"))
    same = str(path) == programs.command_file
    yield Finding(
        same,
        f"command_file is {path}",
        f"the rendered handler writes to {programs.command_file}",
        f"render again with --command-file {path}",
    )
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


def _blocks(text: str) -> list[tuple[str, dict[str, str]]]:
    """The blocks of a status file: kind and values."""
    return [
        (kind, dict(line.strip().split("=", 1) for line in body.splitlines() if "=" in line))
        for kind, body in re.findall(r"^(\w+) \{\n(.*?)^\t\}", text, re.DOTALL | re.MULTILINE)
    ]


def _status(main: MainFile, monitors: Sequence[Monitor]) -> Iterator[Finding]:
    """What the running engine has, which may be other than what its files say."""
    path = Path(main.get("status_file", "/usr/local/nagios/var/status.dat"))
    try:
        blocks = _blocks(path.read_text(errors="replace"))
    except OSError as error:
        why = f"{error.strerror}: the running engine was not looked at"
        yield Finding(False, f"{path} cannot be read", why, "start the engine; run this as its user")
        return
    for kind, values in blocks:
        if kind == "programstatus":
            for name in ("enable_notifications", "enable_event_handlers", "active_service_checks_enabled"):
                title = f"the running engine has {name}={values.get(name)}"
                why = "somebody switched it off at run time, and the engine keeps that over restarts"
                yield Finding(values.get(name) == "1", title, why, "switch it on again")
            read_since = main.path.stat().st_mtime <= _number(values.get("program_start", "0")) + 1
            title = f"the running engine has {'' if read_since else 'not '}read the main file as it is now"
            yield Finding(read_since, title, "", "restart the engine")
    names = ("host_name", "service_description")
    services = {
        tuple(values.get(each) for each in names) for kind, values in blocks if kind == "servicestatus"
    }
    hosts = [values for kind, values in blocks if kind == "hoststatus"]
    down = {values.get("host_name") for values in hosts if values.get("current_state") != "0"}
    for monitor in monitors:
        there = (monitor.host, monitor.service) in services
        title = f"the service {monitor.service} on the host {monitor.host} is {'' if there else 'not '}there"
        remedy = "render into a folder that cfg_dir names, and restart the engine"
        yield Finding(there, title, "it is not tested", remedy)
    for host in sorted({monitor.host for monitor in monitors} & down):
        why = "the engine sends no service notifications for it"
        yield Finding(
            False, f"the host {host} is not UP", why, "correct its check, or switch its active checks off"
        )


def examine(
    engine: str, config: str | None, programs: Programs, monitors: Sequence[Monitor]
) -> Iterator[Finding]:
    """Everything that was looked at, in the main file's order of importance.

    Args:
        config: the main file; None tries the usual ones.
        monitors: those of a definition, to look for them; () looks at the engine only.
    """
    candidates = [config] if config else list(MAIN_FILES[engine])
    path = next((Path(each) for each in candidates if Path(each).exists()), Path(candidates[0]))
    try:
        main = read(path)
    except OSError as error:
        yield Finding(
            False, f"{path} cannot be read", error.strerror or "", "give the main file with --config"
        )
        return
    yield _interval_length(main, programs)
    for rule in _rules(engine, monitors):
        value = main.get(rule.name, rule.default)
        given = "" if rule.name in main.values else " (the engine's default)"
        yield Finding(
            rule.good(value), f"{rule.name} is {value or 'empty'}{given}", rule.why, main.change(rule.line)
        )
    yield from _command_file(main, programs)
    yield from _status(main, monitors)
