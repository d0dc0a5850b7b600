"""Each limit on a Windows machine ends well before the one around it; and how answers are found."""

from __future__ import annotations

import pytest

from recovery.transports.winrm.budget import Budget
from recovery.transports.winrm.script import find_answer


@pytest.mark.parametrize("seconds", [5, 6, 8, 10, 12, 15, 16, 17, 20, 30, 45, 60, 90, 120, 300, 600])
def test_each_limit_ends_well_before_the_one_around_it(seconds: float) -> None:
    budget = Budget.of(seconds)
    margin = min(1.0, seconds / 10)
    assert seconds - budget.answer >= margin
    assert budget.answer - budget.whole >= 2 * margin
    # The script's own last steps, and its answer.
    assert budget.whole - budget.script >= margin
    # The end of a program and its children, which may take 5 s where there is time.
    assert budget.script - budget.program >= (5 if seconds >= 28 else margin)
    assert budget.program >= seconds * 0.3
    assert budget.program + budget.ending < budget.script
    assert budget.answer + budget.removal <= seconds


@pytest.mark.parametrize(
    "before",
    [b"", b"\xef\xbb\xbf", b"Welcome, administrator", b"\xff\xfe", b"AutoRun\r\n", b"nonce", b"x nonce \xfe"],
    ids=repr,
)
def test_answer_is_found_whatever_was_written_before_it(before: bytes) -> None:
    assert find_answer(before + b"nonce QUJD\r\nmore", "nonce") == b"QUJD"
    assert find_answer(before + b"nonce QUJ", "nonce") is None
