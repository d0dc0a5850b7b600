"""The bundle in a bare root of Debian 12: installed without a network, used, removed, purged."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packages import trying
from tests.packages.roots import Root, bare

pytestmark = pytest.mark.skipif(
    platform.freedesktop_os_release().get("VERSION_ID") != "12", reason="it is built on Debian 12"
)
NAME = "check-imap4-bundle"


@pytest.fixture(scope="module")
def root(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root with the bundle and an engine."""
    with Root(tmp_path_factory.mktemp("bundle-root"), bare("bookworm")) as root:
        root.put(bundle, "/bundle.deb")
        root.apt("install", "/bundle.deb", "nagios4-core", "openssh-server")
        yield root


def test_lintian_says_nothing_that_has_no_reason(bundle: Path, tmp_path: Path) -> None:
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed")
    command = ["lintian", "--allow-root", "--fail-on", "error,warning", str(bundle)]
    # It leaves a file among the temporary ones.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_the_check_tests_servers_with_what_it_brings(root: Root) -> None:
    assert root.shell("dpkg-query -W -f '${Package}\n' 'python3-nagiosplugin' 2>/dev/null || true") == ""
    trying.check_a_server(root, "daemon")
    code, output, _ = root.says("/usr/bin/env", "PYTHONHOME=/x", "PATH=", trying.CHECK, "--version")
    assert code == 3
    assert output.startswith("check_imap4 0.")


def test_its_libraries_are_its_own_and_compiled(root: Root) -> None:
    site = "/usr/lib/check-imap4/lib/python3.11/site-packages"
    root.shell(
        f"ls {site}/imap4/check/__pycache__/probe.cpython-311.pyc {site}/paramiko/__pycache__ >/dev/null"
    )
    assert root.says("python3", "-c", "import paramiko")[0] == 1
    found = root.shell("find /usr/lib/check-imap4 /usr/bin/imap4-* ! -user root -o ! -type l -perm /022")
    assert found == ""
    mine = root.shell(
        "grep -rlI -e /tmp/ -e pytest- /usr/lib/check-imap4/bin /usr/lib/check-imap4/pyvenv.cfg || true"
    )
    assert mine == ""


def test_the_set_up_proves_the_engine_and_is_taken_back(root: Root) -> None:
    trying.setup(root)


def test_the_monitor_renders_and_the_engine_takes_it(root: Root) -> None:
    trying.monitor(root)


def test_monitors_are_swept_and_reports_are_there(root: Root) -> None:
    trying.sweep(root)
    code, _, errors = root.says("imap4-monitor", "records", "collect", user="nagios")
    assert (code, errors) == (0, "")
    code, output, errors = root.says("imap4-monitor", "list", user="nagios")
    assert code in (0, 1)
    assert "Mail" in output, errors


def test_recovery_works_with_its_own_paramiko(root: Root) -> None:
    trying.recovery(root)


def test_the_units_are_right_and_sleep(root: Root) -> None:
    trying.units(
        root, "imap4-collect.service", "imap4-collect.timer", "imap4-report.service", "imap4-report.timer"
    )


def test_another_package_that_takes_over_keeps_the_state_when_the_bundle_is_purged(
    bundle: Path, tmp_path: Path
) -> None:
    """As after an upgrade to Debian 13: the native pair has the bundle's place, and its state."""
    with Root(tmp_path, bare("bookworm")) as root:
        root.put(bundle, "/bundle.deb")
        root.apt("install", "/bundle.deb")
        root.shell(
            "mkdir -p /new/DEBIAN; cd /new\n"
            "printf 'Package: imap4-monitor\\nVersion: 9\\nArchitecture: all\\n"
            f"Maintainer: x <x@example.org>\\nConflicts: {NAME}\\n"
            f"Replaces: {NAME}\\nDescription: x\\n' >DEBIAN/control\n"
            "dpkg-deb -b /new /new.deb >&2\n"
            "touch /etc/check_imap4/credentials /var/lib/check_imap4/history.db"
        )
        root.apt("install", "/new.deb")
        assert root.shell(f"dpkg-query -W -f '${{db:Status-Status}}' {NAME}") == "config-files"
        root.shell(f"dpkg --purge {NAME} >&2")
        root.shell(
            "ls /etc/check_imap4/credentials /var/lib/check_imap4/history.db /var/lib/imap4-monitor/records"
        )


def test_removing_and_purging(root: Root) -> None:
    trying.remove_and_purge(root, NAME)
