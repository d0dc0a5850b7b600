"""Situations of real life in the middle of outages, each a service of its own with a host of its own.

A check of these runs no plugin: it takes the next of its results. Where something is to happen at a test, the
check waits in the middle until the engine is known to have it: so what a test falls into is certain, however
busy the machine is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from imap4.monitor.model import Action, AlertRange, Contact, Monitor, Recovery
from imap4.monitor.states import Delays, Position, Rules, advance
from tests.engines.recorder import Recorder

# Up is far above the others: Icinga holds back what it once held back while a test is near by the Up delay.
DELAYS = Delays(up=80, warn=3, down=4, lost=5)
# Time for an engine to be disturbed between two tests.
SLOW = Delays(up=80, warn=20, down=20, lost=20)
DISTURBED = {
    "restart": "the engine restarts",
    "reload": "the engine reloads",
    "kill": "the engine is killed (-9) and started",
    "change": "another N and M, and a reload",
    "clock": "the clock is set back by 300 s",
}
"""What happens to a whole engine after a test; a situation with it is in an engine of its own."""
GROUP = ("admin", "deputy")
"""The members of the group admins."""
FORGETS, KEEPS = "nagios 4.4", "nagios 4.5"
"""Cores that forget a recovery that they may not send, and those that send it later."""
SILENCERS = {
    "downtime": "downtime ends",
    "acknowledge": "acknowledgement goes",
    "host down": "host up",
    "parent down": "parent up",
    "notifications off": "notifications on",
    "outside the period": "inside the period",
}
"""What keeps an engine from sending, and what ends it."""


@dataclass(frozen=True)
class Situation:
    """An outage: ``+`` is a test that passes, ``-`` one that fails; and what happens at which test."""

    name: str
    failures_per_alert: int
    maximum_alerts: int
    results: str
    happens: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """By the number of the test, from 0: at its end it is so."""
    differs: Mapping[str, str] = field(default_factory=dict)
    """By engine, why what it does is not what the states say; it is not compared then."""
    changed: tuple[int, int] | None = None
    """N and M after the change."""

    @property
    def engine(self) -> str:
        """What happens to its whole engine, or nothing."""
        return next((what for each in self.happens.values() for what in each if what in DISTURBED), "")

    @property
    def rules(self) -> Rules:
        """Its delays and alerts, at first."""
        return Rules(SLOW if self.engine else DELAYS, self.failures_per_alert, self.maximum_alerts)

    def rules_at(self, number: int) -> Rules:
        """Its delays and alerts at a test."""
        if not (self.changed and any("change" in self.happens.get(each, ()) for each in range(number))):
            return self.rules
        return replace(self.rules, failures_per_alert=self.changed[0], maximum_alerts=self.changed[1])

    def tellable(self) -> list[bool]:
        """For every test, whether an engine may send anything then."""
        active: set[str] = set()
        found = []
        ends = {end: begin for begin, end in SILENCERS.items()}
        for number in range(len(self.results)):
            for what in self.happens.get(number, ()):
                if what in SILENCERS:
                    active.add(what)
                elif what in ends:
                    active.discard(ends[what])
            if self.results[number] == "+":
                # Every engine forgets an acknowledgement at the test that passes.
                active.discard("acknowledge")
            found.append(not active)
        return found

    def waits_long(self, number: int) -> bool:
        """Whether an engine waits the Up delay before this test: one has passed, or handlers are off."""
        return number == 0 or self.results[number - 1] == "+" or self.unhandled(number - 1)

    def unhandled(self, number: int) -> bool:
        """Whether event handlers are off at a test."""
        off = False
        for each in range(number + 1):
            words = self.happens.get(each, ())
            off = "handlers off" in words or (off and "handlers on" not in words)
        return off

    def positions(self) -> list[Position]:
        """What the states say after each test."""
        found: list[Position] = []
        before = Position()
        for number, (result, tellable) in enumerate(zip(self.results, self.tellable(), strict=True)):
            before = advance(self.rules_at(number), before, result == "+", tellable)
            found.append(before)
        return found

    def expected(self, early: bool) -> list[Event]:
        """Who is told what, each with the number of the test that causes it.

        Args:
            early: whether a recovery that an engine would hold back is told at once, and not when it can be.
        """
        found: list[Event] = []
        told: dict[str, None] = {}
        late = False
        for number, (each, tellable) in enumerate(zip(self.positions(), self.tellable(), strict=True)):
            if each.alert:
                people = [*GROUP, "boss"] if each.alert >= 2 else list(GROUP)
                found += [Event(name, "PROBLEM", 0, number) for name in people]
                told |= dict.fromkeys(people)
                if each.alert <= 2:
                    found.append(Event("repair", "PROBLEM", each.alert, number))
            if self.results[number] == "+":
                if tellable or early:
                    # Where it could not be told at once, an engine has its own time for it.
                    found += [Event(name, "RECOVERY", 0, number, late) for name in told]
                    told = {}
                late = bool(told)
            if "acknowledge" in self.happens.get(number, ()):
                # It is the problem of the test before that is acknowledged.
                found += [Event(name, "ACKNOWLEDGEMENT", 0, number - 1, True) for name in told]
        return sorted(found)


@dataclass(frozen=True, order=True)
class Event:
    """Somebody who is told something, or a repair."""

    who: str
    kind: str
    """PROBLEM, RECOVERY or ACKNOWLEDGEMENT."""
    alert: int
    """The alert's number that a repair is told."""
    test: int
    """The last test that had ended."""
    late: bool = field(default=False, compare=False)
    """Whether it may be told at a later test."""


def found(situation: Situation, port: int, recorder: Recorder) -> list[Event]:
    """What was really sent and run."""
    tests = recorder.tests(port)
    events = []
    for each in recorder.notices(situation.name):
        # Nagios until 4.5.6 and Naemon forget a recovery that they could not send: it is a custom one.
        kind = "RECOVERY" if each.kind == "CUSTOM" else each.kind
        test = max(number for number, test in enumerate(tests) if test.end <= each.time)
        events.append(Event(each.who, kind, each.alert, test))
    return sorted(events)


def mistakes(meant: Sequence[Event], seen: Sequence[Event]) -> list[str]:
    """What is missing, and what is too much. Nothing may be before its test; a busy machine is late."""
    wrong = []
    left = sorted(seen)
    for each in meant:
        fits = [
            event
            for event in left
            if (event.who, event.kind, event.alert) == (each.who, each.kind, each.alert)
            # What ends a silence ends it while a test runs: an engine may tell at once, or at a later test.
            and event.test >= each.test - each.late
        ]
        if fits:
            left.remove(fits[0])
        else:
            wrong.append(f"missing: {each}")
    return wrong + [f"too much: {each}" for each in left]


def monitor(situation: Situation, number: int) -> Monitor:
    """The monitor of a situation; its port tells the check which one it is."""
    return Monitor(
        name=situation.name,
        address="127.0.0.1",
        host=f"host {number}",
        port=20000 + number,
        # Long enough for a check that waits until something has happened; with another delay less than Up's.
        test_duration=55 if situation.engine else 65,
        rules=situation.rules,
        contacts=(Contact("admins", group=True), Contact("boss", AlertRange(2))),
        recovery=Recovery(
            machine="mail1",
            credential="root",
            services=("dovecot",),
            actions=(Action("restart-service", AlertRange(1, 2)),),
        ),
    )


CHECK = """\
cd {folder} || exit 3
# An engine's first test and one that is asked for may come at once: they are one.
exec 9> lock-$4
flock 9
last=$(cat last-$4 2>/dev/null || echo 0)
since=$(($(date +%s%3N) - $last))
[ $since -ge 0 ] && [ $since -lt 1000 ] && {{ echo "OK - up as told"; exit 0; }}
number=$(cat count-$4 2>/dev/null || echo 0)
begin=$(date +%s.%N)
: > begun-$4-$number
while [ -e gate-$4-$number ]; do
    # Its engine is gone: as if the test had never been.
    [ -e abort-$4 ] && rm -f begun-$4-$number && exit 3
    sleep 0.1
done
result=$(cut -c$((number + 1)) results-$4)
status=2; text="CRITICAL - down as told"
case $result in -) ;; *) status=0; text="OK - up as told"; date +%s%3N > last-$4 ;; esac
printf '%s %s %s %s\\n' "$4" "$begin" "$(date +%s.%N)" "$status" >> recorder/tests
echo $((number + 1)) > count-$4
echo "$text"
exit $status
"""


def write_check(folder: Path, situations: Mapping[int, Situation]) -> str:
    """The check of the situations, by port, as a program; its path."""
    for port, each in situations.items():
        (folder / f"results-{port}").write_text(each.results + "\n")
        for number in each.happens:
            (folder / f"gate-{port}-{number}").touch()
    path = folder / "check"
    path.write_text("#!/bin/sh\n" + CHECK.format(folder=folder))
    path.chmod(0o755)
    return str(path)


HANDLERS = {
    FORGETS: "alerts come at other tests, and are repeated to who was told",
    KEEPS: "alerts come at other tests, and are repeated to who was told",
}
LOSES = {"icinga2": "Icinga saves what it knows every 5 minutes only; what came since comes again"}


def _disturbed() -> Iterator[Situation]:
    """Outages in which something happens to the whole engine, after the same test in all of them."""
    for word in ("restart", "reload", "kill"):
        differs = LOSES if word == "kill" else {}
        yield Situation(f"{word} between alerts", 1, 4, "+----++", {2: [word]}, differs)
        yield Situation(f"{word} before an alert", 3, 2, "+----++", {2: [word]}, differs)
        yield Situation(f"{word} when Lost", 1, 2, "+----++", {2: [word]}, differs)
        happens = {1: ["downtime"], 2: [word], 3: ["downtime ends"]}
        yield Situation(f"{word} in a downtime", 2, 2, "+-----++", happens, differs)
    # A test that is asked for by the right clock would be far away.
    waits = {"icinga2": "Icinga tests nothing until the clock is as late again"}
    yield Situation("clock set back between alerts", 1, 4, "+-----+", {2: ["clock"]}, waits)
    yield Situation("clock set back before an alert", 3, 1, "+-----+", {2: ["clock"]}, waits)
    yield Situation("N and M lowered", 3, 3, "+------++", {3: ["change"]}, changed=(2, 2))
    yield Situation("M lowered", 1, 6, "+-----++", {3: ["change"]}, changed=(1, 2))
    yield Situation("M raised when Lost", 1, 1, "+-----++", {3: ["change"]}, changed=(2, 3))
    yield Situation("N raised before an alert", 5, 2, "+------++", {3: ["change"]}, changed=(6, 2))


def drawn(seed: int, count: int) -> Iterator[Situation]:
    """Situations that nobody thought of, the same ones for the same seed.

    What an engine is known to do otherwise is left out: everything that keeps it from telling ends in the
    outage, but a downtime or a host that is down.
    """
    random = Random(seed)  # noqa: S311
    for number in range(1, count + 1):
        length = random.randint(3, 8)
        results = "+" + "-" * length + "+++"
        happens: dict[int, list[str]] = {}
        at = 1
        for _ in range(random.randint(1, 2)):
            begin = random.randint(at, length + 1)
            what = random.choice(sorted(SILENCERS))
            if what == "acknowledge":
                begin = max(begin, 2)
            enough = what in ("downtime", "host down")
            end = random.randint(begin + 1, begin + 4)
            end = min(end, length + 2 if enough else length)
            if end <= begin:
                continue
            happens.setdefault(begin, []).append(what)
            happens.setdefault(end, []).append(SILENCERS[what])
            at = end + 1
            if at > length:
                break
        rules = random.randint(1, 3), random.randint(0, 4)
        yield Situation(f"drawn {number} of {seed}", *rules, results, happens)


PLAIN = (
    Situation("ends after alert 1", 1, 3, "+-++"),
    Situation("ends after alert 2", 1, 3, "+--++"),
    Situation("ends after alert 3", 1, 3, "+---++"),
    Situation("ends after alert 1 of two failures", 2, 3, "+--++"),
    Situation("ends in the middle", 2, 3, "+---++"),
    Situation("ends before an alert", 3, 2, "+--+--+++"),
    Situation("ends in Lost", 1, 2, "+----++"),
    Situation("host down at first", 3, 2, "+----------++", {1: ["host down"], 3: ["host up"]}),
    Situation("host down at first and one alert", 2, 1, "+-----++", {1: ["host down"], 2: ["host up"]}),
    Situation("host down for all alerts", 1, 2, "+------++", {1: ["host down"], 5: ["host up"]}),
    Situation("host down for a moment", 1, 4, "+------++", {3: ["host down"], 4: ["host up"]}),
    Situation("host down all along", 1, 2, "+---+++", {1: ["host down"], 5: ["host up"]}),
    Situation("host down at the recovery", 1, 3, "+---+++", {3: ["host down"], 5: ["host up"]}),
    Situation("downtime first", 1, 6, "+---------++", {1: ["downtime"], 4: ["downtime ends"]}),
    Situation("downtime in the middle", 1, 4, "+-------++", {2: ["downtime"], 4: ["downtime ends"]}),
    Situation("downtime at the recovery", 1, 3, "+--+++", {3: ["downtime"], 4: ["downtime ends"]}),
    Situation("downtime until the recovery", 2, 2, "+----++", {1: ["downtime"], 5: ["downtime ends"]}),
    Situation("acknowledged", 1, 6, "+--------++", {3: ["acknowledge"], 5: ["acknowledgement goes"]}),
    Situation("acknowledged until the recovery", 2, 3, "+-----++", {3: ["acknowledge"]}),
    Situation("parent down", 1, 4, "+------++", {2: ["parent down"], 4: ["parent up"]}),
    Situation("notifications off", 1, 4, "+------++", {2: ["notifications off"], 4: ["notifications on"]}),
    Situation("outside the period", 1, 4, "+------++", {2: ["outside the period"], 4: ["inside the period"]}),
    Situation(
        "outside the period at first",
        2,
        2,
        "+------++",
        {1: ["outside the period"], 4: ["inside the period"]},
    ),
    Situation(
        "outside the period at the recovery",
        1,
        3,
        "+---+++",
        {3: ["outside the period"], 5: ["inside the period"]},
        {FORGETS: "a recovery outside of the period is forgotten"},
    ),
    Situation(
        "notifications off at the recovery",
        1,
        3,
        "+--+++",
        {3: ["notifications off"], 4: ["notifications on"]},
        {FORGETS: "the core has forgotten the recovery", "icinga2": "Icinga has dropped the recovery"},
    ),
    Situation("handlers off during", 1, 3, "+------++", {2: ["handlers off"], 5: ["handlers on"]}, HANDLERS),
    Situation("without end", 1, 0, "+------++"),
    Situation("two outages", 1, 2, "+--+-+++"),
    Situation("handlers off at the recovery", 1, 2, "+--+--++", {3: ["handlers off"], 4: ["handlers on"]}),
    Situation("checks off for a while", 1, 4, "+----++", {2: ["checks off"]}),
)
SITUATIONS = (*PLAIN, *_disturbed())
_SEED, _, _COUNT = os.environ.get("IMAP4_TEST_DRAWN", "7:4").partition(":")
DRAWN = tuple(drawn(int(_SEED), int(_COUNT or 4)))
"""``IMAP4_TEST_DRAWN=SEED:COUNT`` draws others, or more."""
