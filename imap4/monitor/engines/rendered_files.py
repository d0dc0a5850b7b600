"""Puts rendered configuration into a folder: only files that are ours, each replaced in one step."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

# The first words of every file that is ours, after the engine's sign for a comment.
MARK = "Written by imap4-monitor"


class RenderError(Exception):
    """A file cannot be written, or is somebody else's; nothing of it was changed."""


def header(sign: str, source: str) -> str:
    """The first two lines of a rendered file; ``sign`` begins a comment."""
    name = "".join(c if c.isprintable() else "?" for c in Path(source).name)
    return (
        f"{sign} {MARK} from {name}.\n{sign} The next rendering replaces this file: change the definition.\n"
    )


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return MARK.encode() in file.readline(200)


def write(folder: Path, files: Mapping[str, str]) -> dict[str, bool]:
    """Write ``files`` (name -> text); which of them changed comes back.

    A file that is already there is replaced only if it begins with our mark, and left alone if it is
    the same already. A reader sees the old file or the new one, whatever happens in between.

    Raises:
        RenderError: before anything was changed, where a file is not ours; or where writing fails.
    """
    changed = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            path = folder / name
            if path.is_symlink() or (path.exists() and not _is_ours(path)):
                raise RenderError(
                    f"{path}: was not written by imap4-monitor; move it away or choose another -o"
                )
        for name, text in files.items():
            path = folder / name
            changed[name] = not path.exists() or path.read_bytes() != text.encode()
            if changed[name]:
                _replace(path, text)
    except OSError as error:
        raise RenderError(f"{error.filename or folder}: cannot be written: {error.strerror}") from None
    return changed


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
