"""The downtime simulator: what a monitor does during an outage, test by test, to the second.

The time between two tests is the test's duration plus the delay of the state, as in ipMonitor's manual,
page "How the Downtime Simulator works". Times are whole seconds, or fractions where those are given.
Situations that keep an engine from telling, testing or pacing may be added; ``docs/engines.md`` says where an
engine does other than this.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, replace
from typing import Any

from imap4.monitor.model import Monitor
from imap4.monitor.states import Position, Situation, State, advance


@dataclass(frozen=True)
class During:
    """A situation, by seconds from the beginning of the outage; an ``end`` of None: it does not end."""

    situation: Situation
    start: float = 0
    end: float | None = None

    def covers(self, moment: float) -> bool:
        """Whether it is so at ``moment``."""
        return self.start <= moment and (self.end is None or moment < self.end)


@dataclass(frozen=True)
class Outage:
    """A server that is down for a while, and how long each test takes; all in seconds."""

    start: float = 0
    """From the beginning of the first test to the beginning of the outage."""
    length: float | None = None
    """None: it does not end."""
    test_duration: float = 0
    during: tuple[During, ...] = ()
    """What else is going on."""

    def situations(self, moment: float) -> tuple[During, ...]:
        """What is going on when a test begins at ``moment``."""
        return tuple(each for each in self.during if each.covers(moment - self.start))

    def covers(self, moment: float) -> bool:
        """Whether a test that begins at ``moment`` fails."""
        return moment >= self.start and (self.length is None or moment < self.start + self.length)


@dataclass(frozen=True)
class Row:
    """One test of the outage, and what it caused."""

    begins: float
    """Seconds from the beginning of the outage to the beginning of the test."""
    elapsed: float
    """Seconds from the end of the first failed test to the end of this one; the table's clock."""
    position: Position
    done: tuple[str, ...] = ()
    """What is sent and what is run."""
    situations: tuple[Situation, ...] = ()
    """What was going on."""


def _name(monitor: Monitor, number: int) -> str:
    """The sentence for one action of the monitor's recovery."""
    recovery = monitor.recovery
    action = recovery.actions[number]
    # In words: a colon would be one more in an IPv6 address.
    where = recovery.machine + (f" port {recovery.port}" if recovery.port is not None else "")
    if action.name == "restart-service":
        return f"restart-service {' '.join(recovery.services)} on {where}"
    if action.name == "external-process":
        return f"external-process {action.command[0]} on {where}"
    return f"{action.name} {where}"


def at_alert(monitor: Monitor, alert: int) -> tuple[str, ...]:
    """What alert number ``alert`` sends and runs."""
    told = [contact.name for contact in monitor.contacts if alert in contact.alerts]
    done = [f"notify {', '.join(told)}"] if told else []
    actions = monitor.recovery.actions
    done += [_name(monitor, number) for number, action in enumerate(actions) if alert in action.alerts]
    return tuple(done)


def at_recovery(monitor: Monitor, failures: int, alerts: int, elapsed: float) -> tuple[str, ...]:
    """Who gets the recovery notification, and what it says: those who had one of ``alerts`` before."""
    told = [contact.name for contact in monitor.contacts if contact.alerts.first <= alerts]
    count = f"{alerts} alert{'s' * (alerts != 1)}"
    said = f"{monitor.name} is up again after {clock(elapsed)}: {failures} failed tests, {count}"
    return (f"notify {', '.join(told)}: {said}" if told else said,)


def _next(outage: Outage, moment: float, delay: float) -> float | None:
    """When the test after one at ``moment`` begins; None: never, for nothing is tested any more."""
    moment += outage.test_duration + delay
    while stopped := [each for each in outage.situations(moment) if each.situation.stops_tests]:
        ends = [each.end for each in stopped if each.end is not None]
        if len(ends) < len(stopped):
            return None
        moment = outage.start + max(ends)
    return moment


def _first(monitor: Monitor, outage: Outage) -> float | None:
    """When the first test begins that fails; None where no test does."""
    moment: float | None = 0.0
    while moment is not None and not outage.covers(moment):
        if outage.length is not None and moment >= outage.start + outage.length:
            return None
        moment = _next(outage, moment, monitor.rules.delays.up)
    return moment


def _goes_on(monitor: Monitor, outage: Outage, row: Row) -> bool:
    """Whether something is still to come after a test."""
    position, moment = row.position, row.begins + outage.start
    silent = [each for each in outage.situations(moment) if each.situation.silences]
    if position.owed and any(each.end is None for each in silent):
        return False
    if position.state is State.UP or outage.length is not None:
        return position.state is not State.UP or position.owed
    ranges = [each.alerts for each in monitor.contacts]
    ranges += [each.alerts for each in monitor.recovery.actions]
    enough = 1 + max([alerts.last or alerts.first for alerts in ranges], default=1)
    over = monitor.rules.maximum_alerts == 0 and (position.alert or 0) >= enough
    return not (position.state is State.LOST or over)


def simulate(monitor: Monitor, outage: Outage, most: int = 10_000) -> tuple[Row, ...]:
    """The tests from the first that fails to the one that passes again and can tell it.

    Without an end of the outage: to the first test that is Lost or, where the alerts have no limit, to
    the alert after the last one at which something changes. Never more than ``most`` rows.
    """
    rules = monitor.rules
    first = moment = _first(monitor, outage)
    position, last = Position(), Position()
    rows: list[Row] = []
    over = 0.0
    while first is not None and moment is not None and len(rows) < most:
        now = outage.situations(moment)
        tellable = not any(each.situation.silences for each in now)
        before, position = position, advance(rules, position, not outage.covers(moment), tellable)
        elapsed = moment - first
        if before.failures and not position.failures:
            # Nobody acknowledges anything once it is over.
            during = tuple(each for each in outage.during if each.situation is not Situation.ACKNOWLEDGED)
            if outage.during != during:
                outage = replace(outage, during=during)
                now = outage.situations(moment)
                tellable = not any(each.situation.silences for each in now)
                position = advance(rules, before, True, tellable)
            last, over = before, elapsed
        done: tuple[str, ...] = ()
        if position.alert:
            done = at_alert(monitor, position.alert)
        elif position.recovery:
            done = at_recovery(monitor, last.failures, last.alerts, over)
        situations = tuple(each.situation for each in now)
        rows.append(Row(moment - outage.start, elapsed, position, done, situations))
        if not _goes_on(monitor, outage, rows[-1]):
            break
        unpaced = Situation.HANDLERS_OFF in situations
        moment = _next(outage, moment, rules.delays.up if unpaced else position.delay)
    return tuple(rows)


def clock(seconds: float) -> str:
    """Minutes and seconds, as in the vendor's table: ``7:30``; hours where there are any."""
    whole, rest = divmod(seconds, 1)
    minutes, last = divmod(int(whole), 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f"{rest:.1f}"[1:] if rest >= 0.05 else ""
    return f"{hours}:{minutes:02}:{last:02}{fraction}" if hours else f"{minutes}:{last:02}{fraction}"


def _action(row: Row) -> str:
    position = row.position
    why = ", ".join(each.value for each in row.situations)
    if position.alert:
        said = "; ".join((f"alert {position.alert}", *row.done))
    elif position.owed:
        said = (
            "the recovery is owed" if position.state is State.UP else f"alert {position.alerts + 1} is owed"
        )
    elif position.state is State.UP:
        said = "; ".join(("recovery", *row.done)) if position.recovery else "no notification, none was sent"
    else:
        said = "-"
    return f"{said} ({why})" if why else said


def as_text(rows: tuple[Row, ...]) -> str:
    """The table for a person."""
    cells = [("failure", "state", "elapsed", "action")]
    for row in rows:
        failure = str(row.position.failures or "-")
        cells.append((failure, row.position.state.value, clock(row.elapsed), _action(row)))
    widths = [max(len(each[column]) for each in cells) for column in range(3)]
    return "\n".join(
        f"{failure:>{widths[0]}}  {state:<{widths[1]}}  {elapsed:>{widths[2]}}  {action}"
        for failure, state, elapsed, action in cells
    )


def _record(row: Row) -> dict[str, Any]:
    return {
        "failure": row.position.failures,
        "state": row.position.state.value,
        "alert": row.position.alert,
        "recovery": row.position.recovery,
        "owed": row.position.owed,
        "elapsed": row.elapsed,
        "begins": row.begins,
        "next_delay": row.position.delay,
        "done": list(row.done),
        "during": [each.value for each in row.situations],
    }


def as_json(rows: tuple[Row, ...], monitor: Monitor) -> str:
    """One object with the monitor's name and its tests; times in seconds."""
    return json.dumps(
        {"monitor": monitor.name, "tests": [_record(row) for row in rows]}, indent=2, ensure_ascii=False
    )


def as_csv(rows: tuple[Row, ...]) -> str:
    """One line a test, with a header (RFC 4180); times in seconds, what is done separated by ``; ``."""
    target = io.StringIO()
    names = (
        "failure",
        "state",
        "alert",
        "recovery",
        "owed",
        "elapsed",
        "begins",
        "next_delay",
        "done",
        "during",
    )
    writer = csv.DictWriter(target, names)
    writer.writeheader()
    for row in rows:
        record = _record(row)
        record["done"] = "; ".join(row.done)
        record["alert"] = row.position.alert or ""
        record["recovery"] = int(row.position.recovery)
        record["owed"] = int(row.position.owed)
        record["during"] = "; ".join(each.value for each in row.situations)
        writer.writerow(record)
    return target.getvalue().rstrip("\r\n")
