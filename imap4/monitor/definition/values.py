"""How the values are checked that only definitions have: names, ranges of alerts, contacts, options."""

from __future__ import annotations

import re
from typing import Any

from imap4.hostnames import NotAHost, family_of, lacks_zone, to_ascii
from imap4.monitor import jumps
from imap4.monitor.definition import checks
from imap4.monitor.definition.checks import Bad
from imap4.monitor.model import AlertRange, Contact, object_name

# What a name on the network may look like; strict, because it ends up on command lines.
_ADDRESS = checks.matching(
    r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?\]?|/.+",
    "a name, an IP address or the absolute path of a socket",
)


def address(value: Any) -> str:
    """A name, an IP address or the absolute path of a socket, and nothing that belongs elsewhere."""
    try:
        found: str = _ADDRESS(value)
    except Bad as error:
        url = (
            re.fullmatch(r"(?:[a-z]+://)?([^/:@]+)(?::(\d{1,5}))?/?", value)
            if isinstance(value, str)
            else None
        )
        if url and (url[2] or "//" in value):
            port = f" and port = {url[2]}" if url[2] else ""
            raise Bad(f'{checks.shown(value)}: write the name alone, address = "{url[1]}"{port}') from None
        raise error
    return found if found.startswith("/") else _host(found, found.strip("[]"))


def _host(value: str, bare: str) -> str:
    if lacks_zone(bare):
        raise Bad(f"{checks.shown(value)} needs its interface, as in {bare}%eth0")
    if family_of(bare) is None:
        try:
            to_ascii(bare)
        except NotAHost as error:
            raise Bad(f"{checks.shown(value)}: {error}") from None
    return value


_MACHINE = checks.matching(
    r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*",
    "an FQDN, a NetBIOS name or an IP address",
)


def machine(value: Any) -> str:
    """An FQDN, a NetBIOS name or an IP address."""
    found: str = _MACHINE(value)
    return _host(found, found)


def jump(value: Any) -> str:
    """A jump host: ``CREDENTIAL@HOST`` or ``CREDENTIAL@HOST:PORT``."""
    found: str = checks.text()(value)
    try:
        jumps.parse(found)
    except ValueError as error:
        raise Bad(str(error)) from None
    return found


NAME = checks.text(64)


def known_object(value: Any) -> str:
    """The name of an object that an engine has already; engines forbid some characters in it."""
    found: str = checks.text(128)(value)
    if object_name(found) != found:
        raise Bad(f"{checks.shown(found)} has a character that engines do not allow in names")
    return found


def alert_range(value: Any) -> AlertRange:
    """``2``, ``"2"``, ``"1-3"`` or ``"4-"``."""
    found = re.fullmatch(r"([1-9]\d{0,3})(-([1-9]\d{0,3})?)?", str(value))
    if isinstance(value, bool) or not isinstance(value, int | str) or not found:
        raise Bad(f'{checks.shown(value)} is no range of alerts; write "2", "1-3" or "4-"')
    first, dash, last = int(found[1]), found[2], found[3]
    if last and int(last) < first:
        raise Bad(f"{checks.shown(value)} ends before it begins")
    return AlertRange(first, int(last) if last else None if dash else first)


def contact(value: Any) -> Contact:
    """``"admins"``, or a table with ``name`` or ``group``, and ``alerts``."""
    if isinstance(value, str):
        if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            raise Bad(
                f"{checks.shown(value)} is an e-mail address; write the name of the engine's contact that "
                f'has it, or {{ name = "{value}" }} if this is its name'
            )
        return Contact(known_object(value))
    found = checks.table(value)
    unknown = sorted(set(found) - {"name", "group", "alerts"})
    if unknown or ("name" in found) == ("group" in found):
        raise Bad('a contact is "NAME", { name = "NAME", alerts = "1-2" } or { group = "NAME" }')
    name = known_object(found.get("name", found.get("group")))
    return Contact(name, alert_range(found.get("alerts", "1-")), "group" in found)


# The definition has keys for these, or they make WARNINGs: a test passes or fails, and a failure that
# lasts uses up the alerts that a worse one would need.
_NOT_OPTIONS = {
    "-H": "address", "--host": "address", "--hostname": "address", "-p": "port", "--port": "port",
    "-t": "test_duration", "--timeout": "test_duration", "-S": "tls.mode", "--tls": "tls.mode",
    "--starttls": "tls.mode", "--insecure": "tls.verify", "--ca-file": "tls.ca_file",
    "--ssl": "tls.mode", "--sni": "tls.server_name", "--server-name": "tls.server_name",
    "--tls-min": "tls.minimum", "--client-cert": "tls.client_cert",
    "--client-key": "tls.client_key", "--logout": "logout",
    "-w": "", "--warning": "", "-D": "", "--certificate": "",
    "--no-preauth": "",
}  # fmt: skip


WARNS = "makes WARNINGs, which would use up the alerts; make it a service of its own"


def options(value: Any) -> tuple[str, ...]:
    """More options of the plugin; ``check_options`` lets the plugin itself look at them."""
    found: tuple[str, ...] = checks.listed(checks.argument, unique=False)(value)
    for option in found:
        joined = re.fullmatch(r"(--[a-z][a-z-]+|-[A-Za-z])\s+(\S.*)", option)
        if joined:
            raise Bad(f'{checks.shown(option)} is two arguments; write "{joined[1]}", "{joined[2]}"')
        short = re.match(r"--[a-z-]+|-[A-Za-z]", option)
        key = _NOT_OPTIONS.get(short[0]) if short else None
        if short and key:
            raise Bad(f"{short[0]}: use the key {key}")
        if short and key == "":
            raise Bad(f"{short[0]} {WARNS}")
    return found
