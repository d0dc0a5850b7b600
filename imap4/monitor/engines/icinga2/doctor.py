"""Looks at an Icinga 2's configuration through its own verifier, and says what the monitors lack.

Nothing is changed. Names and types are those of Icinga 2's manual, "Object Types" and "Features".
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from imap4.monitor.engines import facts, installed
from imap4.monitor.engines.command_lines import OPTIONS, Programs
from imap4.monitor.engines.icinga2 import foreign
from imap4.monitor.engines.icinga2.api import PORT
from imap4.monitor.engines.icinga2.verifier import Objects, dump, version_of
from imap4.monitor.findings import Finding
from imap4.monitor.model import Monitor

# What an API user needs for recovery's comments and results, and nothing else.
PERMISSIONS = ("actions/add-comment", "actions/process-check-result")


def _application(objects: Objects) -> Iterator[Finding]:
    for kind, feature, why in (
        ("CheckerComponent", "checker", "nothing is tested"),
        ("NotificationComponent", "notification", "alerts and repairs are notifications"),
    ):
        there = bool(objects.get(kind))
        title = f"the feature {feature} is {'on' if there else 'off'}"
        yield Finding(there, title, why, f"icinga2 feature enable {feature}, and restart")
    for properties in objects.get("IcingaApplication", {}).values():
        for name in ("enable_notifications", "enable_event_handlers", "enable_service_checks"):
            on = bool(properties.get(name, True))
            remedy = f"in app.conf, object IcingaApplication: {name} = true"
            yield Finding(on, f"{name} is {str(on).lower()}", "the monitors need it", remedy)


def _api(objects: Objects, programs: Programs) -> Iterator[Finding]:
    """Recovery's comments go through the API; what it may do there is as little as it can be."""
    there = bool(objects.get("ApiListener"))
    why = "repairs cannot tell their results to the engine"
    title = f"the feature api is {'on' if there else 'off'}"
    yield Finding(there, title, why, "icinga2 api setup, and restart")
    parts = urlsplit(programs.icinga_api)
    for listener in objects.get("ApiListener", {}).values():
        port = int(listener.get("bind_port") or PORT)
        # Whether another host's API is where it is said to be, is not to be seen here.
        yield Finding(
            parts.hostname not in ("localhost", "127.0.0.1", "::1") or (parts.port or PORT) == port,
            f"the API listens at port {port}",
            f"repairs tell what came of them to {programs.icinga_api}, where their unit names no other",
            f"render with --icinga-api https://localhost:{port}, and reload",
        )
    needed = ", ".join(f'"{each}"' for each in PERMISSIONS)
    able = [
        name for name, user in objects.get("ApiUser", {}).items() if _allows(user.get("permissions") or ())
    ]
    title = f"API users that may report: {', '.join(sorted(able)) or 'none'}"
    user = f'object ApiUser "imap4-recovery" {{ password = "...", permissions = [ {needed} ] }}'
    yield Finding(bool(able), title, why, f"in api-users.conf: {user}")


def _allows(permissions: Sequence[Any]) -> bool:
    patterns = [each.get("permission", "") if isinstance(each, dict) else str(each) for each in permissions]
    return all(any(fnmatch(needed, pattern.lower()) for pattern in patterns) for needed in PERMISSIONS)


def _monitors(objects: Objects, programs: Programs, monitors: Sequence[Monitor]) -> Iterator[Finding]:
    services = objects.get("Service", {})
    for monitor in monitors:
        there = f"{monitor.host}!{monitor.service}" in services
        label = f"the service {monitor.service} on the host {monitor.host}"
        yield Finding(there, f"{label} is {'there' if there else 'not there'}", "it is not tested",
                      "render into a folder that icinga2.conf includes, and reload")  # fmt: skip
    yield from foreign.switches(objects)
    yield from foreign.notifications(objects)
    users = set(objects.get("User", {})) | set(objects.get("UserGroup", {}))
    for name in sorted({contact.name for monitor in monitors for contact in monitor.contacts} - users):
        yield Finding(
            False,
            f"there is no user or group {name}",
            "its alerts go nowhere",
            f'object User "{name}" {{ ... }}',
        )
    periods = {monitor.period for monitor in monitors if monitor.period}
    for name in sorted(periods - set(objects.get("TimePeriod", {}))):
        remedy = f'object TimePeriod "{name}" {{ ... }}, or correct the definition\'s period'
        yield Finding(False, f"there is no time period {name}", "Icinga refuses what is rendered", remedy)
    command = programs.notification
    there = command in objects.get("NotificationCommand", {})
    yield Finding(there, f"the notification command {command} is {'there' if there else 'not there'}",
                  "alerts have no way to people", "render with --notification-command NAME")  # fmt: skip


def examine(
    config: str | None,
    programs: Programs,
    monitors: Sequence[Monitor],
    *,
    program: str = "icinga2",
    defines: Sequence[str] = (),
    seconds: float = 60,
) -> Iterator[Finding]:
    """Everything that was looked at.

    Args:
        config: the main file; None is Debian's.
        monitors: those of a definition, to look for them; () looks at the engine only.
        program: Icinga's own.
        defines: constants that its command line has, as ``NAME=VALUE``.
        seconds: how long it may take to read its configuration.
    """
    main = config or "/etc/icinga2/icinga2.conf"
    objects, said = dump(program, main, defines, seconds)
    valid = objects is not None
    yield Finding(
        valid,
        f"{main} is {'valid' if valid else 'not valid'}",
        "" if valid else said,
        f"icinga2 daemon -C -c {main} tells more",
    )
    if objects is None:
        return
    version = ".".join(map(str, version_of(program) or ()))
    yield Finding(
        bool(version), f"Icinga 2 is of version {version or 'unknown'}", "", "run icinga2 --version"
    )
    yield from _application(objects)
    if any(monitor.recovery.actions for monitor in monitors) or not monitors:
        yield from _api(objects, programs)
    yield from foreign.cluster(objects, said)
    yield from _monitors(objects, programs, monitors)
    yield from _programs(objects, programs, monitors)


def _programs(objects: Objects, programs: Programs, monitors: Sequence[Monitor]) -> Iterator[Finding]:
    """The check as it was rendered; a repair's path is inside a function: the one that would be rendered."""
    user = daemon_user()
    yield from installed.examine_user(user)
    rendered = objects.get("CheckCommand", {}).get("imap4-monitor", {}).get("command")
    for name, path in programs.named(monitors, facts.ICINGA2):
        there = rendered[0] if name == "check_imap4" and isinstance(rendered, list) and rendered else path
        yield installed.examine(OPTIONS[name], name, there, user)
    yield from installed.examine_units()


def daemon_user() -> str:
    """Whom the daemon runs as: what its environment files say, else its package; empty where neither does."""
    return os.environ.get("ICINGA2_USER") or _init_user() or _packaged_user()


def _packaged_user() -> str:
    """The packagings have one main file, and differ in the user."""
    for packaging in reversed(list(facts.packagings(facts.ICINGA2))):
        try:
            return pwd.getpwnam(packaging.user).pw_name
        except KeyError:
            continue
    return ""


def _init_user() -> str:
    """ICINGA2_USER as the packages set it for the daemon; empty where they do not."""
    for path in facts.ICINGA2_ENVIRONMENTS:
        try:
            found = re.search(r'^\s*(?:export )?ICINGA2_USER="?([\w.-]+)"?\s*$', Path(path).read_text(), re.M)
        except OSError:
            continue
        if found:
            return found[1]
    return ""
