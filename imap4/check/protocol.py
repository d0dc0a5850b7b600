"""IMAP4 lines: the greeting, responses, and what a stranger's greeting looks like.

Pure functions on bytes; no sockets, no clock. RFC 9051 (IMAP4rev2) section 7.1 and RFC 3501
(IMAP4rev1) section 7.1 for status responses, section 9 of both for the grammar.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_GREETING = 8192
"""Bytes in a greeting, its line end included; RFC 7162 section 4 asks clients to take 8192."""

MAX_ANSWER = 65536
"""Bytes of all lines that answer one command."""

# Status responses that may open a session (RFC 9051 section 7.1, "greeting" in section 9).
GREETINGS = ("OK", "PREAUTH", "BYE")

# What comes to the wrong port, and how it begins.
_STRANGERS = (
    (b"220", "an SMTP or FTP greeting"),
    (b"421", "an SMTP or FTP server closing down"),
    (b"554", "an SMTP server refusing service"),
    (b"+OK", "a POP3 greeting"),
    (b"-ERR", "a POP3 error"),
    (b"SSH-", "an SSH greeting"),
    (b"HTTP/", "an HTTP answer"),
    (b"200 ", "an NNTP greeting"),
    (b"201 ", "an NNTP greeting"),
    (b'"IMPLEMENTATION"', "a ManageSieve greeting"),
    (b"\x15\x03", "TLS (the port wants --tls)"),
    (b"\x16\x03", "TLS (the port wants --tls)"),
    (b"\xff\xfb", "Telnet"),
    (b"\xff\xfd", "Telnet"),
)


class Status(NamedTuple):
    """A status response's parts: ``OK [CODE arguments] text``."""

    kind: str
    """``OK``, ``NO``, ``BAD``, ``BYE`` or ``PREAUTH``, in capitals."""
    code: str
    """The response code's name in capitals (``CAPABILITY``, ``ALERT`` ...), or empty."""
    arguments: str
    """What follows the name inside the brackets."""
    text: str
    """The text for people, with the brackets and all."""


class Response(NamedTuple):
    """One line that a server sent in answer to a command."""

    tag: str
    """``*`` for untagged, ``+`` for a continuation, else the tag; empty where it is no response."""
    status: Status | None
    """The status response, where it is one."""
    capabilities: tuple[str, ...] | None
    """From a CAPABILITY response or response code, in capitals; None where there is none."""


def parse_status(rest: bytes) -> Status | None:
    """Parse what follows the tag and its space.

    Args:
        rest: the line without its tag and without its end.

    Returns:
        None where it is not a status response: unknown word, or not followed by a space or the end.
    """
    word, space, text = rest.partition(b" ")
    kind = word.decode("ascii", "replace").upper()
    if kind not in ("OK", "NO", "BAD", "BYE", "PREAUTH"):
        return None
    code = arguments = ""
    if space and text.startswith(b"["):
        inside, bracket, _ = text[1:].partition(b"]")
        if bracket:
            name, _, value = inside.partition(b" ")
            code = name.decode("ascii", "replace").upper()
            arguments = value.decode("utf-8", "replace")
    return Status(kind, code, arguments, text.decode("utf-8", "replace"))


def parse_greeting(line: bytes) -> Status | None:
    """Parse the first line of a session.

    Args:
        line: without its line end.

    Returns:
        The status where the line is exactly ``* OK``, ``* PREAUTH`` or ``* BYE`` (in any case),
        followed by a space or the end; None for everything else.
    """
    if not line.startswith(b"* "):
        return None
    status = parse_status(line[2:])
    return status if status and status.kind in GREETINGS else None


def parse_response(line: bytes) -> Response:
    """Parse a line that is not the greeting.

    Args:
        line: without its line end.
    """
    word, space, rest = line.partition(b" ")
    tag = word.decode("ascii", "replace")
    if not space and tag != "+":
        return Response("", None, None)
    status = parse_status(rest)
    capabilities = capabilities_of(status) if status else None
    if tag == "*" and rest[:11].upper() == b"CAPABILITY ":
        capabilities = _words(rest[11:].decode("ascii", "replace"))
    return Response(tag, status, capabilities)


def capabilities_of(status: Status) -> tuple[str, ...] | None:
    """The capabilities in a status response's code, in capitals; None where it has none."""
    return _words(status.arguments) if status.code == "CAPABILITY" else None


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.upper().split())


def looks_like(start: bytes) -> str:
    """Say what a first line, or the start of one, looks like.

    Returns:
        A phrase such as ``a POP3 greeting``; empty where it looks like nothing in particular.
    """
    if not start.strip():
        return "an empty line"
    for prefix, what in _STRANGERS:
        if start.startswith(prefix):
            return what
    return ""


def quoted(text: str) -> bytes | None:
    """``text`` as an IMAP quoted string (RFC 3501 section 9, "quoted").

    Returns:
        None where only a literal can carry it: it has CR, LF or a character outside ASCII.
    """
    if not text.isascii() or "\r" in text or "\n" in text:
        return None
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode("ascii") + b'"'
