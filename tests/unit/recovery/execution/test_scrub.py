"""A credential's secrets are taken out of what a repair found and did."""

from __future__ import annotations

import pytest

from recovery.execution.scrub import OutcomeScrubber
from recovery.model import Credential, Outcome, Secret, Step, Verdict

KEY = "-----BEGIN X-----\nQUJDREVGR0g=\n-----END X-----\n"
SCRUBBER = OutcomeScrubber(
    Credential(
        "mail", "recovery", "ssh-key", Secret("pass word"), Secret(KEY), None, Secret("pass word and more")
    )
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nothing to hide", "nothing to hide"),
        ("sent 'pass word' twice: pass word", "sent '***' twice: ***"),
        ("pass word and more", "***"),
        (KEY, "***\n"),
        ("line QUJDREVGR0g= of it", "line *** of it"),
        ("-----BEGIN X-----", "-----BEGIN X-----"),
    ],
)
def test_a_secret_is_replaced_wherever_it_stands(text: str, shown: str) -> None:
    assert SCRUBBER.text(text) == shown


def test_an_outcome_is_scrubbed_in_every_part() -> None:
    outcome = Outcome(
        Verdict.FAILED,
        "x pass word",
        {"pass word": ["pass word", 1, {"a": "pass word"}]},
        {"stdout": "pass word"},
        "pass word",
        "pass word",
        (Step("run", 1.0, "pass word"),),
        2.0,
    )
    assert "pass word" not in repr(SCRUBBER.outcome(outcome))
    assert SCRUBBER.outcome(outcome).facts_before == {"***": ["***", 1, {"a": "***"}]}


def test_without_a_credential_nothing_is_replaced() -> None:
    assert OutcomeScrubber().text("pass word") == "pass word"
