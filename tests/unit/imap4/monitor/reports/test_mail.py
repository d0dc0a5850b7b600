"""contrib/mail-report, with a program in sendmail's place that keeps what it is given."""

from __future__ import annotations

import email
import email.message
import email.policy
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.imap4.monitor.records.writing import NOON, series

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[5]


def mail(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it."""
    for name, text in (
        ("imap4-monitor", f'exec {sys.executable} -m imap4.monitor.cli "$@"'),
        ("sendmail", f'echo "$@" >{folder}/arguments; exec cat >{folder}/mail'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "IMAP4_MONITOR": str(folder / "imap4-monitor"),
        "SENDMAIL": str(folder / "sendmail"),
    }
    command = [str(ROOT / "contrib" / "mail-report"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_the_mail_has_the_text_and_the_page(tmp_path: Path) -> None:
    series(tmp_path / "records", NOON, [0, 0, 2, 0])
    (tmp_path / "history.json").write_text("[]")
    where = ("--records", str(tmp_path / "records"), "--store", str(tmp_path / "store"), "--timezone", "UTC")
    done = mail(
        tmp_path,
        "admin@example.org",
        "--period",
        "2026-10",
        *where,
        "--repairs",
        str(tmp_path / "history.json"),
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert (tmp_path / "arguments").read_text() == "-oi -t\n"
    found = email.message_from_bytes((tmp_path / "mail").read_bytes(), policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    assert (found["To"], found["Subject"]) == ("admin@example.org", "IMAP4 monitors, 2026-10")
    text, page = found.iter_parts()
    assert text.get_content().startswith("IMAP4 monitors, 2026-10\n====")
    assert "1 of 1 monitor had outages: Mail" in text.get_content()
    assert page.get_filename() == "report.html"
    assert page.get_content().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("recipient", ["-bs", "a b", "x\nBcc: y", "a;reboot"])
def test_what_is_no_address_is_refused(tmp_path: Path, recipient: str) -> None:
    done = mail(tmp_path, recipient)
    assert "is no plain mail address" in done.stderr
    assert (done.returncode, (tmp_path / "mail").exists()) == (3, False)
