"""Causes: read from the status line, and which of them a repair can mend."""

from __future__ import annotations

import pytest

from imap4.causes import ANY_ACTION, CAUSES, REBOOT, RESTART
from recovery.credentials.restrictions import ACTIONS
from recovery.decision.causes import CauseSet, cause_of
from recovery.errors import UsageError


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("IMAP4 CRITICAL - connection refused by 192.0.2.1 port 143 [connect.refused]", "connect.refused"),
        ("IMAP4 CRITICAL - no greeting [greeting.timeout] | time=10s;;;0", "greeting.timeout"),
        ("IMAP4 CRITICAL - x [tls.expired]\nmore [connect.refused]", "tls.expired"),
        ("IMAP4 CRITICAL - BYE said [connect.refused] and went [greeting.bye]", "greeting.bye"),
        ("IMAP4 CRITICAL - said [connect.refused] and went", "none"),
        ("SMTP CRITICAL - 421 | x=[connect.refused]", "none"),
        ("", "none"),
        ("(Service check timed out after 60.01 seconds)", "engine.timeout"),
        ("(Service Check Timed Out On Worker: 'local')", "engine.timeout"),
        ("<Terminated by signal 9 (Killed).>", "engine.timeout"),
        ("Remote Icinga instance 'agent1' is not connected to 'master1'", "engine.timeout"),
        ("(Return code of 127 is out of bounds - plugin may be missing)", "engine.plugin"),
        ("(No output on stdout) stderr: /bin/sh: 1: /x: not found", "engine.plugin"),
        ("execvpe(/usr/lib/nagios/plugins/check_imap4) failed: No such file or directory", "engine.plugin"),
    ],
)
def test_the_cause_is_read_from_the_end_of_the_first_line(output: str, cause: str) -> None:
    assert cause_of(output) == cause


@pytest.mark.parametrize(
    ("cause", "mended"),
    [
        ("connect.refused", True),
        ("connect.timeout", True),
        ("connect.reset", True),
        ("greeting.bye", False),
        ("logout.timeout", True),
        ("tls.timeout", True),
        ("none", True),
        ("capability.timeout", True),
        ("capability.closed", True),
        ("login.timeout", True),
        ("login.closed", True),
        ("starttls.timeout", True),
        ("starttls.closed", True),
        ("logout.too_long", True),
        ("capability.protocol", False),
        ("login.too_long", False),
        ("starttls.protocol", False),
        ("dns.failure", False),
        ("connect.unreachable", False),
        ("dns.not_found", False),
        ("dns.timeout", False),
        ("tls.untrusted", False),
        ("tls.expired", False),
        ("tls.name", False),
        ("starttls.injection", False),
        ("login.refused", False),
        ("login.unavailable", True),
        ("login.limit", False),
        ("login.expired", False),
        ("engine.timeout", False),
        ("engine.plugin", False),
        ("never.heard_of", False),
    ],
)
def test_the_default_is_what_a_restart_can_mend(cause: str, mended: bool) -> None:
    assert (cause in CauseSet.default(RESTART)) is mended


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_can_be_named_and_is_acted_on_as_its_row_says(cause: str) -> None:
    for action in ACTIONS:
        assert cause in CauseSet.parse(cause, action)
        assert (cause in CauseSet.default(action)) is (action in CAUSES[cause].actions)


@pytest.mark.parametrize(
    ("cause", "restart", "reboot"),
    [
        ("connect.refused", True, True),
        ("connect.timeout", True, True),
        ("greeting.timeout", True, True),
        ("tls.timeout", True, True),
        # It answers, and then hangs up: a reboot would end what still works.
        ("greeting.closed", True, False),
        ("logout.timeout", True, False),
        ("login.unavailable", True, False),
        # Another plugin's line tells too little for a reboot.
        ("none", True, False),
        # "BYE down for maintenance until 04:00", and another service on the port.
        ("greeting.bye", False, False),
        ("greeting.protocol", False, False),
        ("greeting.too_long", False, False),
    ],
)
def test_a_reboot_needs_more_than_a_restart(cause: str, restart: bool, reboot: bool) -> None:
    assert (cause in CauseSet.default(RESTART), cause in CauseSet.default(REBOOT)) == (restart, reboot)


def test_the_actions_of_the_table_are_those_that_there_are() -> None:
    assert ANY_ACTION == ACTIONS


def test_a_phase_that_can_be_mended_as_a_whole_is_told_in_one_word() -> None:
    assert "logout.*" in str(CauseSet.default(RESTART)).split(",")
    assert str(CauseSet.default(REBOOT)) == (
        "connect.refused,connect.timeout,connect.reset,tls.timeout,greeting.timeout"
    )


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("connect.refused", ["connect.refused"], ["connect.timeout", "greeting.bye", "none"]),
        ("connect.*,none", ["connect.unreachable", "none"], ["greeting.bye"]),
        ("+dns.timeout", ["dns.timeout", "connect.refused"], ["dns.not_found"]),
        ("-none,-logout.*", ["connect.refused"], ["none", "logout.timeout"]),
        ("any", ["dns.not_found", "engine.plugin", "none"], []),
    ],
)
def test_causes_replace_or_change_the_default(text: str, inside: list[str], outside: list[str]) -> None:
    found = CauseSet.parse(text, RESTART)
    assert [cause for cause in inside if cause not in found] == []
    assert [cause for cause in outside if cause in found] == []


@pytest.mark.parametrize(
    ("text", "error"),
    [("", "is empty"), ("conect.refused", "is no cause"), ("+dns.timeout,none", "mixes a list")],
)
def test_a_bad_list_of_causes_is_refused(text: str, error: str) -> None:
    with pytest.raises(UsageError, match=error):
        CauseSet.parse(text, RESTART)
