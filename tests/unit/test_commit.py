"""Which commit a build tells, and how: a release tells none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imap4 import __version__
from tools.commit import commit_of, epoch_of, version_of, write_commit

ROOT = Path(__file__).parents[2]
MOMENT = 1_700_000_000
pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def git(folder: Path, *words: str) -> str:
    """Run git, as nobody in particular, at a known moment."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_COMMITTER_DATE": f"{MOMENT} +0000",
    }
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "safe.directory=*")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one commit."""
    (tmp_path / "imap4").mkdir()
    shutil.copy(ROOT / "imap4" / "__init__.py", tmp_path / "imap4")
    shutil.copy(ROOT / "setup.cfg", tmp_path)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "the first")
    return tmp_path


def test_a_build_that_is_no_release_tells_its_commit(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "--short=10", "HEAD")
    assert version_of(checkout) == __version__
    assert commit_of(checkout) == commit
    (checkout / "setup.cfg").write_text("# changed\n")
    assert commit_of(checkout) == f"{commit}.dirty"


def test_a_release_tells_none(checkout: Path) -> None:
    git(checkout, "tag", f"v{__version__}")
    assert commit_of(checkout) == ""
    (checkout / "setup.cfg").write_text("# changed\n")
    assert commit_of(checkout).endswith(".dirty")


def test_of_another_version_it_is_no_release(checkout: Path) -> None:
    git(checkout, "tag", "v0.0.9")
    assert commit_of(checkout) == git(checkout, "rev-parse", "--short=10", "HEAD")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can build in another user's checkout")
def test_root_can_tell_it_of_another_users_checkout_and_runs_nothing_of_it(checkout: Path) -> None:
    hook = checkout / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {checkout}/was-run\n")
    hook.chmod(0o755)
    git(checkout, "config", "core.fsmonitor", str(hook))
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    assert commit_of(checkout)
    assert not (checkout / "was-run").exists()


def test_an_archive_inside_of_another_checkout_is_not_of_its_commit(checkout: Path) -> None:
    inner = checkout / "vendor"
    (inner / "imap4").mkdir(parents=True)
    shutil.copy(ROOT / "imap4" / "__init__.py", inner / "imap4")
    assert commit_of(inner) == ""


def test_what_was_built_tells_it_and_the_checkout_does_not(checkout: Path) -> None:
    built = checkout / "built" / "imap4"
    built.mkdir(parents=True)
    # As setuptools does where it can: one file with two names.
    os.link(checkout / "imap4" / "__init__.py", built / "__init__.py")
    write_commit(built / "__init__.py", "1a2b3c4d5e")
    code = "import imap4; print(imap4.VERSION, imap4.__version__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=built.parent, capture_output=True, text=True)
    assert done.stdout == f"{__version__}+g1a2b3c4d5e {__version__}\n"
    assert commit_of(built.parent) == "1a2b3c4d5e"  # a source archive has it written down
    assert 'COMMIT = ""' in (checkout / "imap4" / "__init__.py").read_text()


def test_the_moment_is_the_commits_or_what_is_asked_for(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert epoch_of(checkout) == MOMENT
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "12345")
    assert epoch_of(checkout) == 12345
