"""Where the files are."""

from __future__ import annotations

from pathlib import Path

import pytest

from recovery import paths
from recovery.paths import Paths, find_paths


@pytest.mark.parametrize("user", [0, 1000])
def test_everybody_has_the_same_home(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    environ = {"HOME": "/home/a", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}
    assert find_paths(environ) == Paths(
        Path("/etc/check_imap4/credentials"),
        Path("/etc/check_imap4/credentials.key"),
        Path("/var/lib/check_imap4"),
    )


def test_another_is_used_only_where_it_is_named() -> None:
    found = find_paths({"IMAP4_RECOVERY_CREDENTIALS": "/x", "IMAP4_RECOVERY_STATE": "/y"})
    assert (str(found.credentials), str(found.state)) == ("/x", "/y")


def test_an_option_wins_over_a_variable_and_a_named_key_over_systemds(tmp_path: Path) -> None:
    (tmp_path / paths.SYSTEMD_KEY).touch()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "IMAP4_RECOVERY_STATE": "/y"}
    found = find_paths(environ)
    assert (found.key, found.key_from_systemd) == (tmp_path / paths.SYSTEMD_KEY, True)
    found = find_paths({**environ, "IMAP4_RECOVERY_KEY": "/k"}, state="/z")
    assert (str(found.key), found.key_from_systemd, str(found.state)) == ("/k", False, "/z")
    assert str(find_paths({"IMAP4_RECOVERY_KEY": "/k"}, key="/o").key) == "/o"
