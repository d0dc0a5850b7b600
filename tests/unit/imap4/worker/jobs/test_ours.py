"""Where the programs are that a worker answers for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from imap4.worker.jobs import ours


def test_it_is_beside_the_program_its_python_or_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/imap4-worker"])
    monkeypatch.setattr(sys, "executable", "/usr/lib/check-imap4/bin/python3")
    modules = ours.PACKAGE.parent
    assert ours.beside("check_imap4") == [
        Path("/usr/bin/check_imap4"),
        Path("/usr/lib/check-imap4/bin/check_imap4"),
        modules / "check_imap4",
    ]
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert ours.beside("check_imap4") == [Path("/usr/bin/check_imap4"), modules / "check_imap4"]
