"""Durations as people write them."""

from __future__ import annotations

import pytest

from imap4.durations import DurationError, above_zero, seconds, spell


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90", 90),
        ("0", 0),
        ("1.5", 1.5),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1w", 604800),
    ],
)
def test_a_duration_is_read(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "m", "5 m", "-5m", "5x", "1h30", "1e3", "inf", "nan", "30S", " 5m", "5m ", ".5", "5.", "٣m"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DurationError, match="is not a duration"):
        seconds(text)


@pytest.mark.parametrize("text", ["0s", "59s", "5m", "1h30m", "1d", "1d1s"])
def test_a_duration_is_spelled_as_it_is_read(text: str) -> None:
    assert spell(seconds(text)) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0.4", "'0.4' is too short: at least 0.5 s"),
        ("1h1s", "'1h1s' is too long: at most 1h"),
        ("9" * 400, f"'{'9' * 400}' is too long: at most 1h"),
    ],
)
def test_a_duration_out_of_its_limits_is_refused(text: str, told: str) -> None:
    with pytest.raises(DurationError) as error:
        seconds(text, least=0.5, most=3600)
    assert str(error.value) == told


def test_a_century_is_enough() -> None:
    with pytest.raises(DurationError, match="is too long: at most 36500d"):
        seconds("36501d")


def test_what_must_leave_time_is_above_zero() -> None:
    assert above_zero("1s") == 1
    with pytest.raises(DurationError, match="'0m' leaves no time at all"):
        above_zero("0m")
