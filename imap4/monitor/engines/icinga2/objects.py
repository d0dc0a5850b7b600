"""A definition -> object configuration for Icinga 2.

How the objects make the engine behave (``docs/engines.md`` has the whole story):

- The services are volatile, so the EventCommand ``imap4-pace`` runs at every failing test, and before
  the notifications. Its function counts the failing tests and sets the time of the next one.
- Every failing test is a notification. Each notification's command asks ``imap4_due``: at an alert
  that concerns it, it runs the real command, else ``/bin/true``.

The count is a runtime variable of the service, and what was sent one of each notification
(``modify_attribute``), which Icinga keeps. An alert is done when a notification was really evaluated for
it: one that Icinga holds back is owed, and due again at the next failing test.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources

from imap4.monitor.engines.command_lines import NODE_NAME, Programs, recorded_arguments, recovery_arguments
from imap4.monitor.engines.rendered_files import header
from imap4.monitor.model import Action, AlertRange, Contact, Definition, Monitor

SHARED_HEADER = """\
// What IMAP4 monitors share: commands, templates, and the functions that count failing tests and decide
// about alerts. "imap4-monitor render icinga2" writes the same as imap4-commands.conf; use one of them.

"""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def quoted(text: str) -> str:
    """A string literal of Icinga's language (its manual, "Language Reference", String Literals)."""
    return '"' + "".join(_ESCAPES.get(c, c) for c in text) + '"'


def literal(text: str) -> str:
    """A string literal in which no macro is expanded."""
    return quoted(text.replace("$", "$$"))


def _argument(text: str) -> str:
    """An argument of a repair: a literal, or the constant that Icinga has for its own name."""
    # By identity: a definition's own text that reads the same is a text.
    return "NodeName" if text is NODE_NAME else literal(text)


def listed(literals: Iterable[str], indent: str = "  ") -> str:
    """An array of ready literals, on several lines where it is long."""
    items = list(literals)
    short = f"[ {', '.join(items)} ]" if items else "[ ]"
    if len(short) <= 90:
        return short
    return "[\n" + "".join(f"{indent}  {item},\n" for item in items) + f"{indent}]"


def _alerts(alerts: AlertRange) -> str:
    return f"{{ first = {alerts.first}, last = {alerts.last or 0} }}"


def _ranges(monitor: Monitor) -> str:
    """The ranges of all that the alerts are for: an alert that is in none of them is nobody's, and done."""
    ranges = [each.alerts for each in monitor.contacts] + [each.alerts for each in monitor.recovery.actions]
    return listed(dict.fromkeys(map(_alerts, ranges)), "    ")


def _name(contact: Contact) -> str:
    return f"imap4-{'user_groups' if contact.group else 'users'}-{contact.name}"


def _names(monitor: Monitor) -> str:
    """The short names of a monitor's notifications."""
    names = [_name(each) for each in monitor.contacts]
    names += [f"imap4-recovery-{number}" for number, _ in enumerate(monitor.recovery.actions, 1)]
    return listed(map(quoted, names), "    ")


def _period(monitor: Monitor) -> list[str]:
    return [f"  period = {quoted(monitor.period)}"] if monitor.period else []


def _notification(monitor: Monitor, contact: Contact) -> str:
    members = "user_groups" if contact.group else "users"
    lines = [
        f"object Notification {quoted(_name(contact))} {{",
        '  import "imap4-alert"',
        f"  host_name = {quoted(monitor.host)}",
        f"  service_name = {quoted(monitor.service)}",
        f"  {members} = [ {quoted(contact.name)} ]",
    ]
    lines += _period(monitor)
    if contact.alerts != AlertRange():
        lines.append(f"  vars.imap4_alerts = {_alerts(contact.alerts)}")
    return "\n".join([*lines, "}", ""])


def _repair(monitor: Monitor, number: int, action: Action, programs: Programs) -> str:
    arguments = recovery_arguments(monitor, action, programs, "icinga")[1:]
    return "\n".join(
        [
            f"object Notification {quoted(f'imap4-recovery-{number}')} {{",
            '  import "imap4-recovery"',
            f"  host_name = {quoted(monitor.host)}",
            f"  service_name = {quoted(monitor.service)}",
            *_period(monitor),
            f"  vars.imap4_alerts = {_alerts(action.alerts)}",
            f"  vars.imap4_arguments = {listed(map(_argument, arguments))}",
            "}",
            "",
        ]
    )


def _service(monitor: Monitor, programs: Programs) -> str:
    rules = monitor.rules
    delays = rules.delays
    arguments = [literal(each) for each in recorded_arguments(monitor, programs)[1:]]
    if monitor.statistics and programs.records:
        for depth in ("$service.downtime_depth$", "$host.downtime_depth$"):
            arguments += [quoted("--downtime"), quoted(depth)]
    lines = [
        f"object Service {quoted(monitor.service)} {{",
        '  import "imap4-monitor"',
        f"  host_name = {quoted(monitor.host)}",
    ]
    if monitor.name != monitor.service:
        lines.append(f"  display_name = {quoted(monitor.name)}")
    if not monitor.enabled:
        lines += ["  enable_active_checks = false", "  enable_passive_checks = false"]
        lines += ["  enable_notifications = false"]
    lines += [
        f"  max_check_attempts = {rules.failures_per_alert}",
        f"  check_interval = {delays.up}s",
        f"  retry_interval = {delays.warn}s",
        # The check keeps its own time; this is for one that does not.
        f"  check_timeout = {monitor.test_duration + 5}s",
        f"  enable_perfdata = {str(monitor.statistics).lower()}",
        "  vars.imap4_rules = {",
        *(f"    {state} = {seconds}" for state, seconds in vars(delays).items()),
        f"    failures_per_alert = {rules.failures_per_alert}",
        f"    maximum_alerts = {rules.maximum_alerts}",
        f"    ranges = {_ranges(monitor)}",
        f"    notifications = {_names(monitor)}",
        "  }",
        f"  vars.imap4_arguments = {listed(arguments)}",
        "}",
        "",
    ]
    return "\n".join(lines)


def _host(name: str, address: str) -> str:
    """A host that is always up: one that is not would silence its services."""
    return (
        f"object Host {quoted(name)} {{\n  address = {quoted(address)}\n"
        '  check_command = "dummy"\n  check_interval = 1d\n  enable_notifications = false\n}\n'
    )


def shared_objects(programs: Programs) -> str:
    """What all monitors share: commands, templates and the functions that count and decide."""
    text = resources.files(__package__).joinpath("commands.conf").read_text(encoding="utf-8")
    for name, value in (
        ("@CHECK@", literal(programs.check)),
        ("@RECOVERY@", literal(programs.recovery)),
        ("@NOTIFICATION@", quoted(programs.notification)),
    ):
        text = text.replace(name, value)
    return text


def render(definition: Definition, programs: Programs, *, existing_hosts: bool = False) -> dict[str, str]:
    """The configuration files, by name.

    ``existing_hosts``: the hosts are in the engine's configuration already.
    """
    objects = [header("//", *definition.source.split(", "))]
    if not existing_hosts:
        hosts: dict[str, str] = {}
        for monitor in definition.monitors:
            hosts.setdefault(monitor.host, monitor.address)
        objects += [_host(name, address) for name, address in hosts.items()]
    for monitor in definition.monitors:
        objects.append(_service(monitor, programs))
        objects += [_notification(monitor, contact) for contact in monitor.contacts]
        repairs: Sequence[Action] = monitor.recovery.actions
        objects += [_repair(monitor, number, action, programs) for number, action in enumerate(repairs, 1)]
    return {
        "imap4-commands.conf": header("//") + "\n" + shared_objects(programs),
        "imap4-monitors.conf": "\n".join(objects),
    }
