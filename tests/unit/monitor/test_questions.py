"""``imap4-monitor new``: the example, and the form asked on a terminal."""

from __future__ import annotations

import textwrap
from pathlib import Path

from monitor.definition import parse
from monitor.model import Action, AlertRange
from tests.unit.monitor.conftest import Run

ANSWERS = """\
Mail "Berlin"


mail.example.org
ftp
starttls

0
7

45

90



y
2
1
1, 2, cron
1-2
3
"""


def recovery_command(folder: Path) -> str:
    """A stand-in for ``imap4-recovery`` that lists names as JSON."""
    path = folder / "imap4-recovery"
    path.write_text(
        textwrap.dedent(
            """\
            #!/bin/sh
            case "$1 $2 $3 $4 $5" in
            "machines --json   ") echo '{"machines": {"mail1": ["history"], "mail2": []}, "hashed": 2}' ;;
            "credentials list --json  ") echo '[{"name": "root", "method": "ssh-key"}]' ;;
            "services --machine mail2 --credential root") echo '[{"name": "dovecot"}, {"name": "postfix"}]' ;;
            *) exit 2 ;;
            esac
            """
        )
    )
    path.chmod(0o755)
    return str(path)


def test_the_example_is_valid_and_never_overwrites_a_file(imap4_monitor: Run, tmp_path: Path) -> None:
    ended = imap4_monitor("new", "mine.toml")
    assert ended.stdout == "mine.toml: written; next: imap4-monitor validate mine.toml\n"
    again = imap4_monitor("new", "mine.toml")
    assert (again.stderr, again.returncode) == ("mine.toml: is there already; nothing was written\n", 3)
    assert imap4_monitor("validate", "mine.toml").returncode == 0


def test_the_form_is_asked_in_its_order_with_choices_from_recovery(
    imap4_monitor: Run, tmp_path: Path
) -> None:
    command = recovery_command(tmp_path)
    ended = imap4_monitor("new", "--ask", "mine.toml", "--recovery-command", command, stdin=ANSWERS)
    assert (ended.stderr, ended.returncode) == ("", 0)
    assert "  2. mail2" in ended.stdout
    assert '"ftp" is none of none, tls, starttls' in ended.stdout
    (monitor,) = parse((tmp_path / "mine.toml").read_text(), "mine.toml").monitors
    assert (monitor.name, monitor.tls.mode, monitor.test_duration) == ('Mail "Berlin"', "starttls", 7)
    assert (monitor.rules.delays.up, monitor.rules.delays.warn, monitor.rules.delays.down) == (300, 45, 300)
    assert monitor.recovery.machine == "mail2"
    assert monitor.recovery.services == ("dovecot", "postfix", "cron")
    restart = Action("restart-service", AlertRange(1, 2))
    assert monitor.recovery.actions == (restart, Action("reboot-server", AlertRange(3, 3)))


def test_the_form_goes_on_without_recovery(imap4_monitor: Run, tmp_path: Path) -> None:
    answers = "Mail\n\n\nmail.example.org\n" + "\n" * 10 + "y\n\nroot\n\n3\n"
    ended = imap4_monitor("new", "--ask", "f.toml", "--recovery-command", "/nonexistent", stdin=answers)
    assert (ended.stderr, ended.returncode) == ("", 0)
    (monitor,) = parse((tmp_path / "f.toml").read_text(), "f.toml").monitors
    assert (monitor.recovery.machine, monitor.recovery.credential) == ("mail.example.org", "root")


def test_an_interrupted_form_writes_nothing(imap4_monitor: Run, tmp_path: Path) -> None:
    ended = imap4_monitor("new", "--ask", "mine.toml", stdin="Mail\n")
    assert (ended.stderr, ended.returncode) == ("\nnew: no answer; nothing was written\n", 3)
    assert not (tmp_path / "mine.toml").exists()
