"""What the set-up made, kept so that ``--remove`` takes away just that.

The journal says what root removes, so it lies in a folder that nobody but root can change, and one that
somebody else could have written is not believed.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imap4 import folders
from imap4.monitor.setup import disk
from imap4.monitor.trouble import Trouble

_VERSION = 1
_KINDS = {"folder": {"path"}, "file": {"path", "sha256"}, "link": {"path", "target"},
          "edit": {"path", "new"}, "service": {"path", "back"}}  # fmt: skip


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["kind"], entry["path"], entry.get("new")


@dataclass
class Journal:
    """The entries, in the order in which they were made."""

    path: Path
    proven: bool = False
    """Whether the rehearsal went well since the last change."""
    entries: list[dict[str, Any]] = field(default_factory=list)

    def knows(self, path: Path, data: bytes) -> bool:
        """Whether a file is as the set-up has left it."""
        return any(
            each["kind"] == "file" and each["path"] == str(path) and each["sha256"] == disk.digest(data)
            for each in self.entries
        )

    def add(self, made: Iterable[dict[str, Any]]) -> None:
        """Note what was made; a file that was noted before has its new contents."""
        for entry in made:
            self.entries = [each for each in self.entries if _key(each) != _key(entry)] + [entry]

    def save(self) -> None:
        """Write it.

        Raises:
            OSError: it cannot be written.
        """
        told = {"version": _VERSION, "proven": self.proven, "made": self.entries}
        folders.replace_file(self.path, (json.dumps(told, indent=1) + "\n").encode(), 0o644)


def load(folder: Path, engine: str) -> Journal:
    """The journal of an engine in ``folder``; an empty one where there is none.

    Raises:
        Trouble: somebody else could have written it, or it is damaged.
    """
    path = folder / f".setup-{engine}.json"
    journal = Journal(path)
    if not folder.is_dir():
        return journal
    try:
        folders.refuse_shared(folder)
        if os.geteuid() == 0 and folders.owner_of(folder):
            raise Trouble(
                f"setup: {folder} is another user's, who could change what root removes later; "
                f"run: chown root {folder}"
            )
        data = disk.read(path)
        if data is None:
            return journal
        status = os.lstat(path)
        if status.st_uid not in (0, os.geteuid()) or stat.S_IMODE(status.st_mode) & 0o022:
            raise Trouble(f"setup: {path} is another user's, or can be written by others: it is not believed")
        told = json.loads(data)
        if told["version"] != _VERSION:
            raise Trouble(f"setup: {path} is of another version of imap4-monitor: use that one")
        entries = told["made"]
        if not all(_KINDS[each["kind"]] <= each.keys() for each in entries):
            raise ValueError
        journal.proven, journal.entries = bool(told["proven"]), list(entries)
    except folders.UntrustedFolder as error:
        raise Trouble(f"setup: {error}") from None
    except OSError as error:
        raise Trouble(f"setup: {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Trouble(f"setup: {path} is damaged: restore it, or remove by hand what setup made") from None
    return journal
