"""Who rejected a connection by ICMP, and with which words; imported only after one has failed.

To a program, a firewall's "port unreachable" looks like a refused connection (the kernel makes ECONNREFUSED
of it), though the machine behind may be well. Linux keeps the message for who asked for it: ip(7) and
ipv6(7), "IP_RECVERR"; for TCP since 5.9, before which nothing is found here. Seen on Linux 6.1 and 6.18.
"""

from __future__ import annotations

import contextlib
import socket
import struct

_FROM_ICMP = (2, 3)
"""SO_EE_ORIGIN_ICMP and SO_EE_ORIGIN_ICMP6."""

# Type and code of "destination unreachable": RFC 792, RFC 1812 section 5.2.7.1; RFC 4443 section 3.1.
_WORDS = {
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 9): "network prohibited",
    (3, 10): "host prohibited",
    (3, 13): "administratively prohibited",
}
_WORDS6 = {
    (1, 0): "no route",
    (1, 1): "administratively prohibited",
    (1, 3): "address unreachable",
    (1, 4): "port unreachable",
    (1, 5): "source address not allowed",
    (1, 6): "route rejects it",
}


def told(sock: socket.socket) -> str:
    """What came back by ICMP, and from whom; empty where nothing did."""
    with contextlib.suppress(OSError, ValueError, struct.error):
        sock.settimeout(0)
        _, messages, _, _ = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
        for _, _, data in messages:
            # struct sock_extended_err, and the sender's socket address behind it.
            _, origin, kind, code = struct.unpack_from("IBBB", data)
            if origin in _FROM_ICMP:
                words = (_WORDS if origin == _FROM_ICMP[0] else _WORDS6).get((kind, code), "unreachable")
                return f"{words} (ICMP from {_sender(data[16:])})"
    return ""


def _sender(address: bytes) -> str:
    (family,) = struct.unpack_from("H", address)
    if family == socket.AF_INET:
        return socket.inet_ntop(family, address[4:8])
    return socket.inet_ntop(socket.AF_INET6, address[8:24])
