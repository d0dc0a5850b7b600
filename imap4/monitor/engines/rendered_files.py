"""Puts rendered configuration into a folder: only files that are ours, each replaced in one step."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imap4 import folders

# The first words of every file that is ours, after the engine's sign for a comment.
MARK = "Written by imap4-monitor"
Monitor = tuple[str, str]
"""The engines' host and service."""


class RenderError(Exception):
    """A file cannot be written, or is somebody else's; nothing of it was changed."""


@dataclass(frozen=True)
class Rendered:
    """What became of one file."""

    name: str
    changed: bool
    monitors: frozenset[Monitor]
    """Host and service of each monitor that the file has now."""
    come: tuple[Monitor, ...] = ()
    gone: tuple[Monitor, ...] = ()


def source_name(path: str) -> str:
    """How a definition file is called in the files that are rendered from it."""
    return "".join(c if c.isprintable() and c != "," else "?" for c in Path(path).name)


def header(sign: str, *sources: str) -> str:
    """The first two lines of a rendered file; ``sign`` begins a comment, without sources it is for all."""
    origin = f"from {', '.join(sorted(map(source_name, sources)))}" if sources else "for all monitors"
    remedy = "change the definition" if sources else "its text is the program's"
    return f"{sign} {MARK} {origin}.\n{sign} The next rendering replaces this file: {remedy}.\n"


def _sources(first_line: str) -> Counter[str]:
    found = re.search(rf"{MARK} from (.*)\.$", first_line.rstrip())
    return Counter(found[1].split(", ") if found else ())


def monitors_in(text: str) -> frozenset[Monitor]:
    """Host and service of the monitors in a rendered file, of Nagios or of Icinga 2."""
    found = set()
    for block in re.findall(r"^define service \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE):
        values = dict(re.findall(r"^ +(\S+) +(.*)$", block, re.MULTILINE))
        if "service_description" in values:
            found.add((values.get("host_name", ""), values["service_description"]))
    for service, host in re.findall(
        r'^object Service "(.*)" \{\n.*\n  host_name = "(.*)"$', text, re.MULTILINE
    ):
        found.add((re.sub(r"\\(.)", r"\1", host), re.sub(r"\\(.)", r"\1", service)))
    return frozenset(found)


def _old(path: Path) -> str:
    """The text of a file of ours, empty where there is none.

    Raises:
        RenderError: it is somebody else's, or it is a link or anything else that could hold us up.
    """
    try:
        # A link or a FIFO may have come since we looked: the folder can be another user's.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            data = file.read() if plain else b""
    except FileNotFoundError:
        return ""
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise
        data = b""
    if MARK.encode() not in data.partition(b"\n")[0][:200]:
        raise RenderError(f"{path}: was not written by imap4-monitor; move it away or choose another -o")
    return data.decode("utf-8", "replace")


def _refuse_other_sources(path: Path, old: str, new: str) -> None:
    """Monitors of a definition file that was not given this time would go without a word."""
    before, now = _sources(old.partition("\n")[0]), _sources(new.partition("\n")[0])
    missing = sorted((before - now).elements())
    if now and missing:
        count = len(monitors_in(old) - monitors_in(new))
        them = "it" if len(missing) == 1 else "them"
        raise RenderError(
            f"{path}: was rendered from {', '.join(missing)} too, and {count} of its monitors would go; "
            f"give {them} as well, all files in one call; or let the monitors go with --replace"
        )


def write(folder: Path, files: Mapping[str, str], *, replace: bool = False) -> list[Rendered]:
    """Write ``files`` (name -> text); what became of each comes back.

    A file that is already there is replaced only if it begins with our mark and was rendered from no other
    definition, and left alone if it is the same already. A reader sees the old file or the new one, whatever
    happens in between. Root writes into another user's folder as that user, and the files are theirs.

    Args:
        replace: also where it was rendered from other definitions.

    Raises:
        RenderError: before anything was changed, where a file is not ours or is from other definitions; or
            where writing fails.
    """
    try:
        with folders.as_owner(folder):
            return _write(folder, files, replace)
    except OSError as error:
        raise RenderError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None


def refuse(folder: Path, files: Mapping[str, str], *, replace: bool = False) -> dict[str, str]:
    """What is in the files now, by name; empty where one is not there.

    Raises:
        RenderError: one is not ours, is from other definitions, or cannot be read.
    """
    try:
        with folders.as_owner(folder):
            return _refused(folder, files, replace)
    except OSError as error:
        raise RenderError(f"{error.filename or folder}: cannot be read: {error.strerror}") from None


def _refused(folder: Path, files: Mapping[str, str], replace: bool) -> dict[str, str]:
    old = {name: _old(folder / name) for name in files}
    for name, text in files.items():
        if not replace:
            _refuse_other_sources(folder / name, old[name], text)
    return old


def _write(folder: Path, files: Mapping[str, str], replace: bool) -> list[Rendered]:
    done = []
    folder.mkdir(parents=True, exist_ok=True)
    old = _refused(folder, files, replace)
    for name, text in files.items():
        before, now = monitors_in(old[name]), monitors_in(text)
        changed = old[name] != text
        if changed:
            _replace(folder / name, text)
        done.append(Rendered(name, changed, now, tuple(sorted(now - before)), tuple(sorted(before - now))))
    return done


def _replace(path: Path, text: str) -> None:
    mode = path.lstat().st_mode & 0o777 if path.exists() else 0o644
    folders.replace_file(path, text.encode(), mode)
