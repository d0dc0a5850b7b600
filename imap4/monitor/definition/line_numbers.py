"""Finds the line of a key in a TOML file. The standard library's parser keeps no lines.

This is no second parser: it looks for table headers and for keys at the beginning of a line, after the
file was found to be valid TOML. Where it cannot tell (inline tables), it gives the line of what is around.
"""

from __future__ import annotations

import re
from typing import NamedTuple

Path = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]


def _without_long_strings(text: str) -> str:
    """The text with what is inside triple quotes blanked, line breaks kept."""
    return re.sub(
        r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'',
        lambda found: '""' + "\n" * found.group().count("\n"),
        text,
        flags=re.DOTALL,
    )


def lines_of(text: str) -> dict[Path, int]:
    """The line number of every key and table, by its path; elements of arrays of tables have numbers."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(_without_long_strings(text).split("\n"), 1):
        header = _HEADER.match(line)
        if header:
            parts = _parts(header.group(2))
            table = ()
            for part in parts[:-1]:
                table = (*table, part)
                if table in counts:
                    table = (*table, counts[table] - 1)
            table = (*table, parts[-1])
            if header.group(1) == "[[":
                index = counts.get(table, 0)
                counts[table] = index + 1
                table = (*table, index)
            elif table in counts:
                table = (*table, counts[table] - 1)
            found.setdefault(table, number)
            if header.group(1) == "[[":
                found.setdefault(table[:-1], number)
            continue
        key = _KEY.match(line)
        if key:
            path = table
            for part in _parts(key.group(1)):
                path = (*path, part)
                found.setdefault(path, number)
    return found


class Twice(NamedTuple):
    """A key that is there a second time in one table."""

    key: str
    line: int
    before: int


def twice(text: str) -> Twice | None:
    """The first key that a table has twice; None where none can be seen."""
    seen: dict[str, int] = {}
    for number, line in enumerate(_without_long_strings(text).split("\n"), 1):
        if _HEADER.match(line):
            seen = {}
        key = _KEY.match(line)
        if key:
            name = ".".join(_parts(key.group(1)))
            if name in seen:
                return Twice(name, number, seen[name])
            seen[name] = number
    return None


def line_at(lines: dict[Path, int], path: Path) -> int | None:
    """The line of ``path``, or of the nearest thing around it."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None
