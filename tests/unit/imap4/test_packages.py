"""Packages that only some commands need: missing or too old, they are one line."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from imap4.packages import PACKAGES, missing, too_old

ROOT = Path(__file__).parents[3]


def setup() -> configparser.ConfigParser:
    """What is declared."""
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return found


def installed(folder: Path, name: str, version: str) -> None:
    """A package as far as its metadata go."""
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")


def test_a_missing_package_is_told_with_the_extra_that_brings_it() -> None:
    assert missing("greenlet") == (
        "the package greenlet is missing: pip install 'check_imap4[worker]', or apt install python3-greenlet"
    )
    assert missing("requests_credssp") == (
        "the package requests-credssp is missing: pip install 'check_imap4[credssp]'"
    )
    extras = setup()["options.extras_require"]
    assert {package.extra for package in PACKAGES.values()} <= set(extras)


@pytest.mark.parametrize(
    ("version", "well"),
    [
        ("0.4.2", False),
        ("0.3.0", False),
        ("0.4.3", True),
        ("0.10", True),
        ("1.0.dev1", True),
        ("0.4.3+deb1", True),
    ],
)
def test_a_package_that_is_too_old_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, well: bool
) -> None:
    installed(tmp_path, "made-up", version)
    monkeypatch.syspath_prepend(tmp_path)
    told = (
        f"the package made-up {version} is too old, 0.4.3 is needed: install check_imap4 with pip into a "
        "virtual environment of its own"
    )
    assert too_old("made-up", "0.4.3") == (None if well else told)
    assert too_old("not-there", "1") == "the package not-there is missing: pip install check_imap4"


@pytest.mark.parametrize(
    ("method", "distribution", "version"),
    [("winrm-ntlm", "pywinrm", "0.3.0"), ("ssh-key", "paramiko", "2.12.0")],
)
def test_a_library_of_recoverys_that_is_too_old_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, distribution: str, version: str
) -> None:
    from imap4.deadline import Deadline
    from recovery.errors import UsageError
    from recovery.model import Credential, Target
    from recovery.transports import connect

    installed(tmp_path, distribution, version)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=f"^the package {distribution} {version} is too old, "):
        connect(Target("mail1", "192.0.2.1"), Credential("mail", "me", method), deadline=Deadline(1))


def test_the_bounds_in_the_code_are_those_that_are_declared() -> None:
    declared = setup()["options"]["install_requires"].split()
    source = (ROOT / "recovery/transports/__init__.py").read_text()
    for distribution in ("pywinrm", "paramiko"):
        bound = next(word for word in declared if word.startswith(f"{distribution}>=")).partition(">=")[2]
        assert f'_refuse_old("{distribution}", "{bound}")' in source


@pytest.mark.parametrize("command", [("imap4.worker.cli", "run"), ("imap4.worker.sweep.cli", "x.toml")])
def test_a_command_whose_extra_is_missing_says_which(command: tuple[str, str]) -> None:
    code = (
        "import sys\nsys.modules['greenlet'] = None\n"
        f"from {command[0]} import main\nsys.exit(main([{command[1]!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.rpartition(";")[0].endswith(f": {missing('greenlet')}")
    assert (done.returncode, done.stdout) == (3, "")
