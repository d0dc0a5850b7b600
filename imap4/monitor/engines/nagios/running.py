"""Looks at what a running Nagios or Naemon has, which may be other than what its files say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from imap4.monitor.engines.nagios.main_file import MainFile
from imap4.monitor.findings import Finding
from imap4.monitor.model import Monitor

Block = dict[str, str]


def _blocks(text: str) -> list[tuple[str, Block]]:
    """The blocks of a status file: kind and values."""
    return [
        (kind, dict(line.strip().split("=", 1) for line in body.splitlines() if "=" in line))
        for kind, body in re.findall(r"^(\w+) \{\n(.*?)^\t\}", text, re.DOTALL | re.MULTILINE)
    ]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1


def _program(main: MainFile, values: Block) -> Iterator[Finding]:
    for name in ("enable_notifications", "enable_event_handlers", "active_service_checks_enabled"):
        title = f"the running engine has {name}={values.get(name)}"
        why = "somebody switched it off at run time, and the engine keeps that over restarts"
        yield Finding(values.get(name) == "1", title, why, "switch it on again")
    read_since = main.path.stat().st_mtime <= _number(values.get("program_start", "0")) + 1
    title = f"the running engine has {'' if read_since else 'not '}read the main file as it is now"
    yield Finding(read_since, title, "", "restart the engine")


def _version(values: Block) -> Finding:
    version = values.get("version", "")
    found = re.match(r"(\d+)\.", version)
    old = found is not None and int(found[1]) < 4 and not version.startswith(("0.", "1.", "2."))
    title = f"the engine that wrote the status is {version or 'of an unknown version'}"
    return Finding(not old, title, "Nagios 3 lacks what the monitors need", "use Nagios 4 or Naemon")


def _label(monitor: Monitor) -> str:
    return f"the service {monitor.service} on the host {monitor.host}"


def _interval(main: MainFile, monitor: Monitor, values: Block) -> Finding | None:
    """A changed interval of an outage that the engine has kept; None where there is nothing to say."""
    length, up = main.interval_length or 60, monitor.rules.delays.up
    seconds = _number(values.get("check_interval", "")) * length
    # The handler's command takes whole units.
    meant = (up, -(-up // length) * length)
    if values.get("current_state") != "0" or seconds < 0 or any(abs(seconds - each) < 1 for each in meant):
        return None
    return Finding(
        False,
        f"{_label(monitor)} is tested every {seconds:g} s while Up, not {up}",
        "an outage before the definition was changed set it, or event handlers were off when one ended",
        main.change("retained_service_attribute_mask=1024") + ", and restart the engine",
    )


_SWITCHES = (
    (
        "event_handler_enabled",
        "1",
        "its failing tests are neither counted nor paced",
        "enable its event handler",
    ),
    ("notifications_enabled", "1", "nobody is told, and nothing is repaired", "enable its notifications"),
    (
        "flap_detection_enabled",
        "0",
        "an engine that takes it for flapping sends no alerts",
        "disable its flap detection",
    ),
)


def _switches(monitor: Monitor, values: Block) -> Iterator[Finding]:
    """What somebody has switched for one service at run time; the engine keeps it over restarts."""
    for name, good, why, remedy in _SWITCHES:
        if monitor.enabled and values.get(name, good) != good:
            yield Finding(False, f"{_label(monitor)} has {name}={values[name]}", why, remedy)


def examine(main: MainFile, monitors: Sequence[Monitor]) -> Iterator[Finding]:
    """What the status file says of the engine, and of the monitors' services and hosts."""
    path = Path(main.place("status_file"))
    try:
        blocks = _blocks(path.read_text(errors="replace"))
    except OSError as error:
        why = f"{error.strerror}: the running engine was not looked at"
        yield Finding(False, f"{path} cannot be read", why, "start the engine; run this as its user")
        return
    for kind, values in blocks:
        if kind == "info":
            yield _version(values)
        if kind == "programstatus":
            yield from _program(main, values)
    services = {
        (values.get("host_name"), values.get("service_description")): values
        for kind, values in blocks
        if kind == "servicestatus"
    }
    for monitor in monitors:
        found = services.get((monitor.host, monitor.service))
        title = f"{_label(monitor)} is {'not ' if found is None else ''}there"
        remedy = "render into a folder that cfg_dir names, and restart the engine"
        yield Finding(found is not None, title, "it is not tested", remedy)
        changed = _interval(main, monitor, found) if found is not None else None
        if changed:
            yield changed
        if found is not None:
            yield from _switches(monitor, found)
    hosts = [values for kind, values in blocks if kind == "hoststatus"]
    down = {values.get("host_name") for values in hosts if values.get("current_state") != "0"}
    for host in sorted({monitor.host for monitor in monitors} & down):
        why = "the engine sends no service notifications for it"
        yield Finding(
            False, f"the host {host} is not UP", why, "correct its check, or switch its active checks off"
        )
