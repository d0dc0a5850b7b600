"""Which repairs a pause covers, and how long it lasts whatever happens to the clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recovery.decision.pauses import Clock, Pause, Scope

BEGUN = Clock(1_000_000.0, "boot-1", 500.0)
HOUR = Pause(1, Scope(), BEGUN, 3600.0, "user root", "new kernel")
YEAR = 365 * 86400.0


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (Scope(), True),
        (Scope(machines=("mail1",)), True),
        (Scope(machines=("MAIL*",)), True),
        (Scope(machines=("web1", "mail?")), True),
        (Scope(machines=("web*",)), False),
        (Scope(machines=("192.0.2.0/24",)), True),
        (Scope(machines=("192.0.2.1",)), True),
        (Scope(machines=("198.51.100.0/24",)), False),
        (Scope(monitors=("IMAP of mail1",)), True),
        (Scope(monitors=("imap*",)), True),
        (Scope(monitors=("SMTP*",)), False),
        (Scope(actions=("restart-service",)), True),
        (Scope(actions=("reboot-server", "external-process")), False),
        (Scope(("mail1",), ("IMAP*",), ("restart-service",)), True),
        (Scope(("mail1",), ("IMAP*",), ("reboot-server",)), False),
        (Scope(("mail1",), ("SMTP*",), ("restart-service",)), False),
        (Scope(("mail2",), ("IMAP*",), ("restart-service",)), False),
    ],
)
def test_every_part_of_a_scope_must_hold(scope: Scope, covered: bool) -> None:
    assert scope.covers("restart-service", "mail1", "192.0.2.1", "IMAP of mail1") is covered


def test_what_is_known_of_a_machine_before_it_is_looked_up_counts() -> None:
    assert Scope(machines=("192.0.2.0/24",)).covers("reboot-server", "192.0.2.7", "", "")
    assert not Scope(machines=("192.0.2.0/24",)).covers("reboot-server", "mail1", "", "")


def test_a_repair_for_no_monitor_is_not_one_for_any() -> None:
    assert not Scope(monitors=("*",)).covers("restart-service", "mail1", "", "")


@pytest.mark.parametrize(
    ("clock", "left"),
    [
        (BEGUN, 3600.0),
        (Clock(1_000_600.0, "boot-1", 1100.0), 3000.0),
        (Clock(1_003_600.0, "boot-1", 4100.0), 0.0),
        # The clock was set, forward and back: only the time that passed counts.
        (Clock(1_000_000.0 + YEAR, "boot-1", 1100.0), 3000.0),
        (Clock(1_000_000.0 - YEAR, "boot-1", 1100.0), 3000.0),
        (Clock(1_000_000.0 - YEAR, "boot-1", 4100.0), 0.0),
        # After a restart of this host there is only the clock.
        (Clock(1_000_600.0, "boot-2", 30.0), 3000.0),
        (Clock(1_003_600.0, "boot-2", 30.0), 0.0),
        # It ran ahead when the pause was begun: nothing may stay away for a year.
        (Clock(1_000_000.0 - YEAR, "boot-2", 30.0), 0.0),
        (Clock(1_000_600.0, "", 1100.0), 3000.0),
    ],
)
def test_it_lasts_as_long_as_it_was_made_for(clock: Clock, left: float) -> None:
    assert HOUR.left(clock) == left


def test_one_that_was_ended_is_over() -> None:
    assert replace(HOUR, ended=1_000_001.0).left(BEGUN) == 0.0


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope(), "all repairs"),
        (Scope(("mail*", "web1"), (), ("reboot-server",)), "reboot-server on mail*, web1"),
        (
            Scope((), ("IMAP",), ("reboot-server", "restart-service")),
            "reboot-server and restart-service for IMAP",
        ),
    ],
)
def test_a_scope_in_words(scope: Scope, words: str) -> None:
    assert str(scope) == words
