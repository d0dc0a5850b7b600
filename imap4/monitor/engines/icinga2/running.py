"""Looks at what a running Icinga 2 has, which may be other than what its files say: by its API.

What a person switches at run time, or with a web page, is in no configuration. The names are those of
Icinga 2's manual, "Object Types" (Service) and "API" (Object Queries, Status).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imap4.deadline import Deadline
from imap4.monitor.engines.icinga2.api import IcingaReporter
from imap4.monitor.engines.report import ReportError, ReportRefused, cleaned
from imap4.monitor.findings import Finding
from imap4.monitor.model import Monitor

FILTER = 'service.check_command == "imap4-monitor"'
ATTRIBUTES = (
    *("__name", "volatile", "event_command", "enable_event_handler", "enable_notifications"),
    *("enable_flapping", "enable_active_checks", "next_check", "last_check"),
)
PERMISSION = f'{{ permission = "objects/query/Service", filter = {{{{ {FILTER} }}}} }}'
"""All that the API's user needs for it, and may see with it."""
SLACK = 60
"""Seconds by which a test may be later than it was to be, before something is wrong."""
_GLOBAL = {
    "enable_notifications": "nobody is told, and nothing is repaired",
    "enable_event_handlers": "failing tests are neither counted in time nor paced",
    "enable_service_checks": "nothing is tested",
}


def _switch(name: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a service, what follows from it, and what to do."""
    if not values.get("enable_event_handler", True):
        why = "its tests are not paced, and what Icinga once kept back keeps back all that follows"
        yield "enable_event_handler = false", why, "switch its event handler on"
    if not values.get("enable_notifications", True):
        yield "enable_notifications = false", "nobody is told, and nothing is repaired", "switch them on"
    if values.get("enable_flapping"):
        why = "a service that Icinga takes for flapping sends no alerts"
        yield "enable_flapping = true", why, "switch its flap detection off"
    if not values.get("volatile", True) or values.get("event_command", "imap4-pace") != "imap4-pace":
        why = "its failing tests are not counted"
        yield "another event command, or is not volatile", why, f"take back what was changed in {name}"


def _tests(monitor: Monitor, values: Mapping[str, Any], now: float) -> Iterator[tuple[str, str, str]]:
    """Whether it is tested, and soon enough."""
    delays = monitor.rules.delays
    longest = max(delays.up, delays.warn, delays.down, delays.lost) + monitor.test_duration + SLACK
    ahead = float(values.get("next_check") or 0) - now
    if not values.get("enable_active_checks", True):
        # Results may come from outside, as those of imap4-worker sweep do.
        if now - float(values.get("last_check") or 0) > longest:
            yield "enable_active_checks = false", "it is not tested", "switch its active checks on"
    elif ahead > longest:
        why = "Icinga waits for a time that it has set, though the clock was set back; or somebody put it off"
        yield f"its next test in {ahead:.0f} s, and {longest - SLACK} is the most", why, "have it tested now"


def services(
    found: Sequence[Mapping[str, Any]], monitors: Sequence[Monitor], now: float
) -> Iterator[Finding]:
    """A finding for everything that was switched, by the attributes of the services that the engine has.

    Args:
        monitors: those of a definition; () looks at the switches of all.
        now: the engine's clock, seconds since the epoch.
    """
    known = {f"{monitor.host}!{monitor.service}": monitor for monitor in monitors}
    wrong = False
    for values in sorted(found, key=lambda each: str(each.get("__name"))):
        name = str(values.get("__name"))
        monitor = known.get(name)
        if (monitors and monitor is None) or (monitor and not monitor.enabled):
            continue
        said = [*_switch(name, values), *(_tests(monitor, values, now) if monitor else ())]
        wrong = wrong or bool(said)
        for what, why, remedy in said:
            yield Finding(False, f"the running engine's {cleaned(name)} has {what}", why, remedy)
    if not wrong:
        yield Finding(True, f"the running engine has {len(found)} monitors, and nobody has switched them", "")


def examine(reporter: IcingaReporter, monitors: Sequence[Monitor], now: float) -> Iterator[Finding]:
    """Ask the engine, and say what has to be changed for the monitors."""
    deadline = Deadline(20)
    try:
        found = reporter.services(FILTER, ATTRIBUTES, deadline)
    except ReportRefused as error:
        why = f"what somebody has switched at run time is not known: {error}"
        remedy = f"permissions of the ApiUser {reporter.user}: {PERMISSION}"
        yield Finding(False, "the running engine shows no monitors", why, remedy)
        return
    except ReportError as error:
        yield Finding(
            False, "the running engine was not looked at", str(error), "start it, or correct IMAP4_ICINGA_*"
        )
        return
    yield from services(found, monitors, now)
    try:
        switches = reporter.switches(deadline)
    except ReportError:
        return  # the permission "status/query" is one more, and most have not given it
    for name, why in _GLOBAL.items():
        on = bool(switches.get(name, True))
        title = f"the running engine has {name} = {str(on).lower()}"
        yield Finding(on, title, why, "switch it on again: somebody has switched it off at run time")
