"""What happens to an engine from outside, and whether it has it yet."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from imap4.monitor.engines.nagios.command_file import Command
from tests.engines import nagios_core


def commands(what: str, host: str, service: str) -> list[Command]:
    """The external commands that make it so."""
    now = int(time.time())
    parent = host.replace("host", "parent")
    name = (host, service)
    made: dict[str, list[Command]] = {
        "downtime": [("SCHEDULE_SVC_DOWNTIME", *name, now, now + 3600, 1, 0, 3600, "tests", "planned")],
        "downtime ends": [("DEL_DOWNTIME_BY_HOST_NAME", *name)],
        "acknowledge": [("ACKNOWLEDGE_SVC_PROBLEM", *name, 2, 1, 0, "tests", "seen")],
        "acknowledgement goes": [("REMOVE_SVC_ACKNOWLEDGEMENT", *name)],
        "host down": [("PROCESS_HOST_CHECK_RESULT", host, 1, "down")],
        "host up": [("PROCESS_HOST_CHECK_RESULT", host, 0, "up")],
        "parent down": [("PROCESS_HOST_CHECK_RESULT", parent, 1, "down")],
        "parent up": [("PROCESS_HOST_CHECK_RESULT", parent, 0, "up")],
        "notifications off": [("DISABLE_SVC_NOTIFICATIONS", *name)],
        "notifications on": [("ENABLE_SVC_NOTIFICATIONS", *name)],
        "outside the period": [("CHANGE_SVC_NOTIFICATION_TIMEPERIOD", *name, "never")],
        "inside the period": [("CHANGE_SVC_NOTIFICATION_TIMEPERIOD", *name, "imap4-always")],
        "handlers off": [("DISABLE_SVC_EVENT_HANDLER", *name)],
        "handlers on": [("ENABLE_SVC_EVENT_HANDLER", *name)],
        "checks off": [("DISABLE_SVC_CHECK", *name)],
        "checks on": [("ENABLE_SVC_CHECK", *name)],
    }
    return made[what]


def is_so(what: str, seen: dict[str, Any]) -> bool:
    """Whether the engine has it, by what ``of_nagios`` or ``IcingaEyes`` saw."""
    wanted: dict[str, tuple[str, bool]] = {
        "downtime": ("downtime", True),
        "downtime ends": ("downtime", False),
        "acknowledge": ("acknowledged", True),
        "acknowledgement goes": ("acknowledged", False),
        "host down": ("host down", True),
        "host up": ("host down", False),
        "parent down": ("parent down", True),
        "parent up": ("parent down", False),
        "notifications off": ("notifications", False),
        "notifications on": ("notifications", True),
        "outside the period": ("outside", True),
        "inside the period": ("outside", False),
        "handlers off": ("handlers", False),
        "handlers on": ("handlers", True),
        "checks off": ("checks", False),
        "checks on": ("checks", True),
    }
    name, value = wanted[what]
    return bool(seen[name]) == value


Blocks = dict[tuple[str, str, str], dict[str, str]]


def status_of(engine: nagios_core.Nagios) -> Blocks:
    """The status file, at most a second old: values by kind, host and service."""
    try:
        text = (engine.folder / "status.dat").read_text(errors="replace")
    except FileNotFoundError:
        text = ""
    blocks = {}
    for kind, body in re.findall(r"^(\w+) \{\n(.*?)^\t\}", text, re.DOTALL | re.MULTILINE):
        values = dict(line.strip().split("=", 1) for line in body.splitlines() if "=" in line)
        blocks[kind, values.get("host_name", ""), values.get("service_description", "")] = values
    return blocks


def of_nagios(blocks: Blocks, host: str, service: str) -> dict[str, Any]:
    """What the status file says of a service."""
    its = blocks.get(("servicestatus", host, service), {})
    down = {
        name: blocks.get(("hoststatus", name, ""), {}).get("current_state") != "0"
        for name in (host, host.replace("host", "parent"))
    }
    return {
        "downtime": its.get("scheduled_downtime_depth") != "0",
        "acknowledged": its.get("problem_has_been_acknowledged") != "0",
        "notifications": its.get("notifications_enabled") != "0",
        "handlers": its.get("event_handler_enabled") != "0",
        "checks": its.get("active_checks_enabled") != "0",
        "outside": its.get("notification_period") == "never",
        # "0;" before the value of a variable that was never changed, "1;" else.
        "settled": its.get("_IMAP4_COUNT", "")[2:] in ("-", "left"),
        "count": its.get("_IMAP4_COUNT", "")[2:],
        "host down": down[host],
        "parent down": down[host.replace("host", "parent")],
    }


NAGIOS_NEVER = """\
define timeperiod {
    timeperiod_name never
    alias never
}
"""
ICINGA_PERIODS = """\
object TimePeriod "never" { }
object TimePeriod "imap4-always" {
  ranges = {
    monday = "00:00-24:00"
    tuesday = "00:00-24:00"
    wednesday = "00:00-24:00"
    thursday = "00:00-24:00"
    friday = "00:00-24:00"
    saturday = "00:00-24:00"
    sunday = "00:00-24:00"
  }
}
"""
NAGIOS_HOST = """\
define host {{
    host_name {name}
    address 127.0.0.1
    active_checks_enabled 0
    passive_checks_enabled 1
    max_check_attempts 1
    notifications_enabled 0
    notification_period imap4-always
    check_period imap4-always
    contacts imap4-silence
}}
"""
NAGIOS_DEPENDENCY = """\
define hostdependency {{
    host_name {parent}
    dependent_host_name {host}
    execution_failure_criteria n
    notification_failure_criteria d,u
}}
"""
ICINGA_HOST = """\
object Host "{name}" {{
  address = "127.0.0.1"
  check_command = "dummy"
  enable_active_checks = false
  max_check_attempts = 1
  enable_notifications = false
}}
"""
ICINGA_DEPENDENCY = """\
object Dependency "parent" {{
  parent_host_name = "{parent}"
  child_host_name = "{host}"
  child_service_name = "{service}"
  disable_notifications = true
  states = [ Up ]
}}
"""


def write_hosts(folder: Path, services: dict[str, str], is_nagios: bool) -> None:
    """Hosts of the site's own, each with a parent and a service; their states are told from outside."""
    host, dependency = (NAGIOS_HOST, NAGIOS_DEPENDENCY) if is_nagios else (ICINGA_HOST, ICINGA_DEPENDENCY)
    text = NAGIOS_NEVER if is_nagios else ICINGA_PERIODS
    for name, service in services.items():
        parent = name.replace("host", "parent")
        text += host.format(name=name) + host.format(name=parent)
        text += dependency.format(parent=parent, host=name, service=service)
    (folder / "objects" / ("hosts.cfg" if is_nagios else "hosts.conf")).write_text(text)
