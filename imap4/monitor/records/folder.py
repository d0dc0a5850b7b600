"""The folder that tests are recorded in, and the clocks of those who record, as the doctor sees them."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from imap4.check.record import FIELDS
from imap4.monitor.findings import Finding
from imap4.monitor.model import Monitor
from imap4.monitor.records.errors import RecordsError
from imap4.monitor.records.lines import AHEAD, NAME, ends
from imap4.monitor.records.manifest import load
from imap4.text import clean

_TAIL = 65536
"""Bytes at the end of a file that are looked at."""


def examine(folder: str, monitors: Sequence[Monitor], store: Path, now: float) -> Iterator[Finding]:
    """Whether tests can be recorded, and at the right times; nothing where no monitor wants it.

    Seen as the user who runs this: the engine's user is the one that counts.
    """
    if not folder or not any(monitor.statistics for monitor in monitors):
        return
    make = f"install -d -o USER -g GROUP -m 2755 {folder}, with the engine's user and group (nagios, naemon)"
    lost = "tests go on, but nothing is recorded: reports will show no data"
    try:
        found = os.stat(folder)
    except FileNotFoundError:
        yield Finding(False, f"{folder} (records of tests) is not there", lost, make)
        return
    except OSError as error:
        yield Finding(False, f"{folder} (records of tests): {error.strerror}", lost, make)
        return
    others = found.st_mode & 0o022 or found.st_uid != 0
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK) or not others:
        yield Finding(False, f"{folder} (records of tests) is not writable for the engine", lost, make)
    elif found.st_mode & 0o002:
        why = "everybody can put tests there that never were"
        yield Finding(
            False, f"{folder} (records of tests) is writable for everybody", why, f"chmod o-w {folder}"
        )
    else:
        yield Finding(True, f"{folder} (records of tests) is writable")
    for name, seconds in sorted(ahead(Path(folder), store, now).items()):
        yield Finding(
            False,
            f"the clock of {clean(name, 255)} is ahead by {seconds:.0f} s or more",
            "its tests came before the times that they give: states and reports have them at those times",
            "set that host's clock, with chrony or systemd-timesyncd; or this host's, if it is behind",
        )


def ahead(folder: Path, store: Path, now: float) -> dict[str, float]:
    """Hosts whose tests of the last day came before the times that they give, and by how many seconds.

    Needs no DuckDB: it reads what the collector has noted, and the last lines of files that are still open.
    """
    found: dict[str, float] = {}
    moment, recorder = FIELDS.index("time"), FIELDS.index("recorder")
    with contextlib.suppress(OSError, RecordsError):
        for hour, hosts in load(store).ahead.items():
            for name, by in hosts.items() if ends(hour) > now - 86400 else ():
                found[name] = max(by / 1000, found.get(name, 0))
    with contextlib.suppress(OSError):
        for path in [each for each in folder.iterdir() if NAME.fullmatch(each.name)]:
            for line in _last_lines(path):
                fields = line.split("\t")
                if len(fields) == len(FIELDS) and re.fullmatch(r"\d{1,11}(\.\d{3})?", fields[moment]):
                    early = float(fields[moment]) - path.stat().st_ctime
                    if early * 1000 > AHEAD:
                        name = fields[recorder] or "?"
                        found[name] = max(early, found.get(name, 0))
    return found


def _last_lines(path: Path) -> list[str]:
    # Root may look at a folder of somebody less trusted: neither a link nor a pipe is read.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return []
        file.seek(max(0, status.st_size - _TAIL))
        return file.read(_TAIL).decode("utf-8", "replace").split("\n")
