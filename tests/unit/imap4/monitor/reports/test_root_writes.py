"""A report that root writes into another user's folder: it is theirs, and leads root nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imap4.monitor.records.errors import RecordsError
from imap4.monitor.reports.commands import _write
from tests.conftest import THEIR_USER


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_it_is_theirs_and_no_link_of_theirs_leads_root_elsewhere(their_folder: Path) -> None:
    theirs, roots = their_folder / "reports", their_folder / "roots"
    theirs.mkdir()
    roots.mkdir()
    (theirs / "sub").symlink_to(roots)
    for path in (theirs, theirs / "sub"):
        os.chown(path, THEIR_USER, THEIR_USER, follow_symlinks=False)
    _write(str(theirs / "page.html"), "the report")
    assert (theirs / "page.html").read_text() == "the report"
    assert (theirs / "page.html").stat().st_uid == THEIR_USER
    with pytest.raises(RecordsError, match=r"cannot be written: Permission denied$"):
        _write(str(theirs / "sub" / "page.html"), "the report")
    assert not list(roots.iterdir())
