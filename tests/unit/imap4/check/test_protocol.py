"""The greeting and the responses, by the grammar of RFC 9051 section 9."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imap4.check.protocol import (
    Status,
    capabilities_of,
    looks_like,
    parse_greeting,
    parse_response,
    parse_status,
    quoted,
)

GREETING = re.compile(rb"\* (OK|PREAUTH|BYE)( .*)?", re.IGNORECASE | re.DOTALL)

almost_greetings = st.builds(
    lambda star, word, rest: star + word + rest,
    st.sampled_from([b"* ", b"*", b"", b" * ", b"*  ", b"*\t", b"a1 "]),
    st.sampled_from([b"OK", b"ok", b"PREAUTH", b"BYE", b"OKAY", b"NO", b"BAD", b"", b"O"]),
    st.sampled_from([b"", b" ", b"\t", b" [ALERT] x", b" [X", b"]"]) | st.binary(max_size=30),
)


@given(st.binary(max_size=60) | almost_greetings)
@example(b"* OK")
@example(b"* OKAY")
def test_only_the_three_greetings_are_greetings(line: bytes) -> None:
    assert (parse_greeting(line) is not None) == (GREETING.fullmatch(line) is not None)


@given(st.binary(max_size=80))
def test_any_line_is_parsed_without_an_exception(line: bytes) -> None:
    answer = parse_response(line)
    assert answer.tag == line.split(b" ", 1)[0].decode("ascii", "replace") or answer.tag == ""
    parse_status(line)
    looks_like(line)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"* OK ready", Status("OK", "", "", "ready")),
        (b"* ok", Status("OK", "", "", "")),
        (b"* PREAUTH [ALERT] x", Status("PREAUTH", "ALERT", "", "[ALERT] x")),
        (b"* BYE [UNAVAILABLE] x", Status("BYE", "UNAVAILABLE", "", "[UNAVAILABLE] x")),
        (
            b"* BYE [REFERRAL imap://other/] moved",
            Status("BYE", "REFERRAL", "imap://other/", "[REFERRAL imap://other/] moved"),
        ),
        (b"* OK [half a code", Status("OK", "", "", "[half a code")),
    ],
)
def test_response_codes_are_parsed(line: bytes, status: Status) -> None:
    assert parse_greeting(line) == status


def test_capabilities_are_found_in_code_and_response() -> None:
    greeting = parse_greeting(b"* OK [CAPABILITY imap4rev1 STARTTLS] hi")
    assert greeting is not None
    assert capabilities_of(greeting) == ("IMAP4REV1", "STARTTLS")
    assert parse_response(b"* capability IMAP4rev1 idle").capabilities == ("IMAP4REV1", "IDLE")
    assert parse_response(b"a1 OK [CAPABILITY IDLE] done").capabilities == ("IDLE",)
    assert parse_response(b"* CAPABILITYX IDLE").capabilities is None


@given(st.text(max_size=20))
def test_quoted_strings_come_back_as_they_were(text: str) -> None:
    string = quoted(text)
    if string is None:
        assert not text.isascii() or "\r" in text or "\n" in text
    else:
        inside = re.sub(rb"\\(.)", rb"\1", string[1:-1], flags=re.DOTALL)
        assert inside.decode() == text
        assert b"\r" not in string
        assert b"\n" not in string
