"""Links and open folders as an attacker lays them: root must do nothing to what they lead to."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from recovery.credentials.store import Store
from recovery.errors import RecoveryError, UsageError
from recovery.history.recoveries import History
from recovery.model import Credential, Secret
from recovery.paths import Paths
from tests.conftest import THEIR_USER

ROOT = Path(__file__).parents[3]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be made to give its files away")


@pytest.fixture
def theirs(their_folder: Path) -> Path:
    """A folder of the engine's user, for the state and the store."""
    folder = their_folder / "engine"
    folder.mkdir(mode=0o700)
    os.chown(folder, THEIR_USER, THEIR_USER)
    return folder


def link(path: Path, target: Path) -> None:
    """A link that the engine's user made."""
    path.symlink_to(target)
    os.chown(path, THEIR_USER, THEIR_USER, follow_symlinks=False)


def root_works(folder: Path) -> None:
    """All that root does in a state folder and a store: reads, locks, makes, replaces."""
    paths = Paths(folder / "credentials", folder / "key", folder)
    with suppress(RecoveryError), Store(paths).change() as held:
        held["mail"] = Credential("mail", "recovery", "ssh-password", Secret("a made-up one"))
    with suppress(RecoveryError):
        Store(paths).rekey()
    with suppress(RecoveryError):
        history = History(folder)
        history.lock("192.0.2.1")
        history.close()


NAMES = (
    *("history.db", "history.db-wal", "history.db-shm", "history.db-journal", "history.db.lock"),
    *("credentials", "credentials.lock", "key", "locks", "locks/192.0.2.1"),
)


@needs_root
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("there", [True, False], ids=["a file of root's", "a file that is not there"])
def test_a_link_in_the_engines_folder_leaves_its_target_alone(
    theirs: Path, their_folder: Path, name: str, there: bool
) -> None:
    victim = their_folder / "shadow"
    if there:
        victim.write_bytes(b"root:*:\n")
        victim.chmod(0o600)
    path = theirs / name
    if path.parent != theirs:
        path.parent.mkdir()
        os.chown(path.parent, THEIR_USER, THEIR_USER)
    link(path, victim)

    root_works(theirs)

    if not there:
        assert not victim.exists()
        return
    status = victim.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, 0, 0o600)
    assert victim.read_bytes() == b"root:*:\n"


@needs_root
def test_a_folder_on_the_way_that_leads_into_roots_is_entered_as_their_user(
    theirs: Path, their_folder: Path
) -> None:
    roots = their_folder / "roots"
    roots.mkdir(mode=0o755)
    link(theirs / "state", roots)
    root_works(theirs / "state")
    assert list(roots.iterdir()) == []


@needs_root
def test_root_works_in_the_engines_folder_and_the_engine_can_go_on(theirs: Path) -> None:
    root_works(theirs)
    found = {path.relative_to(theirs).as_posix(): path.stat() for path in theirs.rglob("*")}
    assert {"credentials", "key", "history.db", "locks/192.0.2.1"} <= set(found)
    assert {status.st_uid for status in found.values()} == {THEIR_USER}
    assert os.geteuid() == 0


@pytest.mark.parametrize("mode", [0o777, pytest.param(0o770, marks=needs_root), 0o1777])
def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    os.chown(folder, os.geteuid(), 0 if os.geteuid() == 0 else os.getegid())
    paths = Paths(folder / "credentials", tmp_path / "key", folder)
    with Store(paths).change() as held:
        held["mail"] = Credential("mail", "recovery", "ssh-password", Secret("a made-up one"))
    folder.chmod(mode)
    if mode == 0o770:
        os.chown(folder, -1, 4)  # a group that is nobody's own (adm)
    said = (
        f"the folder {folder} can be written by group or others (mode {mode:04o}), "
        f"who could change what lies in {folder}; run: chmod go-w {folder}"
    )
    with pytest.raises(UsageError) as refused:
        Store(paths).load()
    assert str(refused.value) == said
    with pytest.raises(UsageError) as refused:
        History(folder)
    assert str(refused.value) == said


@needs_root
def test_a_folder_below_one_of_a_third_user_is_refused(their_folder: Path) -> None:
    between = their_folder / "between"
    between.mkdir()
    folder = between / "state"
    folder.mkdir()
    os.chown(between, THEIR_USER + 1, THEIR_USER + 1)
    os.chown(folder, THEIR_USER, THEIR_USER)
    with pytest.raises(UsageError, match=rf"^{folder} belongs to user {THEIR_USER}, who could change what"):
        History(folder)


@needs_root
def test_the_program_as_root_gives_nothing_away(theirs: Path, their_folder: Path) -> None:
    """The trial from end to end: what docs/recovery.md says that root may do."""
    victim = their_folder / "shadow"
    victim.touch(mode=0o600)
    for name in ("history.db.lock", "credentials.lock"):
        link(theirs / name, victim)
    options = ("--credentials", str(theirs / "credentials"), "--key", str(theirs / "key"))
    calls = (
        ("history", "list", "--state-folder", str(theirs)),
        ("credentials", "add", "mail", "--account", "recovery", "--password-stdin", *options),
    )
    for call in calls:
        ran = subprocess.run(
            [sys.executable, "-m", "recovery", *call],
            input="a made-up one\n",
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
        )
        assert (ran.returncode, ran.stdout) == (3, ""), ran
        assert ran.stderr.endswith(".lock is a link or no plain file; remove it\n")
    assert victim.stat().st_uid == 0
