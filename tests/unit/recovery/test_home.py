"""The host's one home: who may use it, who gets it, and what the others are told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery import home, paths
from recovery.credentials.store import Store
from recovery.errors import UsageError
from recovery.history.recoveries import opened
from recovery.model import Credential, Secret
from recovery.paths import find_paths

ENGINE, OTHER = 12345, 12346

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become several users")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The home's two folders, which are not there yet; the way to them is open to all."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    monkeypatch.setattr(paths, "SYSTEM_CONFIGURATION", tmp_path / "etc")
    monkeypatch.setattr(paths, "SYSTEM_STATE", tmp_path / "lib")
    return tmp_path / "etc", tmp_path / "lib"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Says which users of engines there are."""

    def there_are(*names: str) -> None:
        class Entry:
            pw_uid = pw_gid = ENGINE

        known = dict.fromkeys(names, Entry)

        def by_number(number: int) -> object:
            if number in (ENGINE, OTHER):
                raise KeyError
            return type("Entry", (), {"pw_name": "root", "pw_gid": 0})

        monkeypatch.setattr("pwd.getpwnam", known.__getitem__)
        monkeypatch.setattr("pwd.getpwuid", by_number)

    return there_are


@contextmanager
def user(number: int) -> Iterator[None]:
    """Be another user for a while."""
    os.setegid(number)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def add(name: str) -> None:
    with Store(find_paths({})).change() as held:
        held[name] = Credential(name, "recovery", "ssh-password", Secret("a made-up one"))


def test_what_root_makes_is_the_engines_and_both_have_one_store_and_one_history(
    folders: tuple[Path, Path], engine: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    engine("nagios")
    add("mail")
    with opened(find_paths({}).state):
        pass
    assert capsys.readouterr().err == "".join(
        f"imap4-recovery: made {folder} for user nagios, as whom the engine runs\n" for folder in folders
    )
    for folder in folders:
        assert {path.stat().st_uid for path in (folder, *folder.rglob("*"))} == {ENGINE}
    with user(ENGINE):
        assert list(Store(find_paths({})).load()) == ["mail"]
        with opened(find_paths({}).state):
            pass
    assert capsys.readouterr().err == ""
    add("more")
    assert sorted(Store(find_paths({})).load()) == ["mail", "more"]


@pytest.mark.parametrize(
    ("users", "why"),
    [
        ((), "there is none of nagios, naemon, icinga"),
        (("nagios", "naemon"), "nagios and naemon are both here"),
    ],
)
def test_where_it_is_not_plain_who_the_engine_is_root_says_so(
    folders: tuple[Path, Path],
    engine: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    users: tuple[str, ...],
    why: str,
) -> None:
    engine(*users)
    add("mail")
    assert folders[0].stat().st_uid == 0
    said = f"made {folders[0]} for root alone ({why}); for the engine: chown -R USER {folders[0]}"
    assert capsys.readouterr().err == f"imap4-recovery: {said}\n"


def test_a_user_who_may_not_use_it_is_told_and_gets_no_other(
    folders: tuple[Path, Path], engine: Callable[..., None], tmp_path: Path
) -> None:
    engine("nagios")
    another = "or name files of your own with --credentials, --key and --state-folder"

    def refused(folder: Path, call: Callable[[], object]) -> str:
        with user(OTHER), pytest.raises(UsageError) as error:
            call()
        return str(error.value).removeprefix(f"{folder} ")

    def history() -> None:
        with opened(find_paths({}).state):
            pass

    absent = f"is not there yet, and only root can make it: run this as root once, {another}"
    for folder, call in ((folders[0], Store(find_paths({})).load), (folders[1], history)):
        assert refused(folder, call) == absent
        folder.mkdir(mode=0o700)
        roots = (
            f"belongs to user root: give it to the engine's user, as root: chown -R USER {folder}, {another}"
        )
        assert refused(folder, call) == roots
        os.chown(folder, ENGINE, ENGINE)
        run = f"run this as that user (sudo -u {ENGINE} imap4-recovery ...) or as root, {another}"
        assert refused(folder, call) == f"belongs to user {ENGINE}: {run}"
    # What is named is not the home's affair.
    own = tmp_path / "own"
    own.mkdir()
    os.chown(own, OTHER, OTHER)
    named = find_paths({}, credentials=str(own / "credentials"), key=str(own / "key"), state=str(own))
    with user(OTHER):
        assert Store(named).load() == {}
        with opened(named.state):
            pass


def test_the_doctor_names_what_is_in_use(folders: tuple[Path, Path], engine: Callable[..., None]) -> None:
    engine("nagios")
    names = f"store {folders[0]}/credentials, key {folders[0]}/credentials.key, history {folders[1]}"
    assert home.told(find_paths({})) == f"{names}, not made yet"
    folders[1].mkdir()
    assert home.told(find_paths({})) == f"{names}, of user root"
