"""``make pyz``: the check with nagiosplugin and idna inside, as one executable file.

Usage: pyz.py OUTPUT

Needs nothing but these two, and leaves nothing but OUTPUT behind.
"""

from __future__ import annotations

import compileall
import importlib.metadata
import io
import os
import py_compile
import re
import shutil
import sys
import tempfile
import time
import zipapp
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from imap4 import __version__  # noqa: E402 - the checkout is not installed
from tools.commit import commit_of, epoch_of, write_commit  # noqa: E402

# The shell's part of the file; Python finds the archive behind it from the file's end.
_HEAD = """#!/bin/sh
# {about}. This file is a program of the shell's, which starts Python with nothing
# of the caller's (a foreign PYTHONHOME would end it before it could say anything), and an archive.
unknown() {{
    echo "IMAP4 UNKNOWN - $1"
    exit 3
}}
failed='trap - EXIT; unknown "$python cannot be run"'
# Not by PATH where it can be helped: pyenv's comes first in some, and an engine's may be empty. Nor by the
# bare name: the python3 of RHEL 9 is 3.9, with newer ones beside it.
python=
for found in /usr/bin/python3.1[1-9]; do
    [ -x "$found" ] && python=$found && break
done
[ -n "$python" ] || python=$(command -v python3) || python=/usr/bin/python3
[ -x "$python" ] || unknown "there is no python3"
trap "$failed" EXIT
[ -z "$BASH_VERSION" ] || shopt -s execfail
exec "$python" -I "$0" "$@"
eval "$failed"
"""
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "examples")


def _left_out(folder: str, names: list[str]) -> set[str]:
    """What of `imap4` the check does not import stays outside: the monitor and the worker."""
    rooms = {"monitor", "worker"} if Path(folder) == ROOT / "imap4" else set()
    return set(_LEFT_OUT(folder, names)) | rooms & set(names)


def build(output: Path) -> None:
    """Write the executable file, from this checkout and the packages that are installed here."""
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder)
        shutil.copy(ROOT / "check_imap4.py", inside)
        shutil.copytree(ROOT / "imap4", inside / "imap4", ignore=_left_out)
        write_commit(inside / "imap4" / "__init__.py", commit_of(ROOT))
        for name in ("nagiosplugin", "idna"):
            _add_package(name, inside)
        (inside / "__main__.py").write_text(_start())
        # Byte code beside the source, in the old place, which is where zipimport looks. Another Python
        # version ignores it and compiles the source.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        # Of one file after the other, and without this folder's name, so that the same comes out again.
        compileall.compile_dir(
            folder, quiet=1, legacy=True, invalidation_mode=mode, stripdir=folder, workers=1
        )
        # The one file that another version may have to read: as source alone.
        (inside / "__main__.pyc").unlink()
        shutil.copy(ROOT / "LICENSE", inside)
        _make_the_same(inside)
        archive = io.BytesIO()
        zipapp.create_archive(folder, archive)
    output.write_bytes(_HEAD.format(about=f"check_imap4 {__version__}").encode() + archive.getvalue())
    output.chmod(0o755)
    if os.geteuid() == 0:
        # Root leaves nothing of its own in somebody's folder.
        owner = output.absolute().parent.stat()
        os.chown(output, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _make_the_same(folder: Path) -> None:
    """Give all files the moment of the commit, in one zone, and modes that no umask has a say in."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    moment = epoch_of(ROOT)
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (moment, moment))


def _start() -> str:
    """The first lines of Python, which the installed program's starter has too."""
    starter = (ROOT / "scripts" / "check_imap4").read_text()
    found = re.search(r"^start='\n(.*?)'$", starter, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def _add_package(name: str, inside: Path) -> None:
    """Copy an installed package, and its licence, which has to go with it."""
    installed = importlib.metadata.distribution(name)
    shutil.copytree(str(installed.locate_file(name)), inside / name, ignore=_LEFT_OUT)
    for file in installed.files or ():
        if file.name.startswith("LICENSE"):
            shutil.copy(str(file.locate()), inside / name / file.name)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
