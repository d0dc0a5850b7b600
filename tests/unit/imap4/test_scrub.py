"""Secrets are taken out of texts."""

from __future__ import annotations

import pytest

from imap4.scrub import Scrubber


@pytest.mark.parametrize(
    ("secrets", "text", "shown"),
    [
        (["pass word"], "sent pass word twice: pass word", "sent *** twice: ***"),
        (["pass", "pass word"], "pass word and pass", "*** and ***"),
        ([" pass word\n"], "said pass word", "said ***"),
        (["one\ntwo line"], "of two line", "of ***"),
        (["abc", "", " "], "abc is too short", "abc is too short"),
        ([], "nothing to hide", "nothing to hide"),
    ],
)
def test_a_secret_is_replaced_wherever_it_stands(secrets: list[str], text: str, shown: str) -> None:
    assert Scrubber(secrets).text(text) == shown


def test_plain_data_is_scrubbed_in_every_part() -> None:
    found = Scrubber(["pass word"]).value({"a pass word": [1, None, ("pass word", {"b": "pass word!"})]})
    assert found == {"a ***": [1, None, ["***", {"b": "***!"}]]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("said: pass-word-of-m", "said: ***"),
        ("word-of-mine, and more", "***, and more"),
        ("all of pass-word-of-mine is here", "all of *** is here"),
        ("it ends with pas", "it ends with pas"),
        ("pass-word-of-mine and pass-", "*** and ***"),
    ],
)
def test_a_cut_leaves_no_part_of_a_secret(text: str, shown: str) -> None:
    assert Scrubber(["pass-word-of-mine"]).edges(text) == shown


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    scrubber = Scrubber(["pass-word-of-mine"])
    assert scrubber.data(b"\xff\x00 pass-word-of-mine \xfe") == b"\xff\x00 *** \xfe"
    assert scrubber.data(b"\xff\x00 pass-word-of-m", cut=True) == b"\xff\x00 ***"
