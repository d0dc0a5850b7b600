"""The event handler that gives Nagios and Naemon the right delay after every failing test.

An engine places the next test, from its own interval, before it runs the handler. An unforced
``SCHEDULE_SVC_CHECK`` can only pull that test forward. So the intervals that the engine has are the
longest that there may be (the delay and a test that takes all its time), and the handler pulls the next
test to just the delay after the end of this one. The engine's own interval is the Up delay; it is changed
only where that is too short, since a changed one outlives the engine's restart, and can only be a whole
number of the engine's units (interval_length), which the configured one need not be. A forced check would
override the engine's intervals, but also an administrator who has switched the service's tests off: it is
used only at the first test after an up state and at the recovery, where the engine's interval is still
another state's.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from imap4.deadline import Deadline
from imap4.monitor.engines.nagios.command_file import Command, CommandFileError, send
from imap4.monitor.states import Delays, Rules

# Engines kill a handler after 30 seconds, and nothing is gained by a delay that comes late.
SECONDS = 10.0


@dataclass(frozen=True)
class Told:
    """What the engine's macros say about the test."""

    host: str
    service: str
    ok: bool
    hard: bool
    attempt: int
    notification: int
    """How many notifications of this outage there were, this one included."""

    def failures(self, per_alert: int) -> int:
        """How many tests failed in a row: attempts count to the first alert, notifications from there."""
        if self.ok:
            return 0
        if not self.hard:
            return max(1, self.attempt)
        return max(per_alert, self.notification + per_alert - 1)


def changes_interval(rules: Rules, duration: float) -> bool:
    """Whether some delay and a test of ``duration`` seconds are longer than the engine's interval, Up's."""
    most = rules.failures_per_alert * max(1, rules.maximum_alerts)
    delays = {rules.delay_after(failures) for failures in (rules.failures_per_alert, most, most + 1)}
    return max(delays) + math.ceil(duration) > rules.delays.up


def commands(
    rules: Rules, told: Told, now: float, *, duration: float, wrap: int = 0, length: int = 1
) -> list[Command]:
    """The external commands to send after a test.

    Args:
        now: the end of the test, in seconds since the epoch.
        duration: the longest that a test takes, in seconds.
        wrap: the alert whose number is given again and again, where alerts have no limit; 0 for none.
        length: the engine's interval_length, in seconds.
    """
    name = (told.host, told.service)
    failures = told.failures(rules.failures_per_alert)
    moment = round(now + rules.delay_after(failures))
    if told.ok:
        up = math.ceil(rules.delays.up / length)
        back: list[Command] = [("CHANGE_NORMAL_SVC_CHECK_INTERVAL", *name, up)]
        return [
            *(back if changes_interval(rules, duration) else ()),
            ("SET_SVC_NOTIFICATION_NUMBER", *name, 0),
            ("SCHEDULE_FORCED_SVC_CHECK", *name, moment),
        ]
    found: list[Command] = []
    if failures + 1 >= rules.failures_per_alert and changes_interval(rules, duration):
        # For the next test: when this handler runs for it, the engine has placed the one after it.
        interval = math.ceil((rules.delay_after(failures + 1) + math.ceil(duration)) / length)
        found.append(("CHANGE_NORMAL_SVC_CHECK_INTERVAL", *name, interval))
    forced = failures == 1 == rules.failures_per_alert
    found.append((f"SCHEDULE_{'FORCED_' * forced}SVC_CHECK", *name, moment))
    if wrap and told.hard and told.notification >= wrap * rules.failures_per_alert + 1:
        again = (wrap - 1) * rules.failures_per_alert + 1
        found.append(("SET_SVC_NOTIFICATION_NUMBER", *name, again))
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imap4-monitor pace",
        description="Event handler for Nagios Core and Naemon: sets the delay until the next test.",
    )
    parser.add_argument("--command-file", required=True, metavar="PATH", help="the engine's command file")
    parser.add_argument("--host", required=True, metavar="NAME", help="$HOSTNAME$")
    parser.add_argument("--service", required=True, metavar="NAME", help="$SERVICEDESC$")
    for name in ("up", "warn", "down", "lost"):
        what = f"seconds between tests while {name.capitalize()}"
        parser.add_argument(f"--{name}", required=True, type=int, metavar="SECONDS", help=what)
    parser.add_argument("--failures", required=True, type=int, metavar="N", help="failures per alert")
    parser.add_argument(
        "--alerts", required=True, type=int, metavar="N", help="maximum alerts; 0 is no limit"
    )
    parser.add_argument("--duration", required=True, type=float, metavar="SECONDS", help="longest test")
    # Files that were rendered before there was this option had seconds.
    parser.add_argument(
        "--interval-length", type=int, default=1, metavar="SECONDS", help="the engine's interval_length (1)"
    )
    parser.add_argument(
        "--wrap", type=int, default=0, metavar="N", help="alert that is repeated without a limit"
    )
    states = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
    parser.add_argument("--state", required=True, choices=states, help="$SERVICESTATE$")
    parser.add_argument("--state-type", required=True, choices=("SOFT", "HARD"), help="$SERVICESTATETYPE$")
    parser.add_argument("--attempt", required=True, type=int, metavar="N", help="$SERVICEATTEMPT$")
    parser.add_argument(
        "--notification-number", required=True, type=int, metavar="N", help="$SERVICENOTIFICATIONNUMBER$"
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Tell the engine; 0 done, 1 the engine did not take it, 3 wrong use."""
    now = time.time()
    try:
        given = _parser().parse_args(arguments)
    except SystemExit as error:
        return 3 if error.code else 0
    delays = Delays(given.up, given.warn, given.down, given.lost)
    rules = Rules(delays, max(1, given.failures), max(0, given.alerts))
    told = Told(
        host=given.host,
        service=given.service,
        ok=given.state == "OK",
        hard=given.state_type == "HARD",
        attempt=given.attempt,
        notification=given.notification_number,
    )
    wanted = commands(
        rules, told, now, duration=given.duration, wrap=given.wrap, length=max(1, given.interval_length)
    )
    try:
        send(given.command_file, wanted, Deadline(SECONDS))
    except CommandFileError as error:
        print(f"imap4-monitor pace: {given.host}/{given.service}: {error}", file=sys.stderr)
        return 1
    return 0
