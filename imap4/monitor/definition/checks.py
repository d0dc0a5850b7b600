"""How single values of a definition are checked; each check returns the value or raises ``Bad``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class Bad(Exception):
    """The value cannot be used; the text says why and what would do."""


Check = Callable[[Any], Any]


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a definition file."""

    line: int | None
    monitor: str
    """How the monitor is called in messages: ``monitor "Mail"``, ``[defaults]`` or ````."""
    field: str
    """Dotted, from the monitor: ``delays.up``."""
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.monitor, self.field, self.text) if part)


def shown(value: object) -> str:
    """The value as a person wrote it in TOML, cut where it is long."""
    text = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
    if text is None:
        text = '"' + value + '"' if isinstance(value, str) else str(value)
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 60 else text[:57] + "..."


def integer(least: int, most: int, unit: str = "") -> Check:
    """A whole number in a range."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Bad(f"{shown(value)} is not a whole number{unit}")
        if not least <= value <= most:
            raise Bad(f"{value} is not between {least} and {most}{unit}")
        return value

    return check


def boolean(value: Any) -> bool:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        raise Bad(f"{shown(value)} is neither true nor false")
    return value


def text(most: int = 1024, *, least: int = 1) -> Check:
    """A text on one line: engines' configuration files have one line for a value."""

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise Bad(f"{shown(value)} is not a text; put it in quotes")
        if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value):
            raise Bad("a line break or control character cannot be used here")
        if not least <= len(value) <= most:
            raise Bad(f"{len(value)} characters; {least} to {most} are allowed")
        if value != value.strip():
            raise Bad("remove the white space before or after it")
        return value

    return check


def argument(value: Any) -> str:
    """One argument of a command: as ``text``, but it may be empty and begin with white space."""
    if not isinstance(value, str):
        raise Bad(f"{shown(value)} is not a text; put it in quotes")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in value):
        raise Bad("a line break or control character cannot be used here")
    if len(value) > 1024:
        raise Bad(f"{len(value)} characters; at most 1024 are allowed")
    return value


def choice(*names: str) -> Check:
    """One of some words."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise Bad(f"{shown(value)} is none of {', '.join(names)}")
        return value

    return check


def matching(pattern: str, what: str) -> Check:
    """A text that matches a pattern as a whole; ``what`` says what it should be."""
    compiled = re.compile(pattern)
    plain = text()

    def check(value: Any) -> str:
        found: str = plain(value)
        if not compiled.fullmatch(found):
            raise Bad(f"{shown(found)} is not {what}")
        return found

    return check


def path(value: Any) -> str:
    """The absolute path of a file; whether it is there is the plugin's to say."""
    found: str = text(4096)(value)
    if not found.startswith("/"):
        raise Bad(f"{shown(found)} is not an absolute path")
    return found


def listed(check: Check, *, least: int = 0, unique: bool = True) -> Check:
    """A list whose every element passes ``check``; a tuple comes back."""

    def check_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Bad(f"{shown(value)} is not a list; write [...]")
        if len(value) < least:
            raise Bad("the list is empty")
        found = tuple(check(element) for element in value)
        twice = [element for number, element in enumerate(found) if element in found[:number]]
        if unique and twice:
            raise Bad(f"{shown(twice[0])} is in the list twice")
        return found

    return check_all


def table(value: Any) -> Mapping[str, Any]:
    """A TOML table."""
    if not isinstance(value, dict):
        raise Bad(f"{shown(value)} is not a table")
    return value
