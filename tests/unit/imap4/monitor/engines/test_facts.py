"""The tables about the engines: their page, and which packaging is taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imap4.monitor.engines import facts
from tools.engine_facts import PAGE, page


def test_the_page_is_made_from_the_tables() -> None:
    assert PAGE.read_text() == page(), "run: make docs"


def test_an_omd_site_has_its_own_paths_and_nobody_else_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMD_ROOT", raising=False)
    assert [each.who for each in facts.packagings("naemon")] == ["Naemon's own and Consol Labs' packages"]
    monkeypatch.setenv("OMD_ROOT", "/omd/sites/mine")
    main = "/omd/sites/mine/tmp/naemon/naemon.cfg"
    assert facts.packaging_of("naemon", main).command_file == "/omd/sites/mine/tmp/run/naemon.cmd"


def test_the_packaging_is_that_of_the_main_file() -> None:
    found = facts.packaging_of("nagios", "/etc/nagios/nagios.cfg")
    assert found.command_file == "/var/spool/nagios/cmd/nagios.cmd"
    assert facts.packaging_of("naemon", "/somewhere/else.cfg").command_file == "/var/lib/naemon/naemon.cmd"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who may not see the folder")
def test_a_folder_that_may_not_be_seen_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "icinga2"
    hidden.mkdir(mode=0o750)
    (hidden / "icinga2.conf").touch()
    known = facts.Packaging("icinga2", "hidden", str(hidden / "icinga2.conf"))
    monkeypatch.setattr(facts, "packagings", lambda _: iter([known]))
    os.seteuid(12345)
    try:
        assert facts.packaging_of("icinga2", None) is known
    finally:
        os.seteuid(0)
