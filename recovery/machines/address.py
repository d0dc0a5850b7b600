"""From the machine's name, as the caller knows it, to its address: IP address, DNS name or NetBIOS name."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading

from imap4.deadline import Deadline
from recovery.errors import NameNotFound, UsageError
from recovery.machines.netbios import is_netbios_name, lookup
from recovery.model import Target

_TRY_SECONDS = 3.0


def locate(machine: str, port: int | None, deadline: Deadline) -> Target:
    """Where ``machine`` is.

    Of several addresses it is the first that takes a connection to ``port`` (22 if None), or else the first.

    Raises:
        UsageError: the name or the port cannot be one.
        NameNotFound: DNS does not know the name, and as a NetBIOS name nobody answers to it.
    """
    if port is not None and not 0 < port < 65536:
        raise UsageError(f"port {port} is not between 1 and 65535")
    bare = machine.strip("[]")
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(bare.partition("%")[0])
        return Target(bare, bare, port)
    if not machine or machine.startswith("-") or not machine.isprintable() or set(machine) & set(" /\\@"):
        raise UsageError(f"{machine!r} is not the name of a machine")
    try:
        addresses = _resolve(machine, deadline)
    except NameNotFound:
        if not is_netbios_name(machine):
            raise
        return Target(machine, lookup(machine, deadline), port)
    return Target(machine, _reachable(addresses, port or 22, deadline), port)


def _resolve(name: str, deadline: Deadline) -> list[str]:
    found: list[str] = []
    errors: list[str] = []

    def ask() -> None:
        try:
            for *_, address in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM):
                found.append(str(address[0]))
        except (OSError, UnicodeError) as error:
            errors.append(getattr(error, "strerror", None) or str(error))

    # The resolver cannot be interrupted, so it is left behind when the time is up.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(deadline.left)
    if thread.is_alive():
        raise NameNotFound(f"{name}: DNS did not answer within {deadline.seconds:.0f} s")
    if not found:
        raise NameNotFound(f"{name}: {errors[0] if errors else 'no address'}")
    return list(dict.fromkeys(found))


def _reachable(addresses: list[str], port: int, deadline: Deadline) -> str:
    if len(addresses) > 1:
        for address in addresses:
            limit = min(_TRY_SECONDS, deadline.left)
            with (
                contextlib.suppress(OSError),
                socket.create_connection((address, port), timeout=limit or 0.1),
            ):
                return address
    return addresses[0]
