"""``imap4-monitor validate --recovery``: definitions before a real store, through the real programs."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from imap4.monitor.definition.form import example

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a definition, and a store of its own with the credential that the docs make."""
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "mail.toml").write_text(example("anna"))
    words = ["credentials", "add", "mail", "--account", "recovery", "--password-stdin"]
    allowed = ["--machines", "mail*.example.org", "--actions", "restart-service"]
    added = run(tmp_path, "imap4-recovery", *words, *allowed, stdin=secrets.token_urlsafe(12))
    assert added.returncode == 0, added.stderr
    return tmp_path


def run(folder: Path, program: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A program of ours, with the store in ``folder``."""
    places = {
        "IMAP4_RECOVERY_CREDENTIALS": folder / "credentials",
        "IMAP4_RECOVERY_KEY": folder / "credentials.key",
        "IMAP4_RECOVERY_STATE": folder / "state",
    }
    return subprocess.run(
        [BIN / program, *words],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
        env={**os.environ, **{name: str(path) for name, path in places.items()}},
    )


def test_the_example_would_be_repaired_with_the_credential_of_the_docs(site: Path) -> None:
    ended = run(site, "imap4-monitor", "validate", "--recovery", "mail.toml")
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert ended.stdout == (
        "mail.toml: 1 monitor, no mistakes\n"
        "OK - rehearsal: all 1 repairs of 1 monitors would work\n"
        "Mail: restart-service dovecot on mail.example.org: would work\n"
    )


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('credential = "mail"', 'credential = "post"', "there is no credential 'post' in "),
        (
            'machine = "mail.example.org"',
            'machine = "web.example.org"',
            "credential: credential mail may not be used on web.example.org",
        ),
        (
            'do = "restart-service"',
            'do = "reboot-server"',
            "credential mail may not be used for reboot-server",
        ),
    ],
)
def test_what_a_definition_names_must_be_there_and_allowed(
    site: Path, right: str, wrong: str, told: str
) -> None:
    text = (site / "mail.toml").read_text()
    assert right in text
    (site / "mail.toml").write_text(text.replace(right, wrong, 1))
    ended = run(site, "imap4-monitor", "validate", "--recovery", "mail.toml")
    assert (ended.stderr, ended.returncode) == ("", 1)
    assert ended.stdout.startswith("mail.toml: 1 monitor, no mistakes\nWARNING - rehearsal: 1 of 1 repairs")
    assert told in ended.stdout


def test_mistakes_come_first_and_the_store_is_not_asked(site: Path) -> None:
    (site / "mail.toml").write_text("nonsense")
    ended = run(site, "imap4-monitor", "validate", "--recovery", "mail.toml")
    assert ended.returncode == 1
    assert "rehearsal" not in ended.stdout


def test_a_program_that_is_not_there_is_one_line(site: Path) -> None:
    words = ["--recovery", "--recovery-command", "/nowhere/imap4-recovery"]
    ended = run(site, "imap4-monitor", "validate", "mail.toml", *words)
    assert ended.returncode == 3
    assert ended.stderr == (
        "/nowhere/imap4-recovery cannot be run: No such file or directory; install recovery beside "
        "imap4-monitor, or give its path with --recovery-command\n"
    )
