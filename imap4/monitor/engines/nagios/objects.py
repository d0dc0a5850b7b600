"""A definition -> object configuration for Nagios Core 4 and Naemon.

How the objects make the engine behave (``docs/engines.md`` has the whole story):

- The service is volatile and hard at its first failing test, whether its host is up or not: so every
  failing test is a notification, and runs the event handler.
- Escalations sort the notifications by their numbers (``escalations.py``): those of alerts go to whom the
  alert concerns, the others to a contact that runs ``/bin/true``.
- An event handler (``imap4-monitor pace``) counts, and sets number and delay after every failing test.

Times are seconds, so the main file needs ``interval_length=1``.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Sequence

from imap4.monitor.engines.command_lines import Programs, recorded_arguments, recovery_arguments, slugs
from imap4.monitor.engines.nagios.escalations import BASE, SILENCE, STEP, Band, notified, wrap_at
from imap4.monitor.engines.rendered_files import header
from imap4.monitor.model import Action, Definition, Monitor

Field = tuple[str, str | int]


def escaped(text: str) -> str:
    """``text`` as a directive's value: no comment begins in it, and no line is joined to the next."""
    flat = re.sub(r"[\x00-\x1f\x7f]", " ", text).strip(" ").rstrip("\\")
    return flat.replace(";", "\\;")


def command_line(arguments: Sequence[str]) -> str:
    """The arguments as a ``command_line``, quoted for the shell; no macro is expanded in them."""
    return shlex.join(arguments).replace("$", "$$")


def _define(kind: str, fields: Iterable[Field]) -> str:
    ready = [(name, escaped(str(value))) for name, value in fields]
    lines = "".join(f"    {name:<28}  {value}\n" for name, value in ready if value)
    return f"define {kind} {{\n{lines}}}\n"


# What the event handler is told beside its rules, by option. Naemon leaves some of these empty while all
# is well, so option and value are one word.
_PACED = {
    "state": "SERVICESTATE",
    "number": "SERVICENOTIFICATIONNUMBER",
    "notice": "SERVICENOTIFICATIONID",
    "problem": "SERVICEPROBLEMID",
    "downtime": "SERVICEDOWNTIME",
    "host-downtime": "HOSTDOWNTIME",
    "host-state": "HOSTSTATE",
    "host-state-type": "HOSTSTATETYPE",
    "count": "_SERVICEIMAP4_COUNT",
    "retention": "RETENTIONDATAFILE",
}
# What the repairs are told, by the macros' names. None of these, nor of the above, can have a quote in it
# while illegal_macro_output_chars has (imap4-monitor doctor looks).
_TOLD = (
    *("HOSTNAME", "HOSTADDRESS", "SERVICEDESC", "SERVICESTATE", "SERVICESTATETYPE", "SERVICEATTEMPT"),
    *("NOTIFICATIONTYPE", "SERVICENOTIFICATIONNUMBER", "SERVICEPROBLEMID", "SERVICEDOWNTIME"),
    *("HOSTDOWNTIME", "SERVICEOUTPUT"),
)


_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_PERIOD: list[Field] = [
    ("timeperiod_name", "imap4-always"),
    ("alias", "Always"),
    *((day, "00:00-24:00") for day in _DAYS),
]
_PROGRAM: list[Field] = [
    ("name", "imap4-program"),
    ("register", 0),
    ("service_notification_period", "imap4-always"),
    ("host_notification_period", "imap4-always"),
    ("service_notification_options", "w,u,c"),
    ("host_notification_options", "n"),
    ("host_notification_commands", "imap4-silence"),
]
_SILENCE: list[Field] = [
    ("contact_name", SILENCE),
    ("alias", "Failing tests between two alerts"),
    ("use", "imap4-program"),
    # Recoveries too: since 4.5.7 Nagios goes on trying to send one until somebody has got it.
    ("service_notification_options", "w,u,c,r"),
    ("service_notification_commands", "imap4-silence"),
]
_TEMPLATE: list[Field] = [
    ("name", "imap4-monitor"),
    ("register", 0),
    ("check_period", "imap4-always"),
    ("notification_period", "imap4-always"),
    ("is_volatile", 1),
    ("notification_interval", 0),
    ("first_notification_delay", 0),
    ("notification_options", "w,u,c,r"),
    ("event_handler", "imap4-pace"),
    ("event_handler_enabled", 1),
    ("flap_detection_enabled", 0),
    ("check_freshness", 0),
    ("retain_status_information", 1),
    ("retain_nonstatus_information", 1),
]


def _pace(programs: Programs) -> str:
    """The event handler's command line: the rules from the service's variables, the rest from macros."""
    rules = ("UP", "WARN", "DOWN", "LOST", "FAILURES", "ALERTS", "WRAP", "DURATION")
    line = command_line([programs.monitor, "pace", "--command-file", programs.command_file])
    line += f" --interval-length {programs.interval_length}"
    line += " --host '$HOSTNAME$' --service '$SERVICEDESC$'"
    line += "".join(f" --{name.lower()} $_SERVICEIMAP4_{name}$" for name in rules)
    return line + "".join(f" '--{name}=${macro}$'" for name, macro in _PACED.items())


def _commands(definition: Definition, programs: Programs) -> str:
    """The file with what all monitors share."""
    return "\n".join(
        [
            header("#"),
            _define("command", [("command_name", "imap4-pace"), ("command_line", _pace(programs))]),
            _define("command", [("command_name", "imap4-silence"), ("command_line", "/bin/true")]),
            _define("timeperiod", _PERIOD),
            _define("contact", _PROGRAM),
            _define("contact", _SILENCE),
            _define("service", _TEMPLATE),
        ]
    )


def _repair(monitor: Monitor, action: Action, programs: Programs) -> str:
    """The command line of a repair. The shell computes the alert's number from the notification's."""
    told = " ".join(f"NAGIOS_{name}='${name}$'" for name in _TOLD)
    failures = monitor.rules.failures_per_alert
    number = "$SERVICENOTIFICATIONNUMBER$"
    alert = f"NAGIOS_ALERT=$$(( {number} < {BASE} ? {number} / {failures} : ({number} - {BASE}) / {STEP} ))"
    return f"{told} {alert} exec {command_line(recovery_arguments(monitor, action, programs, 'nagios'))}"


def _units(seconds: float, length: int) -> str:
    """Seconds in the engine's units, a fraction where it has to be; rounded up, since engines round down."""
    return f"{math.ceil(seconds / length * 10_000) / 10_000:g}"


def _service(monitor: Monitor, slug: str, bands: Sequence[Band], length: int) -> str:
    rules, on = monitor.rules, int(monitor.enabled)
    # The handler pulls the next test forward; it cannot push it back. So the engine's own interval has
    # to be the longest that there may be: the delay, and a test that takes all its time.
    settings: list[Field] = [
        ("use", "imap4-monitor"),
        ("host_name", monitor.host),
        ("service_description", monitor.service),
        ("display_name", monitor.name if monitor.name != monitor.service else ""),
        ("check_command", f"imap4-check-{slug}"),
        ("active_checks_enabled", on),
        ("passive_checks_enabled", on),
        ("notifications_enabled", on),
        ("notification_period", monitor.period),
        ("max_check_attempts", 1),
        ("check_interval", _units(rules.delays.up, length)),
        ("retry_interval", _units(rules.delays.warn + monitor.test_duration, length)),
        ("process_perf_data", int(monitor.statistics)),
        ("contacts", ",".join(bands[0].contacts)),
        ("contact_groups", ",".join(bands[0].groups)),
        ("_IMAP4_UP", rules.delays.up),
        ("_IMAP4_WARN", rules.delays.warn),
        ("_IMAP4_DOWN", rules.delays.down),
        ("_IMAP4_LOST", rules.delays.lost),
        ("_IMAP4_FAILURES", rules.failures_per_alert),
        ("_IMAP4_ALERTS", rules.maximum_alerts),
        ("_IMAP4_WRAP", wrap_at(monitor)),
        ("_IMAP4_DURATION", monitor.test_duration),
        # What pace keeps from one failing test to the next; the core retains it.
        ("_IMAP4_COUNT", "-"),
    ]
    return _define("service", settings)


def _escalation(monitor: Monitor, band: Band) -> str:
    return _define(
        "serviceescalation",
        [
            ("host_name", monitor.host),
            ("service_description", monitor.service),
            ("first_notification", band.first),
            ("last_notification", band.last),
            ("notification_interval", 0),
            ("escalation_options", band.options),
            ("contacts", ",".join(band.contacts)),
            ("contact_groups", ",".join(band.groups)),
        ],
    )


def _host(name: str, address: str) -> str:
    """A host that is never tested itself: one that is not UP would silence its services."""
    return _define(
        "host",
        [
            ("host_name", name),
            ("address", address),
            ("active_checks_enabled", 0),
            ("passive_checks_enabled", 0),
            ("initial_state", "o"),
            ("max_check_attempts", 1),
            ("notifications_enabled", 0),
            ("notification_period", "imap4-always"),
            ("check_period", "imap4-always"),
            ("contacts", SILENCE),
        ],
    )


def _monitor(monitor: Monitor, slug: str, programs: Programs) -> list[str]:
    title = re.sub(r"[^\x20-\x7e\u00a0-\uffff]|\\+$", "?", monitor.name)
    test = command_line(recorded_arguments(monitor, programs))
    if monitor.statistics and programs.records:
        test += " --downtime $SERVICEDOWNTIME$ --downtime $HOSTDOWNTIME$"
    check = ("command_line", test)
    objects = [f"# {title}\n" + _define("command", [("command_name", f"imap4-check-{slug}"), check])]
    own = []
    for number, action in enumerate(monitor.recovery.actions, 1):
        name = f"imap4-recovery-{slug}-{number}"
        line = ("command_line", _repair(monitor, action, programs))
        objects.append(_define("command", [("command_name", name), line]))
        contact: list[Field] = [
            ("contact_name", name),
            ("alias", f"{action.name} for {monitor.service}, alerts {action.alerts}"),
            ("use", "imap4-program"),
            # A repair is for a service that is down, not for a test that could not be run.
            ("service_notification_options", "c"),
            ("service_notification_commands", name),
        ]
        objects.append(_define("contact", contact))
        own.append(name)
    bands = notified(monitor, own)
    objects.append(_service(monitor, slug, bands, programs.interval_length))
    objects += [_escalation(monitor, band) for band in bands[1:]]
    return objects


def render(definition: Definition, programs: Programs, *, existing_hosts: bool = False) -> dict[str, str]:
    """The configuration files, by name.

    ``existing_hosts``: the hosts are in the engine's configuration already.
    """
    objects = [header("#", *definition.source.split(", "))]
    if not existing_hosts:
        hosts: dict[str, str] = {}
        for monitor in definition.monitors:
            hosts.setdefault(monitor.host, monitor.address)
        objects += [_host(name, address) for name, address in hosts.items()]
    for monitor, slug in slugs(definition.monitors).items():
        objects += _monitor(monitor, slug, programs)
    return {"imap4-commands.cfg": _commands(definition, programs), "imap4-monitors.cfg": "\n".join(objects)}
