"""Rates and ranges."""

from __future__ import annotations

import pytest

from recovery.decision.ranges import Range, Rate
from recovery.errors import UsageError


@pytest.mark.parametrize(
    ("text", "shown"), [("3/1h", "3/1h"), ("5/10m", "5/10m"), ("1/h", "1/1h"), ("0/1d", "0/1d")]
)
def test_a_rate_is_read_and_shown(text: str, shown: str) -> None:
    assert str(Rate.parse(text)) == shown


@pytest.mark.parametrize("text", ["", "3", "/1h", "3/", "-1/1h", "3/0s", "x/1h", "3/1x", "1.5/h"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a rate"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("2", [2], [1, 3]),
        ("1-2", [1, 2], [3]),
        ("4-", [4, 5, 1000], [3]),
        ("1-2,5", [1, 2, 5], [3, 4, 6]),
    ],
)
def test_a_range_holds_both_its_ends(text: str, inside: list[int], outside: list[int]) -> None:
    found = Range.parse(text)
    assert str(found) == text
    assert all(number in found for number in inside)
    assert not any(number in found for number in outside)


@pytest.mark.parametrize("text", ["", "0", "0-2", "3-1", "-2", "a", "1,", "1-2-3", "1..2"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a range"):
        Range.parse(text)
