"""The one-file plugin: works with nothing but Python, and says what the installed one says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.machines.scripted import ScriptedServer, good
from tools.pyz import ROOT, build

SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
NEW_ENOUGH = not subprocess.run(
    [SYSTEM_PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], capture_output=True
).returncode

# Those that this machine happens to have.
OLD = sorted(
    found
    for folder in (Path("/usr"), *(Path.home() / ".pyenv/versions").glob("*"))
    for pattern in ("python2.[0-9]", "python3.[0-9]", "python3.10")
    for found in (folder / "bin").glob(pattern)
)


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("plugins") / "check_imap4.pyz"
    build(output)
    return output


def check(pyz: Path, *arguments: str, python: tuple[str, ...] = ()) -> tuple[int, str, str]:
    environment = {"PATH": f"/usr/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        [*python, str(pyz), *arguments], capture_output=True, text=True, env=environment, cwd="/"
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("python", [(), (SYSTEM_PYTHON, "-I", "-S")], ids=["executed", "bare Python"])
def test_one_file_plugin_checks_a_server(pyz: Path, python: tuple[str, ...]) -> None:
    with ScriptedServer(good) as server:
        code, output, errors = check(pyz, "-H", "127.0.0.1", "-p", str(server.port), python=python)
    assert output.startswith(f"IMAP4 OK - 127.0.0.1:{server.port} greeting in 0.")
    assert (code, errors) == (0, "")


def test_one_file_plugin_starts_in_a_foreign_environment(pyz: Path, tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('foreign')\n")
    foreign = {"PYTHONHOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    link = tmp_path / "check_imap4"
    link.symlink_to(pyz)
    with ScriptedServer(good) as server:
        done = subprocess.run(
            [link, "-H", "127.0.0.1", "-p", str(server.port)],
            capture_output=True,
            text=True,
            env={"PATH": f"/usr/bin:{os.environ['PATH']}", **foreign},
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"IMAP4 OK - 127.0.0.1:{server.port} ")


def test_one_file_plugin_without_python_is_unknown(pyz: Path, tmp_path: Path) -> None:
    # Of the same length, since the archive's places are counted from the file's beginning.
    other = tmp_path / "check_imap4"
    other.write_bytes(pyz.read_bytes().replace(b"/usr/bin/python3", b"/nowhere/python3"))
    other.chmod(0o755)
    done = subprocess.run([other, "-H", "x"], capture_output=True, text=True, env={"PATH": "/nowhere"})
    assert (done.returncode, done.stdout) == (3, "IMAP4 UNKNOWN - there is no python3\n")


@pytest.mark.skipif(not NEW_ENOUGH, reason="needs a /usr/bin/python3 of 3.11")
def test_one_file_plugin_needs_no_path(pyz: Path, tmp_path: Path) -> None:
    """Nor does it take the first python3 of it, which may be another environment's."""
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\necho not this one\n")
    other.chmod(0o755)
    for path in ("", "/nowhere", str(tmp_path)):
        done = subprocess.run([pyz, "--version"], capture_output=True, text=True, env={"PATH": path})
        assert (done.returncode, done.stderr) == (3, "")
        assert done.stdout.startswith("check_imap4 ")


@pytest.mark.parametrize("python", OLD, ids=lambda python: str(python).replace("/", " ").strip())
def test_an_old_python_is_one_line(pyz: Path, python: Path) -> None:
    code, output, errors = check(pyz, "-H", "127.0.0.1", python=(str(python),))
    assert "Python 3.11 or newer is needed, " in output
    assert (code, errors, output.count("\n")) == (3, "", 1)
    assert output.startswith("IMAP4 UNKNOWN - ")


def test_the_licences_go_with_it(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
        assert archive.read("LICENSE") == (ROOT / "LICENSE").read_bytes()
    for package in ("nagiosplugin", "idna"):
        assert [name for name in names if name.startswith(f"{package}/LICENSE")]
    assert not [name for name in names if name.startswith(("imap4/worker", "imap4/monitor", "recovery"))]
    assert "__main__.pyc" not in names


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can build in another user's folder")
def test_what_root_builds_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    build(tmp_path / "check_imap4.pyz")
    assert [(path.name, path.stat().st_uid) for path in tmp_path.iterdir()] == [("check_imap4.pyz", 12345)]


def test_one_file_plugin_speaks_tls(pyz: Path) -> None:
    with ScriptedServer(good) as server:
        arguments = ("-H", "127.0.0.1", "-p", str(server.port), "--tls", "--insecure")
        code, output, errors = check(pyz, *arguments)
    assert "the server does not speak TLS on this port [tls.handshake]" in output
    assert (code, errors) == (2, "")


def test_one_file_plugin_knows_names_outside_ascii(pyz: Path) -> None:
    code, output, errors = check(pyz, "-H", "straße.invalid", "-t", "5", "-v")
    assert output.startswith("IMAP4 CRITICAL - straße.invalid:143 name not ")
    assert (code, errors) == (2, "")


def test_one_file_plugin_refuses_wrong_use(pyz: Path) -> None:
    assert check(pyz) == (
        3,
        "IMAP4 UNKNOWN - the following arguments are required: -H/--host (see --help)\n",
        "",
    )
