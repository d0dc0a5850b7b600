"""A build from a checkout in which an older one, and its owner, have left their traces."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

USER = 12345


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What git has of this checkout, and what is new in it, somebody else's where that can be."""
    pytest.importorskip("setuptools", minversion="64")
    command = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    folder = tmp_path / "checkout"
    for name in names.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    gone = folder / "build" / "lib" / "imap4"
    gone.mkdir(parents=True)
    (gone / "removed_last_year.py").write_text("'''A module that is not there any more.'''\n")
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
    return folder


def test_it_has_what_is_there_now_and_leaves_nothing_of_roots(checkout: Path, tmp_path: Path) -> None:
    before = set(checkout.rglob("*"))
    out = tmp_path / "out"
    # What a wheel is made of, without the package that wheels need; make check-install makes a whole one.
    command = [sys.executable, "-W", "ignore", "setup.py", "-q", "install_lib", "--no-compile"]
    done = subprocess.run([*command, f"--install-dir={out}"], capture_output=True, text=True, cwd=checkout)
    assert done.returncode == 0, done.stderr
    made = {str(path.relative_to(out)) for path in out.rglob("*.py")}
    packages = [path for folder in ("imap4", "recovery") for path in (checkout / folder).rglob("*.py")]
    assert made == {"check_imap4.py", *(str(path.relative_to(checkout)) for path in packages)}
    for data in ("recovery/platforms/windows/restart.ps1", "imap4/monitor/engines/icinga2/commands.conf"):
        assert (out / data).is_file()
    left = set(checkout.rglob("*")) - before
    assert {path.relative_to(checkout).parts[0] for path in left} <= {"check_imap4.egg-info"}
    if os.geteuid() == 0:
        assert {path.stat().st_uid for path in left} <= {USER}
