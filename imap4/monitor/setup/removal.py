"""``setup --remove``: takes away what the journal has, unchanged, and names what it leaves."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from imap4 import folders
from imap4.monitor.setup import disk, steps
from imap4.monitor.setup.journal import Journal

Entry = dict[str, Any]


def split(journal: Journal, rendered: Mapping[str, str]) -> tuple[list[Entry], list[str]]:
    """What can go, the last made first; and a line for each thing that stays.

    Args:
        rendered: what the definitions make now, by path: a file like this is ours, whoever rendered it.
    """
    gone, left = [], []
    for entry in reversed(journal.entries):
        why = _REASONS[entry["kind"]](entry, rendered)
        if why is None:
            gone.append(entry)
        elif why:
            left.append(f"{entry['path']}: {why}")
    return gone, left


def _file(entry: Entry, rendered: Mapping[str, str]) -> str | None:
    data = disk.read(Path(entry["path"]))
    if data is None:
        return ""
    ours = disk.digest(data) == entry["sha256"] or data == rendered.get(entry["path"], "").encode()
    return None if ours else "was changed since setup wrote it"


def _link(entry: Entry, _: Mapping[str, str]) -> str | None:
    path = entry["path"]
    if not os.path.lexists(path):
        return ""
    ours = os.path.islink(path) and os.readlink(path) == entry["target"]
    return None if ours else "leads elsewhere now"


def _edit(entry: Entry, _: Mapping[str, str]) -> str | None:
    data = disk.read(Path(entry["path"]))
    count = _lines(data or b"").count(entry["new"])
    return None if count == 1 else f'has the line "{entry["new"]}" {count} times now'


def _service(entry: Entry, _: Mapping[str, str]) -> str | None:
    return None if os.path.lexists(entry["path"]) else ""


def _folder(entry: Entry, _: Mapping[str, str]) -> str | None:
    """Whether it is empty is seen when all the rest has gone."""
    return None if os.path.isdir(entry["path"]) else ""


_REASONS: dict[str, Callable[[Entry, Mapping[str, str]], str | None]] = {
    "file": _file,
    "link": _link,
    "edit": _edit,
    "service": _service,
    "folder": _folder,
}
"""None: it can go. Empty: it has gone already. Else why it stays."""


def shown(entry: Entry) -> str:
    """What a person is shown before."""
    path = entry["path"]
    if entry["kind"] == "edit":
        if entry.get("old"):
            return steps.Edit(Path(path), entry["old"], entry["new"]).shown()
        return f"change  {path}, which is not ours:\n          -{entry['new']}"
    if entry["kind"] == "service":
        return f"run     {' '.join(entry['back'])}"
    return f"remove  {path}" + ("/  (if it is empty)" if entry["kind"] == "folder" else "")


class Taken:
    """What was taken away so far, and can be put back."""

    def __init__(self) -> None:
        self._back: list[Callable[[], None]] = []

    def take(self, entry: Entry) -> str:
        """Take one away; a line where it had to stay."""
        path = Path(entry["path"])
        if entry["kind"] == "service":
            disk.run(tuple(entry["back"]))
        elif entry["kind"] == "folder":
            try:
                with folders.as_owner(path.parent):
                    path.rmdir()
            except OSError as error:
                names = sorted(os.listdir(path))[:5] if path.is_dir() and os.access(path, os.R_OK) else []
                return f"{path}/: {error.strerror}" + (f" ({', '.join(names)})" if names else "")
        elif entry["kind"] == "edit":
            self._edit(path, entry)
        else:
            data, mode = (
                (disk.read(path) or b"", path.stat().st_mode & 0o777) if entry["kind"] == "file" else (b"", 0)
            )
            disk.unlink(path)
            if entry["kind"] == "file":
                self._back.append(lambda: folders.replace_file(path, data, mode))
        return ""

    def _edit(self, path: Path, entry: Entry) -> None:
        before = disk.read(path)
        if before is None:
            return
        lines = _lines(before)
        place = lines.index(entry["new"])
        lines[place : place + 1] = [entry["old"]] if entry.get("old") else []
        disk.replace_foreign(path, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
        self._back.append(lambda: disk.replace_foreign(path, before))

    def put_back(self) -> None:
        """As it was, where files are concerned."""
        for back in reversed(self._back):
            back()


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").splitlines()
