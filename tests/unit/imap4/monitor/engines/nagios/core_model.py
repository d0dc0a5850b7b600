"""How Nagios' cores number, match and withhold a volatile service's notifications, as their sources do it.

Nagios 4.4.6 and Naemon count a recovery as one more notification, and forget it where they may not send it.
Since 4.5.7 Nagios does not count it, and sends it at the first test that passes and at which it may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from imap4.monitor.engines.nagios.command_file import Command
from imap4.monitor.engines.nagios.escalations import SILENCE, Band, notified, wrap_at
from imap4.monitor.engines.nagios.pace import VARIABLE, Count, Told, commands
from imap4.monitor.model import Monitor


def matching(bands: Sequence[Band], number: int, letter: str) -> set[str]:
    """Whom a notification with this number reaches (``is_valid_escalation_for_service_notification``)."""
    found = {
        name
        for band in bands[1:]
        if band.first <= number and (band.last == 0 or number <= band.last) and letter in band.options
        for name in band.contacts
    }
    return found or set(bands[0].contacts)


@dataclass
class Core:
    """One service of a core, with the rendered escalations and the real handler."""

    monitor: Monitor
    newer: bool
    """Whether it is Nagios 4.5.7 or newer."""
    deaf: frozenset[str] = frozenset()
    """Contacts that cannot be told now."""
    handled: bool = True
    """Whether event handlers are on."""
    sent: list[tuple[int, str, str]] = field(default_factory=list)
    """Test, who, kind; silence left out."""
    number: int = 0
    notice: int = 0
    problem: int = 0
    notified: bool = False
    count: str = "-"
    up: bool = True
    tests: int = -1

    def changed(self, monitor: Monitor) -> None:
        """The core starts again with another definition; it has retained the rest."""
        self.monitor = monitor
        self.__post_init__()

    def __post_init__(self) -> None:
        actions = [f"repair {number}" for number, _ in enumerate(self.monitor.recovery.actions)]
        self.bands = notified(self.monitor, actions)

    def test(self, passed: bool, silence: str = "") -> None:
        """One test; ``silence`` is ``downtime``, ``host`` or ``dependency``, or nothing."""
        self.tests += 1
        changed = passed != self.up
        if passed:
            self._passed(changed, silence)
        else:
            if changed:
                self.problem += 1
            if not silence:
                self.number += 1
                self._send("PROBLEM", matching(self.bands, self.number, "c"))
        self.up = passed
        if self.handled and (changed or not passed):
            self._handle(passed, silence)

    def acknowledge(self) -> set[str]:
        """Whom an acknowledgement reaches."""
        return matching(self.bands, self.number, "c") - {SILENCE}

    def _passed(self, changed: bool, silence: str) -> None:
        if self.notified and (changed or self.newer) and not silence:
            number = self.number - 1 if self.newer else self.number
            reached = matching(self.bands, number, "r")
            self._send("RECOVERY", reached)
            if reached - self.deaf:
                self.number, self.notified = 0, False
        if not self.newer:
            self.number, self.notified = 0, False

    def _send(self, kind: str, reached: set[str]) -> None:
        self.notice += 1
        if kind == "PROBLEM":
            self.notified = True
        if kind != "PROBLEM":
            reached = {name for name in reached if not name.startswith("repair")}
        self.sent += [(self.tests, name, kind) for name in sorted(reached - {SILENCE} - self.deaf)]

    def _handle(self, passed: bool, silence: str) -> None:
        problem = str(self.problem) if not passed or not self.newer else "0"
        told = Told(
            "h", "Mail", passed, self.number, str(self.notice), problem,
            silence == "host", silence == "downtime",
        )  # fmt: skip
        wrap = wrap_at(self.monitor)
        before = Count.read(self.count)
        for command in commands(self.monitor.rules, told, before, 0.0, duration=10, wrap=wrap):
            self._obey(command)

    def _obey(self, command: Command) -> None:
        name, _, _, *arguments = command
        if name == "SET_SVC_NOTIFICATION_NUMBER":
            self.number = int(arguments[0])
        elif name == "CHANGE_CUSTOM_SVC_VAR":
            assert arguments[0] == VARIABLE
            self.count = str(arguments[1])
        elif name == "SEND_CUSTOM_SVC_NOTIFICATION":
            self._send("RECOVERY", matching(self.bands, self.number - 1, "r"))
