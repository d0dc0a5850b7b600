"""Which commit a build is made from, when, and whether that is a release.

A release is a commit with the tag ``vVERSION`` and nothing changed beside it; any other build says its
commit, as ``0.1.0+g1a2b3c4d5e``, so that two of one version can be told apart.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

_VERSION = re.compile(r'^__version__ = "([^"]*)"$', re.MULTILINE)
_COMMIT = re.compile(r'^COMMIT = "([^"]*)"$', re.MULTILINE)


def version_of(root: Path) -> str:
    """The version of the checkout or source archive in ``root``."""
    return _value(_VERSION, root)


def commit_of(root: Path) -> str:
    """The commit, ten digits and ``.dirty`` where something is changed; empty for a release.

    A source archive has it written down; where it is not known, it is empty too.
    """
    written = _value(_COMMIT, root)
    if written:
        return written
    described = _git(root, "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*")
    if not re.fullmatch(r"[0-9a-f]{10,}(-dirty)?", described):
        return ""
    tags = _git(root, "tag", "--points-at", "HEAD").split()
    released = f"v{version_of(root)}" in tags and not described.endswith("-dirty")
    return "" if released else described.replace("-dirty", ".dirty")


def epoch_of(root: Path) -> int:
    """The moment that all files of a build have, in seconds since 1970.

    ``SOURCE_DATE_EPOCH`` (as reproducible-builds.org specifies it), else the commit's, else the archive's.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    committed = _git(root, "log", "-1", "--format=%ct")
    return int(committed) if committed.isdigit() else int((root / "setup.cfg").stat().st_mtime)


def write_commit(init: Path, commit: str) -> None:
    """Write the commit into ``imap4/__init__.py`` of a build: the old one may be a link to the checkout's."""
    text = init.read_text()
    assert _COMMIT.search(text), init
    descriptor, new = tempfile.mkstemp(dir=init.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(_COMMIT.sub(f'COMMIT = "{commit}"', text))
        os.fchmod(file.fileno(), init.stat().st_mode)
    os.replace(new, init)


def _value(pattern: re.Pattern[str], root: Path) -> str:
    found = pattern.search((root / "imap4" / "__init__.py").read_text())
    assert found, root
    return found[1]


def _git(root: Path, *words: str) -> str:
    """What git says about ``root`` itself; empty where it is no checkout, or there is no git.

    Root may build in somebody's checkout, which git refuses unless told. Nothing that the checkout's
    configuration names is run.
    """
    if not (root / ".git").exists():
        return ""
    settings = ("-c", f"safe.directory={root}", "-c", "core.fsmonitor=false")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        ended = subprocess.run(
            ["git", *settings, "-C", str(root), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
    except OSError:
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
