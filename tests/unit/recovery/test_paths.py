"""Where the files are."""

from __future__ import annotations

from pathlib import Path

import pytest

from recovery import paths
from recovery.paths import Paths, find_paths


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some user who may not use the system's folders."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(paths, "SYSTEM_CONFIGURATION", Path("/nowhere"))
    monkeypatch.setattr(paths, "SYSTEM_STATE", Path("/nowhere"))
    monkeypatch.setenv("HOME", "/home/a")


def test_root_has_the_systems_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert find_paths({}) == Paths(
        Path("/etc/check_imap4/credentials"),
        Path("/etc/check_imap4/credentials.key"),
        Path("/var/lib/check_imap4"),
    )


def test_the_engines_user_has_them_too_where_it_may(
    as_user: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "SYSTEM_CONFIGURATION", tmp_path)
    monkeypatch.setattr(paths, "SYSTEM_STATE", tmp_path)
    found = find_paths({})
    assert (found.credentials, found.state) == (tmp_path / "credentials", tmp_path)


@pytest.mark.parametrize(
    ("environ", "credentials", "state"),
    [
        ({}, "/home/a/.config/check_imap4/credentials", "/home/a/.local/state/check_imap4"),
        (
            {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"},
            *("/c/check_imap4/credentials", "/s/check_imap4"),
        ),
        (
            {"XDG_CONFIG_HOME": "c"},
            "/home/a/.config/check_imap4/credentials",
            "/home/a/.local/state/check_imap4",
        ),
        ({"IMAP4_RECOVERY_CREDENTIALS": "/x", "IMAP4_RECOVERY_STATE": "/y"}, "/x", "/y"),
    ],
)
def test_other_users_have_their_own(
    as_user: None, environ: dict[str, str], credentials: str, state: str
) -> None:
    found = find_paths(environ)
    assert (str(found.credentials), str(found.state)) == (credentials, state)


def test_an_option_wins_over_a_variable_and_a_named_key_over_systemds(tmp_path: Path) -> None:
    (tmp_path / paths.SYSTEMD_KEY).touch()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "IMAP4_RECOVERY_STATE": "/y"}
    found = find_paths(environ)
    assert (found.key, found.key_from_systemd) == (tmp_path / paths.SYSTEMD_KEY, True)
    found = find_paths({**environ, "IMAP4_RECOVERY_KEY": "/k"}, state="/z")
    assert (str(found.key), found.key_from_systemd, str(found.state)) == ("/k", False, "/z")
    assert str(find_paths({"IMAP4_RECOVERY_KEY": "/k"}, key="/o").key) == "/o"
