"""``imap4-monitor new``: a commented example, or ipMonitor's form asked question by question."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from imap4.monitor.definition import checks
from imap4.monitor.definition.reader import DefinitionError, parse

Ask = Callable[[str], str]
Say = Callable[[str], None]

_EXAMPLE = """\
# Monitor definitions. Check with: imap4-monitor validate FILE
# Preview an outage with:          imap4-monitor simulate FILE

# What is the same for all monitors. Every key below may stand here too, except name,
# id, address and host.
[defaults]
# Names that the engine knows; also { name = "boss", alerts = "2-3" } and { group = "mail" }.
contacts = ["@CONTACT@"]
# period = "workhours"       # the engine's time period for alerts and repairs; left out, it is always
test_duration = 10           # seconds that a test may take
failures_per_alert = 3       # failed tests in a row for each alert
maximum_alerts = 3           # then the monitor is Lost, and silent until it recovers; 0 is no limit

[defaults.delays]            # seconds from the end of a test to the next one
up = 300
warn = 60                    # failing, no alert yet; left out, it is the same as down
down = 60
lost = 300

[[monitor]]
name = "Mail"                # 1 to 64 characters, not used twice
# id = "Mail"                # what engines and records call it: set it to the old name to rename a monitor
address = "mail.example.org" # a name, an IP address or the path of a socket
host = "mail"                # the engine's host; left out, it is the address
port = 143
enabled = true
statistics = true            # keep performance data for graphs and reports

[monitor.tls]
mode = "starttls"            # none, tls or starttls

[monitor.recovery]
machine = "mail.example.org" # FQDN, NetBIOS name or IP address
credential = "mail"          # a name from: imap4-recovery credentials list
# port = 2222                # of sshd or WinRM, where it is not the usual one
services = ["dovecot"]       # with all that depend on them
verify = true                # a repair counts only if the test passes afterwards

[[monitor.recovery.action]]
do = "restart-service"
alerts = "1-2"

# Another action, which the credential must be allowed too (--actions restart-service,reboot-server):
# [[monitor.recovery.action]]
# do = "reboot-server"
# alerts = "3"
"""


def example(contact: str) -> str:
    """A commented definition whose alerts go to ``contact``. Its credential is the one that the docs make."""
    return _EXAMPLE.replace("@CONTACT@", contact)


def choices(command: Sequence[str], seconds: float = 30) -> tuple[str, ...]:
    """The names that an ``imap4-recovery`` command lists with ``--json``; () where it cannot tell.

    A list of texts is taken, a list of objects with a ``name``, and either of them or an object whose
    keys are the names as the first such value of an object.
    """
    try:
        ended = subprocess.run(
            [*command, "--json"], stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds
        )
        found = json.loads(ended.stdout) if ended.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return ()
    if isinstance(found, dict):
        found = next((value for value in found.values() if isinstance(value, list | dict)), [])
    names = []
    for each in found if isinstance(found, list | dict) else []:
        name = each.get("name") if isinstance(each, dict) else each
        if isinstance(name, str) and name not in names:
            names.append(name)
    return tuple(names)


def _whole(least: int, most: int) -> checks.Check:
    """An answer that is a whole number in a range."""
    limits = checks.integer(least, most)

    def check(said: str) -> Any:
        try:
            number = int(said)
        except ValueError:
            raise checks.Bad(f"{checks.shown(said)} is not a whole number") from None
        return limits(number)

    return check


class Form:
    """Asks for values one by one; an answer that cannot be used is explained and asked for again."""

    def __init__(self, ask: Ask, say: Say, recovery: str = "imap4-recovery") -> None:
        self._ask = ask
        self._say = say
        self._recovery = recovery

    def value(self, question: str, default: str, check: checks.Check) -> Any:
        """One checked answer; an empty one is ``default``."""
        while True:
            said = self._ask(f"{question} [{default}]: " if default else f"{question}: ").strip() or default
            try:
                return check(said)
            except checks.Bad as error:
                self._say(f"  {error}")

    def number(self, question: str, default: int, least: int, most: int) -> int:
        """A whole number in a range."""
        return int(self.value(question, str(default), _whole(least, most)))

    def port(self, question: str) -> int | None:
        """A port, or None for the usual one."""
        whole = _whole(1, 65535)
        found: int | None = self.value(question, "-", lambda said: None if said == "-" else whole(said))
        return found

    def yes(self, question: str, default: bool) -> bool:
        """Yes or no."""

        def check(said: str) -> bool:
            if said.lower() not in ("y", "yes", "n", "no"):
                raise checks.Bad("answer y or n")
            return said.lower().startswith("y")

        return bool(self.value(question, "y" if default else "n", check))

    def one_of(self, question: str, arguments: Sequence[str], default: str = "") -> str:
        """A name, with what ``imap4-recovery`` lists to choose from by number."""
        names = choices([self._recovery, *arguments])
        for number, name in enumerate(names, 1):
            self._say(f"  {number}. {name}")

        def check(said: str) -> str:
            if said.isdigit() and 1 <= int(said) <= len(names):
                return names[int(said) - 1]
            return said

        return str(self.value(question, default, check))

    def several(self, question: str, arguments: Sequence[str]) -> list[str]:
        """Names separated by commas, chosen as in ``one_of``."""
        names = choices([self._recovery, *arguments])
        for number, name in enumerate(names, 1):
            self._say(f"  {number}. {name}")
        said = str(self.value(question, "", lambda text: text))
        picked = [each.strip() for each in said.split(",") if each.strip()]
        return [
            names[int(each) - 1] if each.isdigit() and 1 <= int(each) <= len(names) else each
            for each in picked
        ]


def _quoted(value: str) -> str:
    """A TOML basic string (toml.io, version 1.0.0, String)."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _recovery(form: Form, address: str) -> list[str]:
    lines = ["", "[monitor.recovery]"]
    machine = form.one_of("FQDN, NetBIOS name or IP address of the machine", ["machines"], address)
    credential = form.one_of("Credential for recovery", ["credentials", "list"])
    lines += [f"machine = {_quoted(machine)}", f"credential = {_quoted(credential)}"]
    listing = ["services", "--machine", machine, "--credential", credential]
    port = form.port("Port of its sshd or WinRM (- for the usual one)")
    if port is not None:
        lines.append(f"port = {port}")
        listing += ["--port", str(port)]
    services = form.several("Services to restart, with all dependent ones, separated by commas", listing)
    if services:
        lines.append(f"services = [{', '.join(map(_quoted, services))}]")
    for action, default in (("restart-service", "1-2" if services else ""), ("reboot-server", "")):
        if action == "restart-service" and not services:
            continue
        alerts = form.value(f"Alerts at which to {action} (such as 1-2; - for none)", default or "-", str)
        if alerts != "-":
            lines += ["", "[[monitor.recovery.action]]", f'do = "{action}"', f"alerts = {_quoted(alerts)}"]
    return lines


def interview(ask: Ask, say: Say, recovery: str = "imap4-recovery", contact: str = "nagiosadmin") -> str:
    """The text of a definition, from answers in the order of ipMonitor's form.

    ``ask`` gets a question and returns the answer; ``say`` shows a line; ``contact`` is proposed.
    """
    form = Form(ask, say, recovery)
    text = checks.text(64)
    lines = ["[[monitor]]", f"name = {_quoted(form.value('Monitor name', '', text))}"]
    lines.append(f"enabled = {str(form.yes('Enabled', True)).lower()}")
    lines.append(f"statistics = {str(form.yes('Store monitor statistics', True)).lower()}")
    address = form.value("IP address or domain name", "", text)
    lines.append(f"address = {_quoted(address)}")
    mode = form.value("Encryption: none, tls or starttls", "none", checks.choice("none", "tls", "starttls"))
    lines.append(f"port = {form.number('TCP port', 993 if mode == 'tls' else 143, 1, 65535)}")
    duration = form.number("Maximum test duration, seconds", 10, 1, 3600)
    delays = {}
    for state in ("up", "warn", "down", "lost"):
        question = f"Delay between tests while {state.capitalize()}, seconds"
        delays[state] = form.number(question, 300, 1, 86_400)
    lines.append(f"test_duration = {duration}")
    lines.append(f"failures_per_alert = {form.number('Accumulated failures per alert', 3, 1, 1000)}")
    lines.append(f"maximum_alerts = {form.number('Maximum alerts to send (0: no limit)', 3, 0, 1000)}")
    contacts = form.value("Contacts, separated by commas", contact, text).split(",")
    lines.append(f"contacts = [{', '.join(_quoted(each.strip()) for each in contacts if each.strip())}]")
    lines += ["", "[monitor.delays]", *(f"{state} = {seconds}" for state, seconds in delays.items())]
    if mode != "none":
        lines += ["", "[monitor.tls]", f'mode = "{mode}"']
    if form.yes("Repair the machine when the test fails", False):
        lines += _recovery(form, address)
    definition = "\n".join(lines) + "\n"
    try:
        parse(definition, "answers")
    except DefinitionError as error:
        say("Some answers need a second look; correct them in the file:")
        for mistake in error.mistakes:
            say(f"  {mistake}")
    return definition
