"""The one-file plugin: works with nothing but Python, and says what the installed one says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machines.scripted import ScriptedServer, good
from tools.pyz import build

SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable


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


def test_one_file_plugin_without_python_is_unknown(pyz: Path) -> None:
    done = subprocess.run([pyz, "-H", "x"], capture_output=True, text=True, env={"PATH": "/nowhere"})
    assert (done.returncode, done.stdout) == (3, "IMAP4 UNKNOWN - there is no python3\n")


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
