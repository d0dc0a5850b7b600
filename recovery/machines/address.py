"""From the machine's name, as the caller knows it, to its address: IP address, DNS name or NetBIOS name."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from imap4.causes import CAUSES, Failed
from imap4.deadline import Deadline
from imap4.hostnames import NotAHost
from imap4.resolver import resolve
from recovery.errors import NameNotFound, NameNotResolved, UsageError
from recovery.machines.netbios import is_netbios_name, lookup
from recovery.model import Target

_TRY_SECONDS = 3.0


def locate(machine: str, port: int | None, deadline: Deadline) -> Target:
    """Where ``machine`` is.

    Of several addresses it is the first that takes a connection to ``port`` (22 if None), or else the first.

    Raises:
        UsageError: the name or the port cannot be one.
        NameNotFound: DNS does not know the name, and as a NetBIOS name nobody answers to it.
        NameNotResolved: whether it has an address is not known: the name servers did not say.
    """
    if (found := literal(machine, port)) is not None:
        return found
    try:
        addresses = [one.text for one in resolve(machine, port or 22, socket.AF_UNSPEC, deadline)]
    except Failed as failed:
        told = f"{machine}: {failed.text} [{failed.cause}]; {CAUSES[failed.cause].hint}"
        # NetBIOS is asked for what DNS says is not there, and for nothing else: anybody on the network may
        # answer to it, and nobody should get to by keeping the name servers from answering.
        if failed.cause != "dns.not_found":
            raise NameNotResolved(told) from None
        if not is_netbios_name(machine):
            raise NameNotFound(told) from None
        return Target(machine, lookup(machine, deadline), port)
    except NotAHost as error:
        raise UsageError(f"{machine!r} is not the name of a machine: {error}") from None
    except OSError as error:
        raise NameNotResolved(f"{machine}: this host could not ask for it: {error.strerror}") from None
    return Target(machine, _reachable(addresses, port or 22, deadline), port)


def literal(machine: str, port: int | None) -> Target | None:
    """The target where ``machine`` is an address already; None where it is a name to be looked up.

    Raises:
        UsageError: the name or the port cannot be one.
    """
    if port is not None and not 0 < port < 65536:
        raise UsageError(f"port {port} is not between 1 and 65535")
    with contextlib.suppress(ValueError):
        address = canonical(machine.strip("[]"))
        return Target(address, address, port)
    if not machine or machine.startswith("-") or not machine.isprintable() or set(machine) & set(" /\\@"):
        raise UsageError(f"{machine!r} is not the name of a machine")
    return None


def canonical(address: str) -> str:
    """An IP address as known_hosts files and locks have it: ``::1`` for ``0:0:0:0:0:0:0:1``.

    Raises:
        ValueError: it is none.
    """
    number, sign, zone = address.partition("%")
    found = ipaddress.ip_address(number)
    # Only a link-local address means another machine on another interface (RFC 4007, 4); ssh drops the rest.
    return f"{found}{sign}{zone}" if found.is_link_local and zone else str(found)


def _reachable(addresses: list[str], port: int, deadline: Deadline) -> str:
    if len(addresses) > 1:
        for address in addresses:
            # Of two addresses one may lead nowhere (IPv6 without a route): a short try for each.
            limit = min(_TRY_SECONDS, deadline.left)
            with (
                contextlib.suppress(OSError),
                socket.create_connection((address, port), timeout=limit or 0.1),
            ):
                return address
    return addresses[0]
