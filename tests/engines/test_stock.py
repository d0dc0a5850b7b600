"""The example of ``imap4-monitor new`` is taken by Debian's engines as they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import core, icinga
from tests.machines.private_root import PrivateRoot, why_no_private_root
from tests.packages.test_readme import blocks

pytestmark = [
    pytest.mark.skipif(bool(why_no_private_root()), reason=why_no_private_root()),
    pytest.mark.skipif(core.PROGRAM != "/usr/sbin/nagios4", reason="Debian's own Nagios is what is meant"),
    pytest.mark.skipif(icinga.PROGRAM != "/usr/sbin/icinga2", reason="Debian's own Icinga is what is meant"),
]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[PrivateRoot]:
    (tmp_path / "mount").mkdir()
    with PrivateRoot(tmp_path / "mount") as made:
        yield made


def test_nagios_verifies_it(root: PrivateRoot) -> None:
    root.shell(
        "imap4-monitor new --engine nagios /root/mail.toml\n"
        "imap4-monitor render nagios /root/mail.toml -o /etc/nagios4/conf.d/imap4"
    )
    ended = root.run("/usr/sbin/nagios4", "-v", "/etc/nagios4/nagios.cfg")
    assert "\nTotal Errors:   0\n" in ended.stdout, ended.stdout
    assert ended.returncode == 0


def test_icinga_verifies_it(root: PrivateRoot) -> None:
    root.shell(
        "imap4-monitor new --engine icinga2 /root/mail.toml\n"
        "imap4-monitor render icinga2 /root/mail.toml -o /etc/icinga2/conf.d/imap4"
    )
    ended = root.run("/usr/sbin/icinga2", "daemon", "-C")
    assert ended.returncode == 0, ended.stdout
    assert "Instantiated 1 EventCommand." in ended.stdout


def test_a_stock_nagios_is_found_and_its_contact_is_named(root: PrivateRoot) -> None:
    root.shell("rm -r /etc/icinga2")
    assert 'contacts = ["nagiosadmin"]\n' in root.shell("imap4-monitor new")
    root.shell("rm -r /etc/nagios4; mkdir /etc/icinga2; touch /etc/icinga2/icinga2.conf")
    assert 'contacts = ["icingaadmin"]\n' in root.shell("imap4-monitor new")


def test_the_services_of_the_readme_use_the_commands_that_setup_makes(root: PrivateRoot) -> None:
    root.open_to_all()
    (nagios,), (icinga2,) = blocks("nagios"), blocks("icinga2")
    for engine in ("nagios", "icinga2"):
        ended = root.run("imap4-monitor", "setup", "--engine", engine, "--yes", "--no-rehearsal")
        assert (ended.stderr, ended.returncode) == ("", 0)
    assert root.run("tee", "/etc/nagios4/conf.d/mine.cfg", stdin=nagios).returncode == 0
    ended = root.run("/usr/sbin/nagios4", "-v", "/etc/nagios4/nagios.cfg")
    assert "\nTotal Errors:   0\n" in ended.stdout, ended.stdout
    assert "Checked 9 services." in ended.stdout
    assert root.run("tee", "/etc/icinga2/conf.d/mine.conf", stdin=icinga2).returncode == 0
    ended = root.run("/usr/sbin/icinga2", "daemon", "-C")
    assert ended.returncode == 0, ended.stdout
