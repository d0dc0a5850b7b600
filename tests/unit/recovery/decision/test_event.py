"""The event, from an engine's variables and from options."""

from __future__ import annotations

import pytest

from recovery.decision.event import Event, read_event
from recovery.errors import UsageError

NAGIOS = {
    "NAGIOS_HOSTNAME": "mail1",
    "NAGIOS_HOSTADDRESS": "192.0.2.1",
    "NAGIOS_SERVICEDESC": "IMAP4",
    "NAGIOS_SERVICESTATE": "CRITICAL",
    "NAGIOS_HOSTSTATE": "UP",
    "NAGIOS_SERVICESTATETYPE": "HARD",
    "NAGIOS_HOSTSTATETYPE": "HARD",
    "NAGIOS_SERVICEATTEMPT": "3",
    "NAGIOS_NOTIFICATIONTYPE": "PROBLEM",
    "NAGIOS_SERVICENOTIFICATIONNUMBER": "4",
    "NAGIOS_SERVICEDOWNTIME": "0",
    "NAGIOS_HOSTDOWNTIME": "0",
    "NAGIOS_SERVICEPROBLEMID": "17",
    "NAGIOS_SERVICEOUTPUT": "IMAP4 CRITICAL - refused [connect.refused]",
}


def test_nagios_variables_make_the_event() -> None:
    assert read_event("nagios", {}, NAGIOS) == Event(
        host="mail1",
        address="192.0.2.1",
        service="IMAP4",
        state="CRITICAL",
        state_type="HARD",
        attempt=3,
        notification_type="PROBLEM",
        notification_number=4,
        alert=4,
        output="IMAP4 CRITICAL - refused [connect.refused]",
        problem_id="17",
        source="nagios",
    )


def test_a_host_event_takes_the_hosts_variables() -> None:
    event = read_event(
        "nagios",
        {},
        {"NAGIOS_HOSTSTATE": "DOWN", "NAGIOS_SERVICESTATE": "", "NAGIOS_HOSTNOTIFICATIONNUMBER": "1"},
    )
    assert event == Event(state="DOWN", notification_number=1, alert=1, source="nagios")


@pytest.mark.parametrize(("number", "alert"), [("1", 1), ("3", 1), ("4", 2), ("6", 2), ("7", 3), ("0", None)])
def test_an_alert_counts_the_notifications_that_make_it(number: str, alert: int | None) -> None:
    event = read_event(None, {"state": "CRITICAL", "notification_number": number}, {}, failures_per_alert=3)
    assert event is not None
    assert event.alert == alert


def test_an_option_wins_over_a_variable_and_an_empty_one_does_not() -> None:
    event = read_event("nagios", {"state": "warning", "alert": "", "problem_id": None}, NAGIOS)
    assert event is not None
    assert (event.state, event.alert, event.problem_id) == ("WARNING", 4, "17")


def test_icinga_variables_and_its_floating_numbers_are_read() -> None:
    event = read_event(
        "icinga",
        {},
        {
            "ICINGA_SERVICESTATE": "Critical",
            "ICINGA_SERVICESTATETYPE": "Hard",
            "ICINGA_SERVICEATTEMPT": "3.000000",
            "ICINGA_SERVICEDOWNTIME": "1.000000",
            "ICINGA_SERVICEACKNOWLEDGEMENT": "2",
        },
    )
    assert event == Event(
        state="CRITICAL", state_type="HARD", attempt=3, downtime=True, acknowledged=True, source="icinga"
    )


@pytest.mark.parametrize(
    "ends", [("SERVICEDOWNTIME",), ("HOSTDOWNTIME",), ("SERVICEDOWNTIME", "HOSTDOWNTIME")]
)
def test_a_downtime_of_service_or_host_counts(ends: tuple[str, ...]) -> None:
    event = read_event("nagios", {}, NAGIOS | {f"NAGIOS_{end}": "2" for end in ends})
    assert event is not None
    assert event.downtime


def test_no_event_option_is_a_person_at_work() -> None:
    assert read_event(None, {"state": None, "alert": None}, NAGIOS) is None


@pytest.mark.parametrize(
    ("source", "options", "environ", "error"),
    [
        ("nagios", {}, {}, "enable_environment_macros=1"),
        ("icinga", {}, {}, "name them in the command's env"),
        (None, {"state": ""}, {}, "the event has no state"),
        (None, {"alert": "2"}, {}, "the event has no state"),
        (None, {"state": "BROKEN"}, {}, "'BROKEN' is none of OK, WARNING"),
        (None, {"state": "CRITICAL", "state_type": "FIRM"}, {}, "neither SOFT nor HARD"),
        (None, {"state": "CRITICAL", "alert": "two"}, {}, "'two' is not a whole number"),
        (None, {"state": "CRITICAL", "attempt": "1.5"}, {}, "'1.5' is not a whole number"),
        (None, {"state": "CRITICAL", "downtime": "maybe"}, {}, "neither a number nor yes or no"),
        (None, {"state": "$SERVICESTATE$"}, {}, r"unfilled macro \$SERVICESTATE\$"),
    ],
)
def test_a_bad_event_is_refused(
    source: str | None, options: dict[str, str | None], environ: dict[str, str], error: str
) -> None:
    with pytest.raises(UsageError, match=error):
        read_event(source, options, environ)


def test_an_event_survives_the_history() -> None:
    event = read_event("nagios", {}, NAGIOS)
    assert event is not None
    assert Event.from_dict(event.as_dict()) == event


def test_an_event_is_told_in_one_line() -> None:
    assert str(read_event("nagios", {}, NAGIOS)) == (
        "nagios event for mail1/IMAP4: CRITICAL, HARD, PROBLEM, alert 4, problem 17"
    )
