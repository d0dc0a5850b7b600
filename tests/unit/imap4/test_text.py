"""What a server said is fit to print, whatever it was."""

from __future__ import annotations

import ssl
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap4.text import clean, said, trouble_line

FORBIDDEN = set("|<>$`'\"[]")


@given(st.binary(max_size=400) | st.text(max_size=400), st.integers(4, 100))
def test_any_text_comes_out_printable_and_short(text: bytes | str, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    assert not FORBIDDEN & set(cleaned) - {"(", ")"}
    assert all(character == " " or unicodedata.category(character)[0] not in "CZ" for character in cleaned)
    assert cleaned == cleaned.strip()
    cleaned.encode("utf-8")


@given(st.text(alphabet=st.characters(whitelist_categories=("L", "N")), min_size=1, max_size=80))
def test_plain_words_are_left_as_they_are(text: str) -> None:
    assert clean(text) == text


def test_invalid_utf8_is_shown_as_question_marks() -> None:
    assert clean(b"caf\xe9 \xff") == "caf? ?"


def test_lone_surrogates_of_the_command_line_are_dropped() -> None:
    assert clean("a\udcffb") == "a b"


def test_cut_text_ends_with_dots() -> None:
    assert clean("x" * 81) == "x" * 77 + "..."


def test_nothing_said_leaves_no_colon() -> None:
    assert said("says BYE", "\r\n") == "says BYE"
    assert said("says BYE", "bye") == "says BYE: bye"


def test_trouble_does_not_tell_the_text_that_could_not_be_encoded() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        "user\udcff and a secret".encode()
    assert trouble_line("IMAP4", caught.value) == (
        "IMAP4 UNKNOWN - the test could not be run: UnicodeEncodeError: "
        "utf-8 codec cant encode character /udcff in position 4: surrogates not allowed\n"
    )


def test_trouble_tells_no_place_in_a_source() -> None:
    error = ssl.SSLError(1, "[SSL: NO_CIPHERS_AVAILABLE] no ciphers available (_ssl.c:1006)")
    assert "_ssl" not in trouble_line("IMAP4", error)
