"""The native packages in bare roots of Debian 13: installed without a network, used, removed, purged."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.debian import DEBIAN13, PACKAGES13, cached_tree
from tests.packages import trying
from tests.packages.roots import Root, bare

Packages = dict[str, Path]


@pytest.fixture(scope="module")
def alone(native: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root with the check's package alone."""
    with Root(tmp_path_factory.mktemp("alone"), bare("trixie")) as root:
        root.put(native["check-imap4"], "/check.deb")
        root.apt("install", "/check.deb")
        yield root


@pytest.fixture(scope="module")
def root(native: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root with both packages, an engine, and what they are recommended to have."""
    with Root(tmp_path_factory.mktemp("both"), bare("trixie")) as root:
        for name, path in native.items():
            root.put(path, f"/{name}.deb")
        wanted = ("nagios4-core", "openssh-server", "python3-greenlet")
        root.apt("install", "/check-imap4.deb", "/imap4-monitor.deb", *wanted)
        yield root


def test_the_checks_package_needs_three_others_and_no_more(alone: Root, native: Packages) -> None:
    fields = subprocess.run(
        ["dpkg-deb", "-f", str(native["check-imap4"]), "Depends"], capture_output=True, text=True, check=True
    )
    assert fields.stdout.strip() == (
        "python3 (>= 3.11), python3-idna (>= 3.3), python3-nagiosplugin (>= 1.3.2), python3:any"
    )
    listed = alone.shell("dpkg-query -W -f '${db:Status-Status} ${Package}\\n' 'python3-*'").splitlines()
    brought = sorted(line for line in listed if line.startswith("installed ") and "minimal" not in line)
    assert brought == ["installed python3-idna", "installed python3-nagiosplugin"]
    assert native["check-imap4"].stat().st_size < 100_000


def test_the_check_alone_tests_servers(alone: Root) -> None:
    trying.check_a_server(alone, "daemon")
    version = alone.says(trying.CHECK, "--version")
    assert (version[0], version[2]) == (3, "")
    assert version[1].startswith("check_imap4 0.")
    code, output, _ = alone.says(
        "/usr/bin/env", "PYTHONHOME=/x", "PYTHONPATH=/x", "PATH=", trying.CHECK, "--version"
    )
    assert (code, output) == (3, version[1])
    # A name that is not ASCII needs idna.
    code, output, _ = alone.says(trying.CHECK, "-H", "straße.invalid", "-t", "5")
    assert code == 2
    assert "straße.invalid:143 name not " in output


def test_its_code_is_compiled_and_nobody_elses_name_is_taken(alone: Root) -> None:
    assert alone.says("python3", "-c", "import imap4")[0] == 1
    alone.shell("ls /usr/share/check-imap4/imap4/check/__pycache__/probe.cpython-313.pyc")
    assert alone.shell("man -w check_imap4 2>/dev/null || ls /usr/share/man/man1/check_imap4.1.gz").endswith(
        ".gz\n"
    )


def test_the_set_up_proves_the_engine_and_is_taken_back(root: Root) -> None:
    trying.setup(root)


def test_setup_takes_what_the_packages_have(root: Root) -> None:
    root.shell(f"imap4-monitor new >{trying.DEFINITION}")
    code, output, errors = root.says("imap4-monitor", "setup", "--yes", "--no-reload", "--no-rehearsal")
    assert (code, errors) == (1, "")  # the definition's credential is not there
    command = "/etc/nagios-plugins/config/check_imap4.cfg"
    assert f"the engine's command check_imap4 is in {command} already, and stays as it is\n" in output
    assert "verified by /usr/sbin/nagios4\n" in output
    assert root.shell("ls /usr/local/bin; ls /etc/systemd/system | grep imap4- || true") == ""
    code, output, errors = root.says("imap4-monitor", "setup", "--remove", "--yes", "--no-reload")
    assert (code, errors) == (0, "")
    assert root.shell(f"ls /etc/nagios4/conf.d; rm {trying.DEFINITION}") == ""
    root.shell(f"test -s {command}")


def test_the_monitor_renders_and_the_engine_takes_it(root: Root) -> None:
    trying.monitor(root)


def test_monitors_are_swept(root: Root) -> None:
    trying.check_a_server(root, "nagios")
    trying.sweep(root)


def test_recovery_works_over_debians_paramiko(root: Root) -> None:
    trying.recovery(root)


def test_the_units_are_right_and_sleep(root: Root) -> None:
    trying.units(root)


def test_icinga_knows_the_command(native: Packages, tmp_path: Path) -> None:
    with Root(tmp_path, cached_tree(DEBIAN13, PACKAGES13)) as root:
        root.put(native["check-imap4"], "/check.deb")
        root.shell(
            "dpkg -i /check.deb >&2; cd /etc/icinga2\n"
            "printf 'include \"constants.conf\"\\n' >my.conf\n"
            "printf 'include <%s>\\n' itl plugins plugins-contrib >>my.conf\n"
            'printf \'const NodeName = "here"\\nobject Host "mail" {\\n\' >>my.conf\n'
            'printf \'check_command = "imap4"\\nvars.imap4_address = "x"\\n}\\n\' >>my.conf\n'
        )
        code, output, errors = root.says("icinga2", "daemon", "-C", "-c", "/etc/icinga2/my.conf")
        assert code == 0, output + errors
        assert "Instantiated 1 Host." in output + errors


def test_what_debian_has_no_library_for_is_told(root: Root) -> None:
    told = (
        "the package duckdb is missing, and Debian has none: see /usr/share/doc/imap4-monitor/README.Debian\n"
    )
    assert root.says("imap4-monitor", "report") == (3, "", f"report: {told}")
    assert "requests-credssp" in root.shell("cat /usr/share/doc/imap4-monitor/README.Debian")


def test_everything_documents_itself(root: Root) -> None:
    for name in ("docs/recovery.md", "docs/threat-model.md", "examples/sudoers/imap4-recovery", "copyright"):
        root.shell(f"test -s /usr/share/doc/imap4-monitor/{name}")
    for name in ("imap4-monitor-render", "imap4-recovery-credentials-add", "imap4-worker-sweep"):
        root.shell(f"test -s /usr/share/man/man1/{name}.1.gz")
    completed = "source /usr/share/bash-completion/completions/imap4-recovery; complete -p imap4-recovery"
    assert "imap4-recovery" in root.shell(f"bash -c '{completed}'")


def test_removing_and_purging(root: Root) -> None:
    trying.remove_and_purge(root, "check-imap4", "imap4-monitor")
