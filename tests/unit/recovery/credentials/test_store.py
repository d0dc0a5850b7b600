"""The store: what is in the file, who may read it, crashes, writers at once, damage."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from recovery.credentials import encryption
from recovery.credentials.store import Store
from recovery.errors import UsageError
from recovery.model import Credential, Secret
from recovery.paths import SYSTEMD_KEY, Paths, find_paths
from tests.unit.recovery.crash import at_every_line

HALF = "recovery.files", "recovery.credentials.encryption", "recovery.credentials.store"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "etc" / "credentials", tmp_path / "etc" / "key", tmp_path / "state")


def credential(name: str, **parts: object) -> Credential:
    """A credential with a password made up now."""
    secret = Secret(secrets.token_urlsafe(24))
    return Credential(name, "recovery", "ssh-password", secret, **parts)  # type: ignore[arg-type]


def put(paths: Paths, *found: Credential) -> None:
    with Store(paths).change() as held:
        held.update({one.name: one for one in found})


def test_a_credential_comes_back_as_it_was_stored(paths: Paths) -> None:
    one = Credential(
        *("mail", "DOMAIN\\ærlig", "ssh-key", None, Secret("key\ntext\n"), None, Secret("pass phrase")),
        *(True, "for the night", ("*.example.org", "192.0.2.0/24"), ("restart-service",)),
    )
    put(paths, one)
    assert Store(paths).load() == {"mail": one}
    assert Store(paths).get("mail").private_key == Secret("key\ntext\n")


def test_no_file_yet_is_no_credentials(paths: Paths) -> None:
    assert Store(paths).load() == {}


def test_nothing_of_a_credential_can_be_read_in_the_file(paths: Paths) -> None:
    one = credential("mail", description="for the night")
    put(paths, one)
    content = paths.credentials.read_bytes() + paths.key.read_bytes()
    assert one.password is not None
    for text in (one.password.reveal(), "mail", "recovery", "for the night"):
        assert text.encode() not in content.replace(b"check_imap4", b"")


def test_two_writes_of_the_same_content_differ_and_the_files_are_private(paths: Paths) -> None:
    put(paths, credential("mail"))
    before = paths.credentials.read_bytes()
    put(paths)
    assert paths.credentials.read_bytes() != before
    assert {path.stat().st_mode & 0o777 for path in (paths.credentials, paths.key)} == {0o600}
    assert sorted(path.name for path in paths.credentials.parent.iterdir()) == [
        *("credentials", "credentials.lock", "key")
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
@pytest.mark.parametrize("which", ["credentials", "key"])
def test_a_file_that_others_may_touch_is_refused(paths: Paths, which: str, mode: int) -> None:
    put(paths, credential("mail"))
    path: Path = getattr(paths, which)
    path.chmod(mode)
    with pytest.raises(UsageError) as error:
        Store(paths).load()
    what = {"credentials": "the credential store", "key": "the key file"}[which]
    assert str(error.value) == (
        f"{what} {path} is open to group or others (mode {mode:04o}); run: chmod 600 {path}"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_changes_stays_the_engines(their_folder: Path) -> None:
    folder = their_folder / "etc"
    paths = Paths(folder / "credentials", folder / "key", their_folder / "state")
    put(paths, credential("mail"))
    for path in (folder, *folder.iterdir()):
        os.chown(path, 12345, 12345)
    put(paths, credential("more"))
    Store(paths).rekey()
    assert {path.stat().st_uid for path in (paths.credentials, paths.key)} == {12345}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_first_files_belong_to_the_folders_owner(their_folder: Path) -> None:
    folder = their_folder / "etc"
    paths = Paths(folder / "credentials", folder / "key", their_folder / "state")
    paths.credentials.parent.mkdir()
    os.chown(paths.credentials.parent, 12345, 12345)
    put(paths, credential("mail"))
    assert {path.stat().st_uid for path in paths.credentials.parent.iterdir()} == {12345}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_systemds_own_mode_is_taken_in_its_folder_and_nowhere_else(paths: Paths, tmp_path: Path) -> None:
    put(paths, credential("mail"))
    handed = tmp_path / "run" / SYSTEMD_KEY
    handed.parent.mkdir()
    handed.write_bytes(paths.key.read_bytes())
    handed.chmod(0o440)
    found = find_paths(
        {"CREDENTIALS_DIRECTORY": str(handed.parent), "IMAP4_RECOVERY_CREDENTIALS": str(paths.credentials)}
    )
    assert found.key_from_systemd
    assert list(Store(found).load()) == ["mail"]
    with pytest.raises(UsageError, match="systemd handed us a copy of the key; name the key file itself"):
        Store(found).rekey()
    named = find_paths(
        {"IMAP4_RECOVERY_CREDENTIALS": str(paths.credentials), "IMAP4_RECOVERY_KEY": str(handed)}
    )
    with pytest.raises(UsageError, match="open to group or others"):
        Store(named).load()
    handed.chmod(0o444)
    with pytest.raises(UsageError, match=r"open to others \(mode 0444\)"):
        Store(found).load()


def test_a_fifo_is_no_store(paths: Paths) -> None:
    paths.credentials.parent.mkdir()
    os.mkfifo(paths.credentials, 0o600)
    with pytest.raises(UsageError, match="is not a plain file"):
        Store(paths).load()


@pytest.mark.slow
def test_any_changed_byte_is_found_and_nothing_is_written(paths: Paths) -> None:
    put(paths, credential("mail"))
    whole = paths.credentials.read_bytes()
    for at in range(len(whole) - 1):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        paths.credentials.write_bytes(damaged)
        with pytest.raises(UsageError), Store(paths).change() as held:
            held.clear()
        assert paths.credentials.read_bytes() == damaged


def test_any_missing_end_is_found(paths: Paths) -> None:
    put(paths, credential("mail"))
    whole = paths.credentials.read_bytes()
    for length in range(len(whole) - 1):
        paths.credentials.write_bytes(whole[:length])
        with pytest.raises(UsageError):
            Store(paths).load()


def test_damage_is_told_with_what_to_do(paths: Paths) -> None:
    put(paths, credential("mail"))
    paths.credentials.write_bytes(paths.credentials.read_bytes()[:-9] + b"\n")
    with pytest.raises(UsageError) as error:
        Store(paths).load()
    assert str(error.value) == (
        f"the credential store {paths.credentials} is damaged: "
        "restore it from a backup; nothing was changed in it"
    )


def test_the_wrong_key_is_told_and_changes_nothing(paths: Paths) -> None:
    put(paths, credential("mail"))
    stored = paths.credentials.read_bytes()
    right = encryption.read_keys(paths.key)[0].fingerprint
    other = encryption.Key.generate()
    encryption.write_keys(paths.key, [other])
    with pytest.raises(UsageError) as error:
        put(paths, credential("more"))
    assert str(error.value) == (
        f"wrong key: the credential store {paths.credentials} was encrypted with key {right}, "
        f"and the key file has {other.fingerprint}"
    )
    assert paths.credentials.read_bytes() == stored


def test_a_missing_key_does_not_start_a_new_store(paths: Paths) -> None:
    put(paths, credential("mail"))
    paths.key.unlink()
    with pytest.raises(UsageError, match=r"its key file .* is not; restore it from a backup"):
        put(paths, credential("more"))
    assert not paths.key.exists()


@pytest.mark.parametrize(
    "content", ["", "check_imap4-key-1 c2hvcnQ=\n", "a password\n", "check_imap4-key-1 ==\n"]
)
def test_a_damaged_key_file_is_told(paths: Paths, content: str) -> None:
    put(paths, credential("mail"))
    paths.key.write_text(content)
    with pytest.raises(UsageError, match=r"the key file .* (is damaged|holds no key)"):
        Store(paths).load()


def test_a_newer_store_is_not_written_over(paths: Paths) -> None:
    put(paths, credential("mail"))
    paths.credentials.write_bytes(paths.credentials.read_bytes().replace(b" 1 ", b" 2 ", 1))
    with pytest.raises(UsageError, match="was written by a newer version"):
        put(paths, credential("more"))


def test_rekey_changes_the_key_and_keeps_the_credentials(paths: Paths) -> None:
    one = credential("mail")
    put(paths, one)
    old_key, old_store = paths.key.read_bytes(), paths.credentials.read_bytes()
    fingerprint = Store(paths).rekey()
    assert [key.fingerprint for key in encryption.read_keys(paths.key)] == [fingerprint]
    assert Store(paths).load() == {"mail": one}
    assert old_key.splitlines()[-1] not in paths.key.read_bytes()
    paths.credentials.write_bytes(old_store)
    with pytest.raises(UsageError, match="wrong key"):
        Store(paths).load()


@pytest.mark.slow
def test_a_crash_at_any_line_of_a_write_leaves_the_old_or_the_new(paths: Paths) -> None:
    first, second = credential("first"), credential("second")
    put(paths, first)
    for line in at_every_line(lambda: put(paths, second), *HALF):
        found = Store(paths).load()
        assert found in ({"first": first}, {"first": first, "second": second}), line
        if "second" in found:
            with Store(paths).change() as held:
                del held["second"]
    assert sorted(path.name for path in paths.credentials.parent.iterdir()) == [
        *("credentials", "credentials.lock", "key")
    ]


@pytest.mark.slow
def test_a_crash_at_any_line_of_the_first_write_can_be_written_after(paths: Paths) -> None:
    for _ in at_every_line(lambda: put(paths, credential("first")), *HALF):
        put(paths, credential("second"))
        assert "second" in Store(paths).load()
        for path in paths.credentials.parent.iterdir():
            path.unlink()


@pytest.mark.slow
def test_a_crash_at_any_line_of_a_rekey_leaves_a_store_that_opens(paths: Paths) -> None:
    one = credential("mail")
    put(paths, one)
    for line in at_every_line(lambda: Store(paths).rekey(), *HALF):
        assert Store(paths).load() == {"mail": one}, line


_WRITER = """
import sys
from pathlib import Path
from recovery.credentials.store import Store
from recovery.model import Credential
from recovery.paths import Paths
store = Store(Paths(Path(sys.argv[1]), Path(sys.argv[2]), Path(".")))
count = int(sys.argv[4])
while True:
    count += 1
    with store.change() as held:
        text = "x" * 4096 + str(count)
        held[sys.argv[3]] = Credential(sys.argv[3], "recovery", "ssh-agent", description=text)
    print(count, flush=True)
"""


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_that_it_had_written(paths: Paths) -> None:
    count = 0
    for wanted in range(12):
        files = str(paths.credentials), str(paths.key)
        command = [sys.executable, "-c", _WRITER, *files, "mail", str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(1 + wanted % 4):
                count = int(writer.stdout.readline())
            writer.kill()
            count = max([count, *map(int, writer.stdout.read().split())])
        found = int(Store(paths).load()["mail"].description.lstrip("x"))
        assert count <= found <= count + 1
        count = found


def test_writers_at_once_lose_nothing(paths: Paths) -> None:
    def write(writer: int) -> None:
        for number in range(10):
            put(paths, credential(f"w{writer}-{number}"))

    children = []
    for writer in range(4):
        child = os.fork()
        if child == 0:
            try:
                write(writer)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert sorted(Store(paths).load()) == sorted(f"w{writer}-{n}" for writer in range(4) for n in range(10))


def test_a_reader_during_rekeys_always_reads(paths: Paths) -> None:
    put(paths, credential("mail"))
    child = os.fork()
    if child == 0:
        try:
            for _ in range(50):
                Store(paths).rekey()
            os._exit(0)
        finally:
            os._exit(1)
    ended = 0
    while not ended:
        assert list(Store(paths).load()) == ["mail"]
        ended, status = os.waitpid(child, os.WNOHANG)
    assert status == 0


def test_no_secret_shows_in_a_repr(paths: Paths) -> None:
    one = credential("mail", passphrase=Secret("quite secret"))
    assert one.password is not None
    put(paths, one)
    shown = repr(Store(paths).load()) + repr(encryption.read_keys(paths.key))
    assert one.password.reveal() not in shown
    assert "quite secret" not in shown
    assert paths.key.read_text().split()[-1] not in shown
