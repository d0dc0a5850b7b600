"""Packages that only some commands need: what is told where one is missing or too old."""

from __future__ import annotations

import re
from typing import NamedTuple


class Package(NamedTuple):
    """A package of ours to install, by the name that Python imports."""

    extra: str
    """The extra of check_imap4's that brings it."""
    debian: str = ""
    """Debian's package; empty where it has none."""


# Debian's names as of 13.
PACKAGES = {
    "greenlet": Package("worker", "python3-greenlet"),
    "duckdb": Package("reports"),
    "jinja2": Package("reports", "python3-jinja2"),
    "requests_credssp": Package("credssp"),
    "kerberos": Package("kerberos", "python3-kerberos"),
}


_OF_DEBIAN = "/usr/share/check-imap4/"
"""Where Debian's native packages of ours have their modules: pip is no remedy there."""


def missing(name: str) -> str:
    """One line for a command that cannot go on without the package, and how to get it."""
    package = PACKAGES[name]
    told = f"the package {name.replace('_', '-')} is missing"
    if __file__.startswith(_OF_DEBIAN):
        if package.debian:
            return f"{told}: apt install {package.debian}"
        return f"{told}, and Debian has none: see /usr/share/doc/imap4-monitor/README.Debian"
    debian = f", or apt install {package.debian}" if package.debian else ""
    return f"{told}: pip install 'check_imap4[{package.extra}]'{debian}"


def too_old(distribution: str, least: str) -> str | None:
    """What is wrong with the version that is installed; None where nothing is.

    Args:
        distribution: as pip calls it.
        least: the lower bound in setup.cfg. Debian's packages are not held to it by anybody.
    """
    # Recovery's transports alone ask; the check must not pay for it.
    from importlib import metadata

    try:
        found = metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return f"the package {distribution} is missing: pip install check_imap4"
    if _numbers(found) >= _numbers(least):
        return None
    return (
        f"the package {distribution} {found} is too old, {least} is needed: install check_imap4 with pip "
        "into a virtual environment of its own"
    )


def _numbers(version: str) -> list[int]:
    """``0.4.3`` -> [0, 4, 3]; what follows the numbers says nothing here."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return [int(number) for number in found[0].split(".")] if found else [0]
