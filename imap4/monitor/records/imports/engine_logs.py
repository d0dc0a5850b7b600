"""What engines wrote before tests were recorded -> tests and notifications. Pure but for reading the files.

Formats: Nagios' and Naemon's log with its archives (Nagios Core's manual, "Log File": service alerts, current
and initial states, downtimes, notifications, starts and ends), and the lines of PNP4Nagios' spool
(``DATATYPE::SERVICEPERFDATA``), which Icinga 2's PerfdataWriter writes by default too.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from imap4.monitor.records.errors import RecordsError

STATES = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3, "0": 0, "1": 1, "2": 2, "3": 3}

Names = Mapping[tuple[str, str], str]
"""For each host and service, as the engine names them, the monitor's id."""

_KINDS = (
    *("SERVICE ALERT", "CURRENT SERVICE STATE", "INITIAL SERVICE STATE"),
    *("SERVICE DOWNTIME ALERT", "HOST DOWNTIME ALERT", "SERVICE NOTIFICATION"),
)
_ENTRY = re.compile(rf"\[(\d{{9,11}})\] (?:({'|'.join(_KINDS)}): )?(.*)")
_ENDS = re.compile(r"Caught (?:SIG|')|Successfully shutdown|Shutting down|Bailing out")
_STARTS = re.compile(r"(?:Nagios|Naemon) \S+ starting")
_CAUSE = re.compile(r"\[([a-z]+(?:\.[a-z_]+)+)\]")
_PHASES = ("resolve", "connect", "tls", "greeting", "capability", "login", "logout")
_FIGURE = re.compile(r"(?:^|\s)'?([a-z_]+)'?=(-?[0-9.]+)([a-z%]*)")


class LoggedTest(NamedTuple):
    """A test, or an entry of a log that says how a service was from then on."""

    id: str
    moment: int
    """Seconds since the epoch."""
    state: int
    message: str
    downtime: bool
    holds: int | None
    """Seconds for which it says so; None where it was one test, and the rules say for how long it counts."""
    figures: dict[str, float]

    @property
    def cause(self) -> str:
        """As the plugin puts it at the end of its line."""
        found = _CAUSE.findall(self.message)
        return found[-1] if found and self.state >= 2 else ""


class LoggedNotice(NamedTuple):
    """A notification that was sent."""

    id: str
    moment: int
    contact: str
    state: str


@dataclass
class Logged:
    """What was found."""

    tests: list[LoggedTest] = field(default_factory=list)
    notices: list[LoggedNotice] = field(default_factory=list)
    foreign: set[tuple[str, str]] = field(default_factory=set)
    """Services that no definition has."""
    unread: int = 0
    """Lines of performance data that could not be read."""


@dataclass
class _Service:
    """A service on the way through a log."""

    since: int
    state: int
    message: str
    downtime: bool


class _Log:
    """Goes through a log's entries in the order of their times."""

    def __init__(self, names: Names, found: Logged) -> None:
        self.names = names
        self.found = found
        self.services: dict[str, _Service] = {}
        self.planned: dict[str, bool] = {}
        self.hosts: dict[str, bool] = {}
        self.host_of = {identity: host for (host, _), identity in names.items()}
        self.last = 0

    def take(self, moment: int, kind: str | None, rest: str) -> None:
        if kind is None:
            if _ENDS.match(rest):
                self.end(moment)
            elif _STARTS.match(rest):
                self.end(self.last or moment)
        elif kind == "SERVICE NOTIFICATION":
            self._notice(moment, rest.split(";", 5))
        elif kind == "HOST DOWNTIME ALERT":
            host, word = (*rest.split(";", 2), "")[:2]
            self.hosts[host] = word == "STARTED"
            for identity, name in self.host_of.items():
                if name == host:
                    self._flag(identity, moment)
        else:
            self._service(moment, kind, rest.split(";", 5))
        self.last = moment

    def end(self, moment: int) -> None:
        """Nothing is known from here on."""
        for identity, service in self.services.items():
            self._close(identity, service, moment)
        self.services.clear()

    def _service(self, moment: int, kind: str, parts: list[str]) -> None:
        if len(parts) < 3:
            return
        identity = self.names.get((parts[0], parts[1]))
        if identity is None:
            self.found.foreign.add((parts[0], parts[1]))
        elif kind == "SERVICE DOWNTIME ALERT":
            self.planned[identity] = parts[2] == "STARTED"
            self._flag(identity, moment)
        elif parts[2] in STATES:
            message = parts[5] if len(parts) > 5 else ""
            self._change(identity, moment, STATES[parts[2]], message)

    def _flag(self, identity: str, moment: int) -> None:
        """A downtime began or ended."""
        known = self.services.get(identity)
        if known is not None:
            self._change(identity, moment, known.state, known.message)

    def _change(self, identity: str, moment: int, state: int, message: str) -> None:
        known = self.services.get(identity)
        if known is not None:
            self._close(identity, known, moment)
        planned = self.planned.get(identity, False) or self.hosts.get(self.host_of[identity], False)
        self.services[identity] = _Service(moment, state, message if state else "", planned)

    def _close(self, identity: str, service: _Service, moment: int) -> None:
        holds = max(0, moment - service.since)
        if holds:
            test = LoggedTest(
                identity, service.since, service.state, service.message, service.downtime, holds, {}
            )
            self.found.tests.append(test)

    def _notice(self, moment: int, parts: list[str]) -> None:
        if len(parts) < 4:
            return
        contact, host, service, state = parts[:4]
        identity = self.names.get((host, service))
        # Contacts of ours are repairs and the silence between alerts.
        if identity is not None and state in STATES and not contact.startswith("imap4-"):
            self.found.notices.append(LoggedNotice(identity, moment, contact, state))


def read(paths: Iterable[Path], names: Names) -> Logged:
    """Read files of either format, compressed by gzip or not, in any order.

    Raises:
        RecordsError: one of them cannot be read.
    """
    found = Logged()
    entries: list[tuple[int, int, str | None, str]] = []
    number = 0
    for path in paths:
        for line in _lines(path):
            if line.startswith("DATATYPE::"):
                _figures(line, names, found)
            elif entry := _ENTRY.match(line):
                number += 1
                entries.append((int(entry[1]), number, entry[2], entry[3]))
    log = _Log(names, found)
    for moment, _, kind, rest in sorted(entries, key=lambda each: each[:2]):
        log.take(moment, kind, rest)
    log.end(log.last)
    return found


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as probe:
            packed = probe.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            for line in file:
                yield line[:65536].decode("utf-8", "replace").rstrip("\r\n")
    except (OSError, EOFError) as error:
        raise RecordsError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _figures(line: str, names: Names, found: Logged) -> None:
    """A line of performance data."""
    fields = dict(part.split("::", 1) for part in line.split("\t") if "::" in part)
    if fields.get("DATATYPE") != "SERVICEPERFDATA":
        return
    name = (fields.get("HOSTNAME", ""), fields.get("SERVICEDESC", ""))
    identity = names.get(name)
    if identity is None:
        found.foreign.add(name)
        return
    try:
        moment, state = int(fields["TIMET"]), STATES[fields["SERVICESTATE"]]
    except (KeyError, ValueError):
        found.unread += 1
        return
    values = {
        label: float(value)
        for label, value, unit in _FIGURE.findall(fields.get("SERVICEPERFDATA", ""))
        if unit in ("s", "") and value.count(".") <= 1 and value.strip("-.")
    }
    message = fields.get("SERVICEOUTPUT", "") if state else ""
    found.tests.append(LoggedTest(identity, moment, state, message, False, None, values))


def values_of(test: LoggedTest) -> dict[str, object]:
    """A row for the store."""
    figures = test.figures
    row: dict[str, object] = {
        "moment": test.moment, "id": test.id, "state": test.state, "cause": test.cause or None,
        "seconds": figures.get("time"), "days_left": figures.get("certificate"), "downtime": test.downtime,
        "message": test.message[:400] or None, "holds": test.holds,
    }  # fmt: skip
    return row | {name: figures.get(name) for name in _PHASES}
