"""Files with secrets: whose they may be, who may read them, and what they may be."""

from __future__ import annotations

import os
import secrets as random
import socket
from pathlib import Path

import pytest

from imap4 import secrets
from imap4.secrets import SecretError

USER = os.geteuid()
NOBODY = 12345

as_root = pytest.mark.skipif(USER != 0, reason="only root can give a file away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a secret as it should be."""
    found = tmp_path / "secret"
    found.touch(mode=0o600)
    found.write_text("correct horse\nmore\n")
    return found


def refused(path: Path | str, **settings: bool) -> str:
    """What is said of a file that is not read."""
    with pytest.raises(SecretError) as error:
        secrets.read(path, "the secret", **settings)
    return str(error.value)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert secrets.read(path, "the secret") == b"correct horse\nmore\n"
    assert secrets.read_line(path, "the secret") == "correct horse"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666])
def test_a_file_that_others_may_touch_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert refused(path) == (
        f"the secret {path} is open to group or others (mode {mode:04o}); run: chmod 600 {path}"
    )


@as_root
def test_a_group_may_read_roots_file_where_that_is_documented(path: Path) -> None:
    path.chmod(0o640)
    assert secrets.read(path, "the secret", group=True)
    path.chmod(0o644)
    assert refused(path, group=True).startswith(f"the secret {path} is open to others (mode 0644);")
    path.chmod(0o660)
    assert refused(path, group=True).startswith(f"the secret {path} is open to others (mode 0660);")


def as_user(user: int, path: Path, **settings: bool) -> str:
    """What another user reads, or is told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([user])
            os.setegid(user)
            os.seteuid(user)
            answer = secrets.read(path, "the secret", **settings).decode()
        except BaseException as error:
            answer = str(error)
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as pipe:
        return pipe.read()


@as_root
def test_whose_file_it_may_be(path: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    os.chown(path, NOBODY, NOBODY)
    assert as_user(NOBODY, path) == "correct horse\nmore\n"
    # Root's, for a group of the user's.
    os.chown(path, 0, NOBODY)
    path.chmod(0o640)
    assert as_user(NOBODY, path, group=True) == "correct horse\nmore\n"
    assert as_user(NOBODY, path) == (
        f"the secret {path} is open to group or others (mode 0640); "
        f"run: chown {NOBODY} {path} && chmod 600 {path}"
    )
    # The user's own needs no group.
    os.chown(path, NOBODY, NOBODY)
    assert "is open to group or others" in as_user(NOBODY, path, group=True)
    # Somebody else's.
    os.chown(path, NOBODY + 1, NOBODY)
    assert as_user(NOBODY, path) == (
        f"the secret {path} belongs to user {NOBODY + 1}; give it to user {NOBODY} or root"
    )


@as_root
def test_root_reads_what_is_the_folders_owners(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)
    assert refused(path) == f"the secret {path} belongs to user {NOBODY}; give it to root"
    assert refused(path, group=True) == (
        f"the secret {path} belongs to user {NOBODY}; give it to root "
        "(root's may be readable for a group, chmod 640)"
    )
    os.chown(path.parent, NOBODY + 1, NOBODY)
    assert refused(path) == (
        f"the secret {path} belongs to user {NOBODY}; "
        f"give it to root or user {NOBODY + 1}, whose folder it lies in"
    )
    os.chown(path.parent, NOBODY, NOBODY)
    assert secrets.read(path, "the secret")


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    for path in (pipe, tmp_path, Path("/dev/null"), Path("/dev/zero"), Path("/dev/tty")):
        if path.exists():
            said = refused(path)
            # A process without a terminal cannot even open it (tty(4)).
            assert said in (
                f"the secret {path} is not a plain file",
                f"cannot read the secret {path}: No such device or address",
            )
    assert refused(tmp_path / "socket").startswith("cannot read the secret ")


def test_what_a_shell_makes_of_a_pipe_is_told_as_that() -> None:
    reading, writing = os.pipe()
    try:
        assert refused(f"/dev/fd/{reading}") == f"the secret /dev/fd/{reading} is not a plain file"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_file_longer_than_a_secret_is_refused(path: Path) -> None:
    path.write_bytes(b"x" * 65536)
    assert len(secrets.read(path, "the secret")) == 65536
    path.write_bytes(b"x" * 65537)
    assert refused(path) == f"the secret {path} is longer than 65536 bytes: it is some other file"


def test_no_such_file_is_left_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        secrets.read(tmp_path / "none", "the secret")
    with pytest.raises(SecretError) as error:
        secrets.read_line(tmp_path / "none", "the secret")
    assert str(error.value) == f"cannot read the secret {tmp_path / 'none'}: No such file or directory"


def test_links_of_ones_own_are_followed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("../secret")
    (tmp_path / "way").symlink_to(tmp_path / "folder")
    monkeypatch.chdir(tmp_path)
    for name in (path, tmp_path / "folder" / "link", tmp_path / "way" / "link", "way/../secret", "./secret"):
        assert secrets.read(name, "the secret") == b"correct horse\nmore\n"
    (tmp_path / "endless").symlink_to("endless")
    assert "too many symbolic links" in refused(tmp_path / "endless")
    (tmp_path / "nowhere").symlink_to("nothing")
    with pytest.raises(FileNotFoundError):
        secrets.read(tmp_path / "nowhere", "the secret")


@as_root
@pytest.mark.parametrize("foreign", ["link", "folder"])
def test_a_link_that_somebody_else_can_turn_is_not_followed(path: Path, tmp_path: Path, foreign: str) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link"
    link.symlink_to(path)
    assert secrets.read(link, "the secret")
    os.chown(link if foreign == "link" else link.parent, NOBODY, NOBODY, follow_symlinks=False)
    told = "leads through a symbolic link that is another user's, or lies in another user's folder"
    assert refused(link) == f"the secret {link} {told}; name the file itself"
    # Nor where it is the folder that is a link.
    os.chown(tmp_path / "folder", 0, 0)
    os.unlink(link)
    link.symlink_to(tmp_path)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    assert told in refused(link / "secret")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "its first line must be the password"),
        (b"\nword\n", "its first line must be the password"),
        (b"a\0b\n", "its first line must be the password"),
        (b"caf\xe9\n", "the password is not UTF-8"),
    ],
)
def test_a_first_line_that_is_no_password_is_told_without_it(path: Path, data: bytes, problem: str) -> None:
    path.write_bytes(data)
    with pytest.raises(SecretError) as error:
        secrets.read_line(path, "")
    assert str(error.value) == f"{path}: {problem}"


def test_a_secret_can_be_a_path_for_a_library_and_is_gone_after() -> None:
    secret = random.token_bytes(100_000)
    with secrets.as_file(secret) as path:
        assert Path(path).read_bytes() == secret
    assert not Path(path).exists()


def test_no_descriptor_is_left_open(path: Path, tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    path.chmod(0o644)
    for name in (path, tmp_path, tmp_path / "none", "/dev/null"):
        with pytest.raises((SecretError, FileNotFoundError)):
            secrets.read(name, "the secret")
    path.chmod(0o600)
    secrets.read(path, "the secret")
    assert os.listdir("/proc/self/fd") == before
