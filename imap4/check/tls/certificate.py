"""A certificate's validity and names, read from its DER encoding.

The standard library tells them only of a certificate that was verified, and the libraries that know all
of X.509 cost more than the whole check. RFC 5280 section 4.1 has the structure, X.690 the encoding.
"""

from __future__ import annotations

import calendar
import functools
from typing import NamedTuple

from imap4.text import clean

_SEQUENCE = 0x30
_VERSION = 0xA0
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18

# RFC 5280 section 4.1.2.4: the kinds of strings in a name; every other is ASCII or near it.
_ENCODINGS = {0x0C: "utf-8", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}

# Attributes of a name by which people know it, the best first: common name, unit, organization.
_KNOWN_BY = (b"\x55\x04\x03", b"\x55\x04\x0b", b"\x55\x04\x0a")

_SUBJECT_ALT_NAME = b"\x06\x03\x55\x1d\x11"


class Certificate(NamedTuple):
    """What the check wants to know of one."""

    begin: float
    """Seconds since the epoch."""
    end: float
    subject: str
    """Its common name, else another attribute; cleaned, and never empty."""
    issuer: str
    has_names: bool
    """Whether it has a subjectAltName."""


@functools.lru_cache(1024)
def read(certificate: bytes) -> Certificate | None:
    """Read a certificate.

    Args:
        certificate: DER, as ``SSLSocket.getpeercert(True)`` gives it.

    Returns:
        None where it is no certificate.
    """
    try:
        return _read(certificate)
    except (ValueError, IndexError):
        return None


def _read(data: bytes) -> Certificate:
    _, body, _ = _element(data, _SEQUENCE)  # Certificate
    _, body, _ = _element(body, _SEQUENCE)  # tbsCertificate
    if body[0] == _VERSION:
        _, _, body = _element(body)
    for _ in ("serialNumber", "signature"):
        _, _, body = _element(body)
    _, issuer, body = _element(body, _SEQUENCE)
    _, validity, body = _element(body, _SEQUENCE)
    _, subject, _ = _element(body, _SEQUENCE)
    tag, begin, rest = _element(validity)
    begins = _seconds(tag, begin.decode("ascii"))
    tag, end, _ = _element(rest)
    ends = _seconds(tag, end.decode("ascii"))
    return Certificate(begins, ends, _name(subject), _name(issuer), _SUBJECT_ALT_NAME in data)


def _element(data: bytes, wanted: int | None = None) -> tuple[int, bytes, bytes]:
    """Split off the first element: its tag, its content, and what follows it."""
    tag, length, start = data[0], data[1], 2
    if wanted is not None and tag != wanted:
        raise ValueError("another element was expected")
    if length & 0x80:  # the long form: that many bytes of length follow
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    end = start + length
    if end > len(data):
        raise ValueError("cut short")
    return tag, data[start:end], data[end:]


def _name(data: bytes) -> str:
    """One attribute of a name: RDNSequence of SETs of SEQUENCEs of type and value."""
    found: dict[bytes, str] = {}
    while data:
        _, attributes, data = _element(data)
        while attributes:
            _, attribute, attributes = _element(attributes, _SEQUENCE)
            _, kind, rest = _element(attribute)
            tag, value, _ = _element(rest)
            found[kind] = value.decode(_ENCODINGS.get(tag, "latin-1"), "replace")
    known = next((text for kind in _KNOWN_BY if (text := clean(found.get(kind, ""), 64))), "")
    return known or "a certificate without a name"


def _seconds(tag: int, text: str) -> float:
    """RFC 5280 section 4.1.2.5: YYMMDDHHMMSSZ until 2049, YYYYMMDDHHMMSSZ from 2050 on."""
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("no time")
    if len(text) != 15 or text[14] != "Z" or not (text[:14].isascii() and text[:14].isdigit()):
        raise ValueError("no time")
    year, rest = int(text[:4]), [int(text[i : i + 2]) for i in range(4, 14, 2)]
    if not (1 <= rest[0] <= 12 and 1 <= rest[1] <= 31):
        raise ValueError("no time")
    return float(calendar.timegm((year, *rest)))
