"""What a set-up consists of: each step can be shown, is known when it is done already, and can be taken back.

Whatever root writes is written by the rules of ``imap4.folders``: in another user's folder as that user, in
one step, and never through a link.
"""

from __future__ import annotations

import difflib
import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from imap4 import folders
from imap4.monitor.setup.disk import digest, read, replace_foreign, run, unlink
from imap4.monitor.trouble import Trouble


class Step(Protocol):
    """One thing to do."""

    @property
    def path(self) -> Path:
        """What it makes or changes."""
        ...

    def done(self) -> bool:
        """Whether nothing is left to do."""
        ...

    def shown(self) -> str:
        """What a person is shown before."""
        ...

    def do(self) -> None:
        """Do it."""
        ...

    def undo(self) -> None:
        """Take it back, as far as it was done by :meth:`do` of this very object."""
        ...

    def entry(self) -> dict[str, Any]:
        """What the journal keeps, so that ``--remove`` can take it back."""
        ...


@dataclass
class Folder:
    """A folder with an owner and a mode. One that is there already is left as it is."""

    path: Path
    user: pwd.struct_passwd
    mode: int

    def __post_init__(self) -> None:
        self._made = False

    def done(self) -> bool:
        return os.path.isdir(self.path)

    def shown(self) -> str:
        return f"make    {self.path}/  (of {self.user.pw_name}, mode {self.mode:04o})"

    def do(self) -> None:
        with folders.as_owner(self.path.parent):
            self.path.mkdir(mode=0o700)
            self._made = True
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fchmod(descriptor, self.mode)
                # Given away only where nobody but root could have put another folder in its place meanwhile;
                # what is made in another user's folder is that user's already.
                if os.geteuid() == 0 and folders.owner_of(self.path.parent) == 0:
                    os.fchown(descriptor, self.user.pw_uid, self.user.pw_gid)
            finally:
                os.close(descriptor)

    def undo(self) -> None:
        if self._made:
            with suppress(OSError), folders.as_owner(self.path.parent):
                self.path.rmdir()

    def entry(self) -> dict[str, Any]:
        return {"kind": "folder", "path": str(self.path)}


@dataclass
class File:
    """A file of ours."""

    path: Path
    text: str
    what: str
    mode: int = 0o644

    def __post_init__(self) -> None:
        self._before: bytes | None = None
        self._written = False

    def done(self) -> bool:
        return read(self.path) == self.text.encode()

    def shown(self) -> str:
        verb = "write  " if read(self.path) is None else "replace"
        return f"{verb} {self.path}  ({self.what})"

    def do(self) -> None:
        self._before = read(self.path)
        folders.replace_file(self.path, self.text.encode(), self.mode)
        self._written = True

    def undo(self) -> None:
        if self._written and self._before is None:
            unlink(self.path)
        elif self._written and self._before is not None:
            folders.replace_file(self.path, self._before, self.mode)

    def entry(self) -> dict[str, Any]:
        return {"kind": "file", "path": str(self.path), "sha256": digest(self.text.encode())}


@dataclass
class Link:
    """A link to one of our programs, where everybody's shell looks."""

    path: Path
    target: str

    def __post_init__(self) -> None:
        self._made = False

    def done(self) -> bool:
        return os.path.lexists(self.path)

    def shown(self) -> str:
        return f"link    {self.path} -> {self.target}"

    def do(self) -> None:
        with folders.as_owner(self.path.parent):
            self.path.symlink_to(self.target)
        self._made = True

    def undo(self) -> None:
        if self._made:
            unlink(self.path)

    def entry(self) -> dict[str, Any]:
        return {"kind": "link", "path": str(self.path), "target": self.target}


@dataclass
class Edit:
    """One line of a file that is not ours. Nothing else of the file is touched."""

    path: Path
    new: str
    old: str | None = None
    """The line whose place it takes; None puts it at the end."""

    def __post_init__(self) -> None:
        self._before: bytes | None = None

    def done(self) -> bool:
        return self.new in self._lines()

    def shown(self) -> str:
        lines = self._lines()
        parts = difflib.unified_diff(lines, self._changed(lines), lineterm="", n=1)
        told = "\n".join(f"          {line}" for line in list(parts)[2:])
        return f"change  {self.path}, which is not ours:\n{told}"

    def do(self) -> None:
        before = read(self.path)
        if before is None:
            raise Trouble(f"setup: {self.path} is gone")
        text = "\n".join(self._changed(self._lines())) + "\n"
        replace_foreign(self.path, text.encode("utf-8", "surrogateescape"))
        self._before = before

    def undo(self) -> None:
        if self._before is not None:
            replace_foreign(self.path, self._before)

    def entry(self) -> dict[str, Any]:
        return {"kind": "edit", "path": str(self.path), "old": self.old, "new": self.new}

    def _lines(self) -> list[str]:
        return (read(self.path) or b"").decode("utf-8", "surrogateescape").splitlines()

    def _changed(self, lines: list[str]) -> list[str]:
        if self.old is None or self.old not in lines:
            return [*lines, self.new]
        place = lines.index(self.old)
        return [*lines[:place], self.new, *lines[place + 1 :]]


@dataclass
class Service:
    """Something that systemd is told, and told back: a timer, a user's manager that stays."""

    path: Path
    """What is there once it was told."""
    command: tuple[str, ...]
    back: tuple[str, ...]

    def __post_init__(self) -> None:
        self._told = False

    def done(self) -> bool:
        return os.path.lexists(self.path)

    def shown(self) -> str:
        return f"run     {' '.join(self.command)}"

    def do(self) -> None:
        self._told = True
        run(self.command)

    def undo(self) -> None:
        if self._told:
            with suppress(Trouble):
                run(self.back)

    def entry(self) -> dict[str, Any]:
        return {"kind": "service", "path": str(self.path), "back": list(self.back)}
