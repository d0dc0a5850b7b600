"""The header of the PROXY protocol, which a server behind HAProxy wants to read before it greets.

HAProxy's doc/proxy-protocol.txt: section 2.1 for version 1, a line, section 2.2 for version 2, binary. The
client that the header names is this machine, as the server would see it without a proxy. Imported only
for ``--proxy-protocol``.
"""

from __future__ import annotations

import socket
from typing import Any

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LOCAL, _PROXY = 0x20, 0x21
"""Version 2, and whether the connection is the proxy's own or made for a client."""

_TCP4, _TCP6 = 0x11, 0x21


def header(version: int, family: int, source: Any, destination: Any) -> bytes:
    """The header.

    Args:
        version: 1 or 2.
        family: of the connection; a Unix socket's has no addresses to tell.
        source: the connection's own end, as ``getsockname`` tells it.
        destination: the server's end, as ``getpeername`` tells it.
    """
    known = family in (socket.AF_INET, socket.AF_INET6)
    if version == 1:
        if not known:
            return b"PROXY UNKNOWN\r\n"
        name = "TCP4" if family == socket.AF_INET else "TCP6"
        ends = f"{_bare(source)} {_bare(destination)} {source[1]} {destination[1]}"
        return f"PROXY {name} {ends}\r\n".encode("ascii")
    if not known:
        return _SIGNATURE + bytes((_LOCAL, 0, 0, 0))
    addresses = b"".join(socket.inet_pton(family, _bare(end)) for end in (source, destination))
    addresses += b"".join(int(end[1]).to_bytes(2, "big") for end in (source, destination))
    kind = _TCP4 if family == socket.AF_INET else _TCP6
    return _SIGNATURE + bytes((_PROXY, kind)) + len(addresses).to_bytes(2, "big") + addresses


def _bare(end: Any) -> str:
    """The address without an IPv6 zone, which means nothing to another machine."""
    return str(end[0]).partition("%")[0]
