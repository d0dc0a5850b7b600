"""The store's table of contents: which files are in it, and what was collected into them.

One file, replaced in one step. A file that it does not name is not part of the store: what a collector that
was killed has left behind is removed by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from imap4.monitor.records.errors import RecordsError

FORMAT = 1
_NAME = "manifest.json"


@dataclass(frozen=True)
class Part:
    """One columnar file."""

    name: str
    """In the store's folder."""
    day: str
    """The day (UTC, ``20261126``) that it belongs to."""
    rows: int
    first: int
    """Milliseconds since the epoch of its first and last test."""
    last: int
    whole: bool = False
    """Whether it holds the whole day."""
    kind: str = "tests"
    """``tests``, or ``notices`` from an engine's log."""


@dataclass
class Manifest:
    """What is in the store."""

    parts: list[Part] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)
    """Files of lines that are collected already, though they may still be there; with their broken lines."""
    seen: dict[str, int] = field(default_factory=dict)
    """Contents (SHA-256) that were collected, and when, so that the same file again is not counted twice."""
    broken: dict[str, int] = field(default_factory=dict)
    """For each hour (UTC, ``20261126T18``) in which there were some, lines that could not be read."""
    aside: list[str] = field(default_factory=list)
    """Files that were put aside since they have broken lines."""
    spells: dict[str, dict[str, int]] = field(default_factory=dict)
    """For each id, since when it passes or fails; see ``spells``."""
    ahead: dict[str, dict[str, int]] = field(default_factory=dict)
    """For each hour, the hosts whose tests came before the time that they give, and how many ms before."""


def load(store: Path) -> Manifest:
    """What is in a store; nothing where there is none.

    Raises:
        RecordsError: the manifest cannot be read, or is from a newer version.
    """
    path = store / _NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise RecordsError(f"{path}: format {data['format']} is not known here: upgrade check_imap4")
        parts = [Part(**each) for each in data["parts"]]
        more = {name: data[name] for name in ("sources", "seen", "broken", "aside", "spells")}
        more["ahead"] = data.get("ahead", {})
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise RecordsError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RecordsError(f"{path}: is damaged ({error}); the files beside it are whole") from None
    return Manifest(parts, **more)


def save(store: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step."""
    data = {"format": FORMAT, **asdict(manifest)}
    put(store, _NAME, json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())


def put(store: Path, name: str, data: bytes) -> None:
    """Replace a file of the store in one step, on the disk before it counts. Only who holds the lock may.

    By the same name each time: what a collector that was killed has left is written over by the next one.
    """
    path, new = store / name, store / (name + ".new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync(store)


def sync(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def damaged(store: Path, manifest: Manifest) -> list[Part]:
    """The files that are not there, or do not end as Parquet files do."""
    found = []
    for part in manifest.parts:
        try:
            with (store / part.name).open("rb") as file:
                file.seek(-4, os.SEEK_END)
                whole = file.read() == b"PAR1"
        except OSError:
            whole = False
        if not whole:
            found.append(part)
    return found


def to_disk(path: Path) -> None:
    """Have a file's contents on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(store: Path, wait: bool = True) -> Iterator[bool]:
    """Be the only collector; whether we are it. The system lets go of the lock when a process ends.

    Raises:
        RecordsError: the store cannot be written.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        file = (store / "lock").open("a")
    except OSError as error:
        raise RecordsError(f"{store}: cannot be written: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
