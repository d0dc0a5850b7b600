"""What a credential may be used for: asked before a connection is made. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from recovery.errors import Refused, UsageError
from recovery.model import Credential, Target

ACTIONS = ("restart-service", "reboot-server", "external-process")
JUMP = "jump"
"""What a credential must be for to log in to a jump host. It is no action, and ``all`` does not include it:
whoever may jump reaches what is behind the host."""
_NAME_PATTERN = re.compile(r"[A-Za-z0-9_.*?-]{1,255}", re.ASCII)


def read_machines(text: str) -> tuple[str, ...]:
    """The patterns in a comma list: names with ``*`` and ``?``, addresses, and networks.

    Raises:
        UsageError: one of them is none of these.
    """
    return tuple(_read_machine(word.strip()) for word in text.split(",") if word.strip())


def _read_machine(word: str) -> str:
    if "/" in word or ":" in word:
        try:
            return str(ipaddress.ip_network(word) if "/" in word else ipaddress.ip_address(word))
        except ValueError:
            pass
        try:
            # 192.0.2.1/24 may mean that machine or its whole network; the wider one is not guessed.
            meant = ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise UsageError(f"{word!r} is no address and no network") from None
        raise UsageError(f"{word!r} has host bits set; write {meant}")
    if not _NAME_PATTERN.fullmatch(word):
        raise UsageError(f"{word!r} is no name pattern; write mail1, *.example.org or 192.0.2.0/24")
    return word.lower().rstrip(".")


def read_actions(text: str) -> tuple[str, ...]:
    """The actions in a comma list; ``all`` is each of them, without ``jump``.

    Raises:
        UsageError: one of them is no action.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in (*ACTIONS, JUMP, "all"):
            raise UsageError(
                f"{word!r} is no action; actions are {', '.join(ACTIONS)}, or all; and {JUMP} for jump hosts"
            )
    found = tuple(action for action in ACTIONS if action in words or "all" in words)
    return (*found, JUMP) if JUMP in words else found


def check_name(credential: Credential, machine: str, action: str | None) -> None:
    """:func:`check`, as far as it can be told before the machine's address is looked up.

    Raises:
        Refused: as :func:`check`, whatever the address will be.
    """
    _check_action(credential, action)
    # Where no pattern is a network, no address can make the machine fit: ask no DNS for it.
    if not any(_network(pattern) for pattern in credential.machines):
        _check_machine(credential, Target(machine, ""))


def check(credential: Credential, target: Target, action: str | None) -> None:
    """Pass where ``credential`` may be used on ``target`` for ``action``.

    Args:
        action: one of :data:`ACTIONS`, :data:`JUMP`, or None for looking only (services, doctor, test),
            which every allowed machine permits.

    Raises:
        Refused: it may not. A credential without machines may be used on none.
    """
    _check_action(credential, action)
    _check_machine(credential, target)


def _check_machine(credential: Credential, target: Target) -> None:
    if any(matches(pattern, target) for pattern in credential.machines):
        return
    where = target.machine
    if target.address and target.address != target.machine:
        where += f" ({target.address})"
    if not target.address and any(_network(pattern) for pattern in credential.machines):
        where += " (whose address only the jump host knows: allow its name, or call it by its address)"
    raise Refused(
        f"credential {credential.name} may not be used on {where}: it is for {_all(credential.machines)} "
        f"(imap4-recovery credentials set {credential.name} --machines ... changes that)"
    )


def _check_action(credential: Credential, action: str | None) -> None:
    if action is not None and action not in credential.actions:
        raise Refused(
            f"credential {credential.name} may not be used for {action}: "
            f"it is for {_all(credential.actions)} "
            f"(imap4-recovery credentials set {credential.name} --actions ... changes that)"
        )


def matches(pattern: str, target: Target) -> bool:
    """Whether a pattern names the machine as the caller did, or holds the address that it was found at."""
    address = _address(target.address)
    network = _network(pattern)
    if network is not None:
        return address is not None and address.version == network.version and address in network
    # "fnmatch" would mind case or not as this host does; DNS never minds (RFC 4343).
    return fnmatchcase(target.machine.lower().rstrip("."), pattern.lower())


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        # What follows % is the interface here, not a part of the address there (RFC 4007, 11).
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # ::ffff:192.0.2.1 is the machine 192.0.2.1 (RFC 4291, 2.5.5.2): its network must fit too.
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _network(pattern: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(pattern)
    except ValueError:
        return None


def _all(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"
