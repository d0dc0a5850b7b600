"""What the engines run for a monitor: the check's and the repairs' command lines, as lists of arguments."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from imap4.monitor.model import Action, Monitor


@dataclass(frozen=True)
class Programs:
    """Where the programs and files are that the rendered configuration names, and the engine's unit."""

    check: str = "/usr/lib/nagios/plugins/check_imap4"
    monitor: str = "/usr/local/bin/imap4-monitor"
    recovery: str = "/usr/local/bin/imap4-recovery"
    command_file: str = "/var/lib/nagios4/rw/nagios.cmd"
    """Nagios' and Naemon's external command file, where pace writes."""
    records: str = "/var/lib/imap4-monitor/records"
    """The folder that every test of a monitor with statistics is recorded in, on the machine that tests."""
    icinga_api: str = "https://localhost:5665"
    """Icinga 2's API, where repairs tell what came of them."""
    notification: str = "mail-service-notification"
    """Icinga 2's NotificationCommand that carries an alert to a person."""
    interval_length: int = 60
    """Seconds that Nagios and Naemon take for one unit of an interval; their own default."""

    def named(self, monitors: Sequence[Monitor], engine: str) -> Iterator[tuple[str, str]]:
        """The programs that an engine runs for these monitors: name and path; for () all that it may run."""
        yield "check_imap4", self.check
        if engine != "icinga2":
            yield "imap4-monitor", self.monitor
        if not monitors or any(monitor.recovery.actions for monitor in monitors):
            yield "imap4-recovery", self.recovery


OPTIONS = {
    name: f"--{field}-command"
    for name, field in (
        ("check_imap4", "check"),
        ("imap4-monitor", "monitor"),
        ("imap4-recovery", "recovery"),
    )
}
"""The option that says where a program is."""


def check_arguments(monitor: Monitor, programs: Programs) -> list[str]:
    """The plugin and its arguments."""
    tls = monitor.tls
    arguments = [programs.check, "-H", monitor.address]
    if not monitor.address.startswith("/"):
        arguments += ["-p", str(monitor.port)]
    arguments += ["-t", str(monitor.test_duration), "--logout", monitor.logout]
    encrypted = tls.mode != "none"
    if encrypted:
        arguments.append(f"--{tls.mode}")
    if not tls.verify and (encrypted or "--login" in monitor.options):
        arguments.append("--insecure")
    for option, value in (
        ("--ca-file", tls.ca_file),
        ("--server-name", tls.server_name),
        ("--tls-min", tls.minimum),
        ("--client-cert", tls.client_cert),
        ("--client-key", tls.client_key),
    ):
        if encrypted and value is not None:
            arguments += [option, value]
    return [*arguments, *monitor.options]


def recorded_arguments(monitor: Monitor, programs: Programs) -> list[str]:
    """The plugin and its arguments for a test that counts: where statistics are wanted, it is recorded.

    What the engine knows of planned downtimes follows as ``--downtime``, in the engine's own words.
    """
    arguments = check_arguments(monitor, programs)
    if monitor.statistics and programs.records:
        # Only where it must be: a "=" would make Naemon leave the whole command to a shell.
        of = [f"--id={monitor.id}"] if monitor.id.startswith("-") else ["--id", monitor.id]
        arguments += ["--record", programs.records, *of]
    return arguments


def recovery_arguments(monitor: Monitor, action: Action, programs: Programs, event: str) -> list[str]:
    """``imap4-recovery`` and its arguments; ``event`` says whose variables tell it about the alert.

    It detaches: a repair outlasts the 30 or 60 seconds that engines give a notification command.
    """
    recovery = monitor.recovery
    arguments = [programs.recovery, action.name, "--event", event, "--alerts", str(action.alerts)]
    arguments += _report(programs, event)
    arguments += ["--machine", recovery.machine, "--credential", recovery.credential]
    if recovery.port is not None:
        arguments += ["--port", str(recovery.port)]
    for jump in recovery.jump:
        arguments += ["--jump", jump]
    if action.name == "restart-service":
        for service in recovery.services:
            arguments += ["--service", service]
    if action.timeout is not None:
        arguments += ["--timeout", f"{action.timeout}s"]
    if recovery.verify:
        arguments += ["--verify", shlex.join(check_arguments(monitor, programs))]
    arguments.append("--detach")
    return [*arguments, "--", *action.command] if action.command else arguments


NODE_NAME = "@NodeName@"
"""What stands for Icinga's own constant among arguments: the name that its node's certificate has."""


def _report(programs: Programs, event: str) -> list[str]:
    """Where the engine is told, so that it needs no variables for it. No secret: whoever lists the processes
    sees it."""
    if event == "nagios":
        return ["--nagios-command-file", programs.command_file]
    here = re.match(r"https://(localhost|127\.|\[::1\])", programs.icinga_api) is not None
    return ["--icinga-api", programs.icinga_api, *(["--icinga-server-name", NODE_NAME] if here else [])]


def slugs(monitors: Iterable[Monitor]) -> dict[Monitor, str]:
    """A name for each monitor's own objects: letters, digits and dashes; the same in every rendering.

    Where two would be the same, or hardly anything of the name is left, a piece of a hash is added.
    """
    monitors = tuple(monitors)
    plain = {each: re.sub(r"[^a-z0-9]+", "-", each.id.lower()).strip("-") for each in monitors}
    found = {}
    for monitor, slug in plain.items():
        if len(slug) < 2 or list(plain.values()).count(slug) > 1:
            digest = hashlib.sha256(monitor.id.encode()).hexdigest()[:6]
            found[monitor] = f"{slug}-{digest}" if slug else digest
        else:
            found[monitor] = slug
    return found
