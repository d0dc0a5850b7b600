"""Outages of a known number of failing tests, and what the state machine says must come of them."""

from __future__ import annotations

from dataclasses import dataclass

from imap4.monitor.model import Action, AlertRange, Contact, Monitor, Recovery
from imap4.monitor.states import Delays, Position, Rules, State, advance
from tests.engines.recorder import Notice, Recorder, Test
from tests.engines.servers import BYE, OK, Scripted

# Far enough apart to be told from one another with the tolerance below.
DELAYS = Delays(up=12, warn=3, down=7, lost=17)
# From the end of a test to the beginning of the next one, beyond the delay. Earlier: Nagios schedules for
# whole seconds (half a second from rounding), and compares only whole seconds of its own clock (one
# more). Later: it reads its command file and its queue once a second each, the handler is a Python that has
# to start, and five engines share the machine. How long that kept programs waiting is measured, and added.
EARLY, LATE = 1.6, 4.5


@dataclass(frozen=True)
class Expected:
    """One test of the table: its position, and the delay before it."""

    position: Position
    delay: int


def table(rules: Rules, results: list[bool]) -> list[Expected]:
    """What the simulator's state machine says of the results."""
    found = []
    position = Position(delay=rules.delays.up)
    for passed in results:
        after = advance(rules, position, passed)
        found.append(Expected(after, position.delay))
        position = after
    return found


class Scenario:
    """A monitor with a server of its own that fails ``failures`` times, and then passes for good."""

    def __init__(
        self,
        name: str,
        rules: Rules,
        failures: int,
        *,
        kind: str = BYE,
        test_duration: int = 10,
        options: tuple[str, ...] = (),
        repair_port: int | None = None,
    ) -> None:
        self.results = [True, *[False] * failures, True, True]
        self.server = Scripted([OK, *[kind] * failures])
        self.monitor = Monitor(
            name=name,
            address="127.0.0.1",
            host="mail",
            port=self.server.port,
            test_duration=test_duration,
            options=options,
            rules=rules,
            contacts=(Contact("admins"), Contact("boss", AlertRange(2))),
            recovery=Recovery(
                machine="mail1",
                credential="root",
                services=("dovecot",),
                actions=(Action("restart-service", AlertRange(1, 2)),),
                port=repair_port,
            ),
        )

    def done(self, recorder: Recorder) -> bool:
        """Whether all of its tests were made."""
        return len(recorder.tests(self.server.port)) >= len(self.results)

    def tests(self, recorder: Recorder) -> list[Test]:
        """Its tests so far, as many as it has."""
        return recorder.tests(self.server.port)[: len(self.results)]

    def check_tests(self, recorder: Recorder) -> None:
        """Every result, and every delay between two tests, is that of the table."""
        tests = self.tests(recorder)
        assert [test.status == 0 for test in tests] == self.results
        for before, test, meant in zip(
            tests, tests[1:], table(self.monitor.rules, self.results)[1:], strict=False
        ):
            waited = test.begin - before.end
            # While all is well, engines place the next test from the beginning of the last one.
            early = EARLY + (before.end - before.begin if before.status == 0 else 0)
            late = LATE + recorder.stall
            assert meant.delay - early <= waited <= meant.delay + late, (meant, waited, self.monitor.name)

    def check_notices(self, recorder: Recorder) -> None:
        """Every alert, repair and recovery notification is that of the table, after its test."""
        tests = self.tests(recorder)
        notices = recorder.notices(self.monitor.service)
        meant: list[tuple[int, str, str, int]] = []
        alerts = 0
        for number, expected in enumerate(table(self.monitor.rules, self.results)):
            position = expected.position
            if position.alert:
                alerts = position.alert
                meant.append((number, "admins", "PROBLEM", 0))
                if position.alert >= 2:
                    meant.append((number, "boss", "PROBLEM", 0))
                if position.alert <= 2:
                    meant.append((number, "repair", "PROBLEM", position.alert))
            if position.recovery:
                meant.append((number, "admins", "RECOVERY", 0))
                if alerts >= 2:
                    meant.append((number, "boss", "RECOVERY", 0))
        found = [(self._caused_by(tests, each), each.who, each.kind, each.alert) for each in notices]
        if recorder.stall > 1:
            # A program that starts seconds late cannot say which test it belongs to; the order must do.
            found, meant = ([(0, *each[1:]) for each in some] for some in (found, meant))
        assert sorted(found) == sorted(meant), self.monitor.name

    @staticmethod
    def _caused_by(tests: list[Test], notice: Notice) -> int:
        """The number of the last test that had ended when the notice was sent."""
        return max(number for number, test in enumerate(tests) if test.end <= notice.time)


def rules(failures: int, alerts: int) -> Rules:
    """The rules of an outage that is over soon."""
    return Rules(DELAYS, failures, alerts)


__all__ = ["DELAYS", "EARLY", "LATE", "Expected", "Scenario", "State", "rules", "table"]
