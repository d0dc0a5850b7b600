"""What a host may be called: a name that a resolver can be asked for, or a literal address.

Nothing in between. ``127.0.0.010``, ``0x7f.1`` and ``2130706433`` are addresses to the C library
(inet_aton(3)), and not the ones that their writer meant.
"""

from __future__ import annotations

import functools
import re
import socket

_LABEL = re.compile("[A-Za-z0-9_-]{1,63}")

# The rule of the URL standard (its "ends in a number checker"), since no top-level domain is one.
_NUMBER = re.compile("[0-9]+|0[xX][0-9A-Fa-f]*")


class NotAHost(ValueError):
    """It is neither a name nor an address; the text says why."""


def family_of(text: str) -> int | None:
    """``AF_INET`` or ``AF_INET6`` of a literal address, its zone included; None for anything else."""
    if not text.isascii():
        return None
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text.partition("%")[0] if family == socket.AF_INET6 else text)
        except (OSError, ValueError):
            continue
        return family
    return None


def lacks_zone(text: str) -> bool:
    """Whether it is an IPv6 address that means something only with an interface (RFC 4007 section 6)."""
    if "%" in text or family_of(text) != socket.AF_INET6:
        return False
    first, second = socket.inet_pton(socket.AF_INET6, text)[:2]
    link_local = first == 0xFE and second & 0xC0 == 0x80
    return link_local or (first == 0xFF and second & 0x0F in (1, 2))


@functools.lru_cache(4096)
def to_ascii(name: str) -> str:
    """The name as resolvers and certificates have it: by IDNA 2008 where it is not ASCII.

    Raises:
        NotAHost: it is no name (RFC 1035 section 2.3.4, RFC 5891), but it may be an address.
    """
    if len(name) > 254:
        raise NotAHost("a name has at most 253 characters")
    encoded = name if name.isascii() else _by_idna(name)
    labels = encoded.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        raise NotAHost("an IPv4 address is four numbers up to 255, without leading zeros")
    if len(encoded.removesuffix(".")) > 253:
        raise NotAHost("a name has at most 253 characters")
    if not all(map(_LABEL.fullmatch, labels)):
        raise NotAHost("between its dots, a name has 1 to 63 letters, digits, - or _")
    return encoded


def _by_idna(name: str) -> str:
    import idna

    try:
        # UTS 46 maps capitals and full-width letters, which IDNA 2008 itself refuses.
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise NotAHost(f"not a name by IDNA 2008: {error}") from None
    except UnicodeError:
        raise NotAHost("it is not text") from None
