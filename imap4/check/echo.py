"""Takes out of what a server says what it was sent as a secret: error texts like to quote the command.

For lines of the protocol; imap4.scrub is for all other texts. A server that means to give the password away
can always write it in another way, but then it has the password already; this is about the honest ones, and
about logs and mails. Imported only for ``--login``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from imap4.scrub import HIDDEN

MASK = HIDDEN.encode()

_SHORTEST_PART = 6
"""Bytes of a secret's begin or end that are taken out too: servers cut long lines."""

_SHORTEST_TAIL = 3
"""The same for a begin where the text itself ends."""

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{8,}={0,2}")


class Echo:
    """Replaces the secrets of one login by ``***``, in every form in which they may have been sent."""

    def __init__(self, user: str, password: str) -> None:
        plain = password.encode()
        escaped = plain.replace(b"\\", b"\\\\").replace(b'"', b'\\"')  # as in a quoted string
        forms = self._forms = {plain, escaped, plain_response(user, password)}
        parts = sorted({part for form in forms for part in _parts(form)}, key=len, reverse=True)
        # Some servers answer in capitals.
        self._sent = re.compile(b"|".join(map(re.escape, parts)), re.IGNORECASE)

    def __call__(self, said: bytes) -> bytes:
        """What was said, without the secrets."""
        # First the coded ones: a short password may be found inside its own code.
        said = _BASE64.sub(self._masked, said)
        said = self._sent.sub(MASK, said)
        return self._without_tail(said)

    def _masked(self, match: re.Match[bytes]) -> bytes:
        word = match[0]
        whole = word.rstrip(b"=")
        for start in range(4):  # it may begin in the middle
            part = whole[start:]
            try:
                plain = base64.b64decode(part[: len(part) // 4 * 4])
            except binascii.Error:
                continue
            if self._sent.search(plain):
                return MASK
        return word

    def _without_tail(self, said: bytes) -> bytes:
        text = said.rstrip(b"\r\n. ")
        low = text.lower()
        for form in self._forms:
            for size in range(min(len(form), len(text)), _SHORTEST_TAIL - 1, -1):
                if low.endswith(form[:size].lower()):
                    return text[:-size] + MASK + said[len(text) :]
        return said


def plain_response(user: str, password: str) -> bytes:
    """What AUTHENTICATE PLAIN sends (RFC 4616): no authorization identity, NUL, user, NUL, password."""
    return base64.b64encode(f"\0{user}\0{password}".encode())


def _parts(form: bytes) -> Iterator[bytes]:
    """The form itself, and its begins and ends that are long enough to tell something."""
    yield form
    for size in range(max(_SHORTEST_PART, (len(form) + 1) // 2), len(form)):
        yield form[:size]
        yield form[-size:]
