"""The policy, as tables: event, rules and what the history knows in; the decision out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recovery.decision.causes import CauseSet
from recovery.decision.event import Event
from recovery.decision.policy import Act, Facts, Rules, Skip, decide, explain
from recovery.decision.ranges import Range, Rate

NOW = 1_000_000.0
EVENT = Event(
    host="mail1",
    service="IMAP4",
    state="CRITICAL",
    state_type="HARD",
    attempt=3,
    notification_type="PROBLEM",
    alert=2,
    output="IMAP4 CRITICAL - refused [connect.refused]",
)
RULES = Rules(alerts=Range.parse("1-2"))
FREE = Facts()


def test_an_alert_in_range_is_acted_on() -> None:
    assert decide(EVENT, RULES, FREE, NOW) == Act("CRITICAL HARD, alert 2, [connect.refused], 1 of 3 in 1h")


def test_a_person_is_obeyed_whatever_the_limits_say() -> None:
    facts = Facts(starts=[NOW] * 9, last_end=NOW, fleet_starts=[NOW] * 9)
    assert decide(None, RULES, facts, NOW) == Act("asked for by hand")


def test_a_person_waits_for_a_busy_machine_too() -> None:
    facts = Facts(running="recovery 7 (reboot-server) since 03:00:00")
    assert decide(None, RULES, facts, NOW) == Skip(
        "the machine is busy: recovery 7 (reboot-server) since 03:00:00"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"notification_type": "RECOVERY"}, "notification type RECOVERY is no problem to repair"),
        (
            {"notification_type": "ACKNOWLEDGEMENT"},
            "notification type ACKNOWLEDGEMENT is no problem to repair",
        ),
        ({"state": "OK"}, "state OK is none of CRITICAL,DOWN"),
        ({"state": "UP"}, "state UP is none of CRITICAL,DOWN"),
        ({"state": "WARNING"}, "state WARNING is none of CRITICAL,DOWN"),
        ({"state": "UNKNOWN"}, "state UNKNOWN is none of CRITICAL,DOWN"),
        ({"state": "UNREACHABLE"}, "state UNREACHABLE is none of CRITICAL,DOWN"),
        ({"state_type": "SOFT"}, "the state is SOFT: the failure is not confirmed yet"),
        ({"downtime": True}, "in downtime"),
        ({"acknowledged": True}, "acknowledged: somebody is at work on it"),
        ({"alert": 3}, "alert 3 is outside 1-2"),
        ({"alert": None}, "the event has no alert number to compare with --alerts 1-2"),
        ({"output": "x [dns.not_found]"}, "cause dns.not_found is not one that this repair can mend"),
        ({"output": "x [tls.expired]"}, "cause tls.expired is not one that this repair can mend"),
        ({"output": "x [login.refused]"}, "cause login.refused is not one that this repair can mend"),
        (
            {"output": "(Service check timed out after 60.01 seconds)"},
            "the engine could not run the check (engine.timeout), which says nothing about the machine",
        ),
    ],
)
def test_an_event_is_left_alone(change: dict[str, object], reason: str) -> None:
    assert decide(replace(EVENT, **change), RULES, FREE, NOW) == Skip(reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"running": "recovery 7"}, "the machine is busy: recovery 7"),
        (
            {"last_end": NOW - 299},
            "cooling down: the last one here ended 4m59s ago, and --cooldown is 5m",
        ),
        ({"last_end": NOW + 60}, "cooling down: the last one here ended 0s ago, and --cooldown is 5m"),
        (
            {"starts": [NOW - 3599, NOW - 1800, NOW - 600]},
            "already done 3 times on this machine in 1h, and --at-most is 3/1h",
        ),
        (
            {"fleet_starts": [NOW - 599, NOW - 4, NOW - 3, NOW - 2, NOW + 9]},
            "fleet brake: 5 recoveries on all machines in 10m, and --fleet-at-most is 5/10m; "
            "is this host's own network in order?",
        ),
    ],
)
def test_the_history_holds_it_back(change: dict[str, object], reason: str) -> None:
    assert decide(EVENT, RULES, replace(FREE, **change), NOW) == Skip(reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "facts",
    [
        Facts(last_end=NOW - 300),
        Facts(starts=[NOW - 3600, NOW - 3599, NOW - 1]),
        Facts(fleet_starts=[NOW - 600, NOW - 599, NOW - 3, NOW - 2, NOW - 1]),
    ],
)
def test_what_is_older_than_the_limit_does_not_count(facts: Facts) -> None:
    assert isinstance(decide(EVENT, RULES, facts, NOW), Act)


def test_the_reason_to_act_counts_this_one() -> None:
    facts = Facts(starts=[NOW - 7200, NOW - 600, NOW - 500])
    assert decide(EVENT, RULES, facts, NOW) == Act("CRITICAL HARD, alert 2, [connect.refused], 3 of 3 in 1h")


@pytest.mark.parametrize(
    ("rules", "event"),
    [
        (Rules(states=frozenset({"WARNING"})), replace(EVENT, state="WARNING")),
        (Rules(soft_attempts=Range.parse("3")), replace(EVENT, state_type="SOFT")),
        (
            Rules(causes=CauseSet.parse("+dns.timeout", "restart-service")),
            replace(EVENT, output="x [dns.timeout]"),
        ),
        (Rules(), replace(EVENT, alert=None, output="SMTP CRITICAL - 421")),
        (Rules(), replace(EVENT, state="DOWN", state_type="", notification_type="", output="")),
    ],
)
def test_rules_can_be_widened(rules: Rules, event: Event) -> None:
    assert isinstance(decide(event, rules, FREE, NOW), Act)


@pytest.mark.parametrize(
    ("attempt", "reason"),
    [
        (2, "SOFT attempt 2 is outside 3-"),
        (None, "the state is SOFT and the event has no attempt to compare with 3-"),
    ],
)
def test_soft_attempts_have_a_range(attempt: int | None, reason: str) -> None:
    event = replace(EVENT, state_type="SOFT", attempt=attempt)
    assert decide(event, Rules(soft_attempts=Range.parse("3-")), FREE, NOW) == Skip(reason)


def test_limits_can_be_taken_away() -> None:
    facts = Facts(starts=[NOW] * 9, last_end=NOW, fleet_starts=[NOW] * 9)
    rules = Rules(at_most=None, cooldown=None, fleet_at_most=None)
    assert decide(EVENT, rules, facts, NOW) == Act("CRITICAL HARD, alert 2, [connect.refused]")


def test_at_most_none_at_all_never_acts() -> None:
    assert isinstance(decide(EVENT, Rules(at_most=Rate(0, 60)), FREE, NOW), Skip)


def test_every_rule_is_explained_in_order() -> None:
    findings = explain(EVENT, RULES, FREE, NOW)
    assert [finding.rule for finding in findings] == [
        *(
            "notification type",
            "state",
            "state type",
            "downtime",
            "acknowledged",
            "alerts",
            "causes",
            "pause",
        ),
        *("lock", "cooldown", "at-most", "fleet-at-most"),
    ]
    assert not any(finding.reason for finding in findings)
