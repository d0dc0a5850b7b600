"""Connecting to the first of several addresses that takes it, and why none did."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from imap4.causes import Failed
from imap4.check.connection import RESET, Connection, strerror
from imap4.check.options import UsageError
from imap4.deadline import Deadline
from imap4.network import BLOCKING, Network
from imap4.resolver import Address

# IP_RECVERR and IPV6_RECVERR of Linux (ip(7), ipv6(7)), which the socket module has only from Python 3.14.
_ICMP_TOLD: dict[int, tuple[int, int]] = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}

_REFUSED = {
    errno.ECONNREFUSED: "connection refused",
    errno.ENOENT: "no such socket",
    # A Unix socket whose queue is full answers so (connect(2)).
    errno.EAGAIN: "queue of connections is full",
}


def connect(
    addresses: Sequence[Address], source: str | None, deadline: Deadline, network: Network = BLOCKING
) -> tuple[Connection, list[tuple[Address, Failed]]]:
    """Connect to the first address that takes it, in their order.

    The time left is shared among the addresses left, so that one dead address cannot use it all up.

    Returns:
        The connection, and the addresses before it with what was wrong with them.

    Raises:
        Failed: none took it; told is the first that gave an answer, else the first.
        UsageError: the source address is not one of this machine.
    """
    failures: list[tuple[Address, Failed]] = []
    for index, address in enumerate(addresses):
        share = deadline.share(deadline.left / (len(addresses) - index))
        try:
            return Connection(_open(address, source, share, network), address, deadline), failures
        except Failed as failure:
            failures.append((address, failure))
    told = next((failure for _, failure in failures if not failure.out_of_time), failures[0][1])
    if told.out_of_time:
        raise Failed(told.cause, f"no connection within {deadline.seconds:g} s", out_of_time=True)
    raise told


def _open(address: Address, source: str | None, deadline: Deadline, network: Network) -> socket.socket:
    sock: socket.socket | None = None
    try:
        sock = network.socket(address.family, socket.SOCK_STREAM)
        if source is not None:
            _bind(sock, source)
        if deadline.left <= 0:
            raise TimeoutError
        sock.settimeout(deadline.left)
        level, option = _ICMP_TOLD.get(address.family, (0, 0))
        if level or option:
            sock.setsockopt(level, option, 1)
        sock.connect(address.sockaddr)
        if level or option:
            # On a connection, it would make every passing ICMP message fatal: ip(7).
            sock.setsockopt(level, option, 0)
    except OSError as error:
        failure: Exception = error
        try:
            failure = _explained(error, sock, address)
        finally:
            if sock is not None:
                sock.close()
        raise failure from None
    except UsageError:
        if sock is not None:
            sock.close()
        raise
    return sock


def _bind(sock: socket.socket, source: str) -> None:
    try:
        sock.bind((source, 0))
    except OSError as error:
        raise UsageError(f"argument --source: cannot connect from {source}: {strerror(error)}") from None


def _explained(error: OSError, sock: socket.socket | None, address: Address) -> Exception:
    if isinstance(error, TimeoutError):
        # Python's own time-out has no errno; the kernel's has, and may come before ours.
        return Failed("connect.timeout", "no answer", out_of_time=error.errno is None)
    if error.errno in RESET:
        return Failed("connect.reset", "connection reset before the greeting")
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
        return error
    if sock is not None and address.family in _ICMP_TOLD:
        from imap4.check.icmp import told

        rejected = told(sock)
        if rejected:
            return Failed("connect.unreachable", rejected)
    if error.errno in _REFUSED:
        return Failed("connect.refused", _REFUSED[error.errno])
    if error.errno == errno.EINVAL:  # ip-route(8): what connect(2) says of a blackhole route
        return Failed("connect.unreachable", "a blackhole route of this machine drops the packets")
    return Failed("connect.unreachable", strerror(error))
