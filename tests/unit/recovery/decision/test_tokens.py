"""Tokens in the arguments of an external process."""

from __future__ import annotations

import pytest

from recovery.decision.event import Event
from recovery.decision.tokens import fill
from recovery.errors import UsageError

EVENT = Event(
    host="mail1",
    address="192.0.2.1",
    service="IMAP4",
    state="CRITICAL",
    output="down {host} $(id) 'x'\n",
    alert=2,
)


@pytest.mark.parametrize(
    ("argument", "filled"),
    [
        ("{host}", "mail1"),
        ("--on={address}:{service}", "--on=192.0.2.1:IMAP4"),
        ("{state}-{alert}", "CRITICAL-2"),
        ("{output}", "down {host} $(id) 'x'\n"),
        ("{{host}}", "{host}"),
        ('{"a": 1}', '{"a": 1}'),
        ("${1} {} { host }", "${1} {} { host }"),
        ("a b", "a b"),
    ],
)
def test_a_token_is_filled_once_and_the_rest_stays(argument: str, filled: str) -> None:
    assert fill([argument], EVENT) == (filled,)


def test_an_alert_that_is_not_told_is_empty() -> None:
    assert fill(["{alert}"], Event(state="CRITICAL")) == ("",)


def test_a_value_never_becomes_two_arguments() -> None:
    assert fill(["{output}", "x"], Event(output="a b\0c")) == ("a bc", "x")


def test_an_unknown_token_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\{hots\} is no token; .* write \{\{hots\}\} for the text"):
        fill(["{hots}"], EVENT)


def test_a_token_without_an_event_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\{host\} is filled from an event, and there is none"):
        fill(["{host}"], None)
