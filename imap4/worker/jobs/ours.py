"""Which programs are our own, as they were when this process was started: answering for them is no lie."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
_LOOK_AGAIN = 1.0
"""Seconds for which a program's file is taken to be as it was."""


def beside(name: str) -> list[Path]:
    """Where a program of this installation may be, the likeliest first; none needs to be there.

    Beside this one, or beside its Python, as pip installs them; a distribution's package has the programs in
    two folders, and names the plugin by a link beside our modules.
    """
    folders = [Path(each).absolute().parent for each in (sys.argv[0], sys.executable) if each]
    return list(dict.fromkeys(folder / name for folder in (*folders, PACKAGE.parent)))


class Ours:
    """The paths of one program."""

    def __init__(self, paths: Iterable[Path], code: Iterable[Path]) -> None:
        """
        Args:
            paths: where the program may be.
            code: the files of ours that it loads; once one is another than now, no program is ours any more.
        """
        self._ours = {os.path.realpath(path) for path in paths if os.path.exists(path)}
        self._code = sorted(map(str, code))
        self._loaded = self._state()
        self._known: dict[bytes, bool] = {}
        self._known_until = 0.0
        self._upgraded = False

    def is_ours(self, word: bytes) -> bool:
        """Whether this first word of a command runs the program, as it was when we were started."""
        self._look_again()
        known = self._known.get(word)
        if known is None:
            known = self._known[word] = self._look(os.fsdecode(word))
        return known

    @property
    def as_started(self) -> bool:
        """Whether nothing of it was upgraded under our feet."""
        self._look_again()
        return not self._upgraded

    def _look_again(self) -> None:
        now = time.monotonic()
        if now >= self._known_until:
            self._known.clear()
            self._known_until = now + _LOOK_AGAIN
            if self._state() != self._loaded:
                self._upgraded = True
                self._ours.clear()  # from now on, the new one is run

    def _look(self, word: str) -> bool:
        path = word if "/" in word else shutil.which(word)
        if not path or os.path.realpath(path) not in self._ours:
            return False
        return os.access(path, os.X_OK) and stat.S_ISREG(os.stat(path).st_mode)

    def _state(self) -> list[tuple[int, int] | None]:
        return [_identity(path) for path in (*sorted(self._ours), *self._code)]


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
