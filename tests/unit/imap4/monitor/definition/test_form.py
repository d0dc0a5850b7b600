"""``imap4-monitor new``: the example, and the form asked on a terminal."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from imap4.monitor.definition.form import example
from imap4.monitor.definition.reader import parse
from imap4.monitor.model import Action, AlertRange, Recovery
from tests.unit.imap4.monitor.conftest import Run

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
ssh
--1
65536
2222
1, 2, cron
1-2
3
"""
REBOOT = Action("reboot-server", AlertRange(3, 3))


def recovery_command(folder: Path) -> str:
    """A stand-in for ``imap4-recovery`` that lists names as JSON."""
    path = folder / "imap4-recovery"
    path.write_text(
        textwrap.dedent(
            """\
            #!/bin/sh
            case "$*" in
            "machines --json") echo '{"machines": {"mail1": ["history"], "mail2": []}, "hashed": 2}' ;;
            "credentials list --json") echo '[{"name": "root", "method": "ssh-key"}]' ;;
            "services --machine mail2 --credential root --port 2222 --json")
              echo '[{"name": "dovecot"}, {"name": "postfix"}]' ;;
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


@pytest.mark.parametrize(
    ("engine", "contact"), [("nagios", "nagiosadmin"), ("naemon", "naemonadmin"), ("icinga2", "icingaadmin")]
)
def test_the_example_names_whom_a_stock_engine_knows(imap4_monitor: Run, engine: str, contact: str) -> None:
    text = imap4_monitor("new", "--engine", engine).stdout
    (monitor,) = parse(text, "example").monitors
    assert [each.name for each in monitor.contacts] == [contact]


def test_the_port_that_the_example_leaves_out_is_valid_too() -> None:
    (plain,) = parse(example("anna"), "example").monitors
    (other,) = parse(example("anna").replace("# port = 2222", "port = 2222"), "example").monitors
    assert plain.recovery.port is None
    assert other == replace(plain, recovery=replace(plain.recovery, port=2222))


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
    for wrong in (
        '"ssh" is not a whole number',
        '"--1" is not a whole number',
        "65536 is not between 1 and 65535",
    ):
        assert f"Port of its sshd or WinRM (- for the usual one) [-]:   {wrong}\n" in ended.stdout
    assert (monitor.recovery.machine, monitor.recovery.port) == ("mail2", 2222)
    assert monitor.recovery.services == ("dovecot", "postfix", "cron")
    restart = Action("restart-service", AlertRange(1, 2))
    assert monitor.recovery.actions == (restart, REBOOT)


def test_the_form_goes_on_without_recovery(imap4_monitor: Run, tmp_path: Path) -> None:
    answers = "Mail\n\n\nmail.example.org\n" + "\n" * 10 + "y\n\nroot\n\n\n3\n"
    ended = imap4_monitor("new", "--ask", "f.toml", "--recovery-command", "/nonexistent", stdin=answers)
    assert (ended.stderr, ended.returncode) == ("", 0)
    text = (tmp_path / "f.toml").read_text()
    assert text.split("[monitor.recovery]\n")[1] == (
        'machine = "mail.example.org"\ncredential = "root"\n\n'
        '[[monitor.recovery.action]]\ndo = "reboot-server"\nalerts = "3"\n'
    )
    (monitor,) = parse(text, "f.toml").monitors
    assert monitor.recovery == Recovery("mail.example.org", "root", actions=(REBOOT,))


def test_an_interrupted_form_writes_nothing(imap4_monitor: Run, tmp_path: Path) -> None:
    ended = imap4_monitor("new", "--ask", "mine.toml", stdin="Mail\n")
    assert (ended.stderr, ended.returncode) == ("\nnew: no answer; nothing was written\n", 3)
    assert not (tmp_path / "mine.toml").exists()
