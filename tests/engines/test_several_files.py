"""Several definition files before the engines' own verifiers: in one folder, and in a folder for each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from imap4.monitor.cli import main
from tests.engines import icinga, nagios_core

ONE = '[[monitor]]\nname = "{}"\naddress = "192.0.2.1"\nhost = "mail"\ncontacts = ["admins"]\n'
TWO_FOLDERS = ("--no-shared", "--existing-hosts")


@pytest.fixture
def definitions(tmp_path: Path) -> list[str]:
    """Two files with monitors on the same host."""
    found = []
    for name in ("Mail", "Gateway"):
        path = tmp_path / f"{name}.toml"
        path.write_text(ONE.format(name))
        found.append(str(path))
    return found


def _nagios(folder: Path) -> subprocess.CompletedProcess[str]:
    config = nagios_core.make(folder)
    nagios_core.contact(folder, "admins", "/bin/true")
    return nagios_core.verify(config, "-p")


def _icinga2(folder: Path) -> subprocess.CompletedProcess[str]:
    config = icinga.make(folder)
    icinga.user(folder, "admins", 'command = [ "/bin/true" ]')
    return icinga.verify(config)


VERIFIED = {"nagios": _nagios, "icinga2": _icinga2}


@pytest.mark.parametrize("engine", VERIFIED)
def test_files_that_are_rendered_together_are_accepted(
    engine: str, definitions: list[str], tmp_path: Path
) -> None:
    # The site's own files are read first: Icinga 2 reads a folder in the order of the names.
    assert main(["render", engine, *definitions, "-o", str(tmp_path / "objects" / "z")]) == 0
    ended = VERIFIED[engine](tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("engine", VERIFIED)
@pytest.mark.parametrize("options", [TWO_FOLDERS, ()], ids=["with the options", "without"])
def test_a_second_folder_is_accepted_without_what_the_first_has(
    engine: str, options: tuple[str, ...], definitions: list[str], tmp_path: Path
) -> None:
    first, second = definitions
    assert main(["render", engine, first, "-o", str(tmp_path / "objects" / "x")]) == 0
    assert main(["render", engine, second, "-o", str(tmp_path / "objects" / "y"), *options]) == 0
    ended = VERIFIED[engine](tmp_path)
    assert (ended.returncode == 0) == bool(options), ended.stdout + ended.stderr
