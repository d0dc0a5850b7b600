"""Jump hosts as people write them: ``[CREDENTIAL@]HOST[:PORT]``, as OpenSSH's ProxyJump has its users."""

from __future__ import annotations

import re
from typing import NamedTuple

from imap4.hostnames import NotAHost, family_of, to_ascii

MOST = 8
"""More hosts on one way are a mistake, or a loop."""
_FORM = re.compile(
    r"(?:(?P<credential>[A-Za-z0-9][A-Za-z0-9_.@-]{0,63})@)?"
    r"(?:\[(?P<bracketed>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?)\]|(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*))"
    r"(?::(?P<port>\d{1,5}))?",
    re.ASCII,
)


class Jump(NamedTuple):
    """One host on the way to a machine."""

    host: str
    """A name or an IP address, without brackets."""
    credential: str = ""
    """The stored credential to log in with there; "" is that of the machine."""
    port: int | None = None


def parse(text: str) -> Jump:
    """The jump host that ``text`` names.

    Raises:
        ValueError: it names none; the text says what to write.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no jump host; write CREDENTIAL@HOST or CREDENTIAL@HOST:PORT")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{text!r}: port {port} is not between 1 and 65535")
    host = found["bracketed"] or found["host"]
    if family_of(host) is None:
        if found["bracketed"]:
            raise ValueError(f"{text!r}: {host} is no IPv6 address")
        try:
            to_ascii(host)
        except NotAHost as error:
            raise ValueError(f"{text!r}: {error}") from None
    return Jump(host, found["credential"] or "", port)
