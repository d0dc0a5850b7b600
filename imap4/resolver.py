"""Name -> addresses, under a deadline that getaddrinfo itself does not know."""

from __future__ import annotations

import functools
import socket
from typing import Any, NamedTuple

from imap4.causes import Failed
from imap4.deadline import Deadline
from imap4.hostnames import family_of, to_ascii
from imap4.network import BLOCKING, Network
from imap4.text import clean


class Address(NamedTuple):
    """One address to connect to."""

    family: int
    sockaddr: Any
    """As ``socket.connect`` takes it for the family."""
    text: str
    """For people: the address without its port, or the path of a Unix socket."""


def unix_address(path: str) -> Address:
    """The address of a Unix socket."""
    return Address(socket.AF_UNIX, path, path)


def resolve(
    host: str, port: int, family: int, deadline: Deadline, network: Network = BLOCKING
) -> list[Address]:
    """Find the addresses of a name, in the resolver's order (RFC 6724), each once.

    Raises:
        Failed: ``dns.not_found``, ``dns.failure`` or ``dns.timeout``.
        Failed: also ``connect.unreachable`` for an address with a zone that this machine has not.
        OSError: this machine could not even ask, for want of memory or descriptors; that says nothing
            about the name.
        NotAHost: it is neither a name nor an address.
    """
    if family_of(host) is None:
        return _look_up(to_ascii(host), port, family, deadline, network)
    try:
        return list(_literal(host, port, family))
    except socket.gaierror as error:
        zone = host.partition("%")[2]
        if zone and error.errno == socket.EAI_NONAME:
            raise Failed("connect.unreachable", f"this machine has no interface {clean(zone)}") from None
        raise _explained(error, family) from None


@functools.lru_cache(4096)
def _literal(host: str, port: int, family: int) -> tuple[Address, ...]:
    """A literal address needs no resolver, cannot block, and is the same every time."""
    return tuple(_addresses(host, port, family, socket.AI_NUMERICHOST))


def _look_up(host: str, port: int, family: int, deadline: Deadline, network: Network) -> list[Address]:
    """Ask the resolver apart: getaddrinfo cannot be interrupted, only left behind."""
    answer: list[list[Address] | Exception] = []

    def ask() -> None:
        try:
            answer.append(_addresses(host, port, family, 0))
        except Exception as error:
            answer.append(error)

    network.apart(ask, deadline)
    if not answer:
        raise Failed("dns.timeout", f"name not resolved within {deadline.seconds:g} s", out_of_time=True)
    found = answer[0]
    if isinstance(found, socket.gaierror):
        raise _explained(found, family)
    if isinstance(found, Exception):
        raise found
    return found


def _addresses(host: str, port: int, family: int, flags: int) -> list[Address]:
    # As bytes, a name passes by Python's costly IDNA codec, which is that of 2003 besides.
    answers = socket.getaddrinfo(host.encode("ascii"), port, family, socket.SOCK_STREAM, 0, flags)
    return list(dict.fromkeys(Address(found, sockaddr, str(sockaddr[0])) for found, *_, sockaddr in answers))


def _explained(error: socket.gaierror, family: int) -> Exception:
    """What getaddrinfo(3) means. Python makes EAI_SYSTEM an OSError of its own, with errno."""
    if error.errno == socket.EAI_MEMORY:
        return error
    if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY):
        kind = "IPv4 " if family == socket.AF_INET else "IPv6 " if family == socket.AF_INET6 else ""
        return Failed("dns.not_found", f"name has no {kind}address" if kind else "name not found")
    # EAI_AGAIN: no server could be reached, or each said SERVFAIL or REFUSED. EAI_FAIL: an answer that makes
    # no sense. Neither says that there is no such name.
    return Failed("dns.failure", f"name not resolved: {(error.strerror or str(error)).lower()}")
