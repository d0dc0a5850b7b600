"""The end of a certificate's validity, read from its DER encoding.

The standard library tells it only of a certificate that was verified, and the libraries that know all
of X.509 cost more than the whole check. RFC 5280 section 4.1 has the structure, X.690 the encoding.
"""

from __future__ import annotations

import calendar

_SEQUENCE = 0x30
_VERSION = 0xA0
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18


def not_after(certificate: bytes) -> float | None:
    """When a certificate ends.

    Args:
        certificate: DER, as ``SSLSocket.getpeercert(True)`` gives it.

    Returns:
        Seconds since the epoch; None where it is no certificate.
    """
    try:
        return _not_after(certificate)
    except (ValueError, IndexError):
        return None


def _not_after(data: bytes) -> float:
    _, body, _ = _element(data, _SEQUENCE)  # Certificate
    _, body, _ = _element(body, _SEQUENCE)  # tbsCertificate
    if body[0] == _VERSION:
        _, _, body = _element(body)
    for _ in ("serialNumber", "signature", "issuer"):
        _, _, body = _element(body)
    _, validity, _ = _element(body, _SEQUENCE)
    _, _, rest = _element(validity)  # notBefore
    tag, end, _ = _element(rest)
    return _seconds(tag, end.decode("ascii"))


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
