"""No form of a password that was sent comes back in what is shown."""

from __future__ import annotations

import base64
import secrets

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imap4.check.echo import Echo, plain_response

USER = "probe"
PASSWORD = secrets.token_urlsafe(12)

# Not letters of "***" and of the frame below, in which a short password would be found by chance.
passwords = st.text(
    st.characters(codec="utf-8", exclude_characters="*\r\n\0 ABOKNDLINGabokndling"), min_size=4, max_size=40
)


def coded(text: str) -> bytes:
    return base64.b64encode(text.encode())


@pytest.mark.parametrize(
    "said",
    [
        PASSWORD.encode(),
        b'a1 LOGIN "probe" "' + PASSWORD.encode() + b'"',
        PASSWORD.upper().encode(),
        plain_response(USER, PASSWORD),
        coded(f"\0{USER}\0{PASSWORD}"),
        coded(f"{USER}\0{USER}\0{PASSWORD}"),
        coded(f"{USER}:{PASSWORD}"),
        coded(f"{USER} {PASSWORD}").rstrip(b"="),
        coded(PASSWORD),
        b"x" + coded(PASSWORD),
        coded(f"ab\0{PASSWORD}")[3:],
        plain_response(USER, PASSWORD)[:-6],
        PASSWORD[: len(PASSWORD) // 2 + 1].encode() + b"...",
        b"left over: " + PASSWORD[len(PASSWORD) // 2 - 1 :].encode() + b" in the line",
        f"\0{USER}\0{PASSWORD}".encode(),
    ],
)
def test_every_form_is_masked(said: bytes) -> None:
    shown = Echo(USER, PASSWORD)(b"NO cannot do: " + said + b"\r\n")
    assert b"***" in shown
    for text in (shown.lower(), *decoded(shown)):
        for start in (PASSWORD[:7], PASSWORD[-7:]):
            assert start.lower().encode() not in text.lower()


def decoded(text: bytes) -> list[bytes]:
    """What base64 there is in a text, from every place on."""
    found = []
    for word in text.replace(b"=", b" ").split():
        for start in range(4):
            part = word[start:]
            try:
                found.append(base64.b64decode(part[: len(part) // 4 * 4], validate=True))
            except ValueError:
                continue
    return found


def test_begin_of_a_password_at_the_end_of_half_a_line_is_masked() -> None:
    assert Echo(USER, PASSWORD)(b"NO say " + PASSWORD[:3].encode()) == b"NO say ***"


@pytest.mark.parametrize(
    "said", [b"* OK ready\r\n", b"a1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"]
)
def test_other_texts_stay_as_they_are(said: bytes) -> None:
    assert Echo(USER, PASSWORD)(said) == said


@given(passwords)
def test_any_password_is_masked_plain_quoted_and_coded(password: str) -> None:
    assume(password.strip())
    echo = Echo(USER, password)
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    for form in (password.encode(), quoted.encode(), plain_response(USER, password)):
        shown = echo(b"BAD LOGIN " + form + b" LOGIN")
        assert form not in shown
        assert password.encode() not in shown
