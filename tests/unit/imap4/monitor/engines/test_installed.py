"""The programs that rendered configuration names: those beside the one that runs, if they can be run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imap4 import __version__
from imap4.monitor.engines import installed
from tests.unit.imap4.monitor.conftest import Run

ROOT = Path(__file__).parents[5]
ONE = '[[monitor]]\nname = "A"\naddress = "192.0.2.1"\n'
NAMES = ("check_imap4", "imap4-monitor", "imap4-recovery")
MODULES = {
    "check_imap4": "check_imap4",
    "imap4-monitor": "imap4.monitor.cli",
    "imap4-recovery": "recovery",
}


@pytest.fixture
def programs(their_folder: Path) -> Path:
    """A folder with the programs as pip makes them, which everybody can reach."""
    folder = their_folder / "opt" / "bin"
    folder.mkdir(parents=True)
    for name in NAMES:
        path = folder / name
        path.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m {MODULES[name]} "$@"\n')
        path.chmod(0o755)
    return folder


def _imap4_monitor(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """imap4-monitor as an entry point in ``folder``."""
    code = (
        f"import sys; sys.argv[0] = {str(folder / 'imap4-monitor')!r}\n"
        "from imap4.monitor.cli import main\nsys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60
    )


def test_rendered_programs_are_those_beside_the_one_that_runs(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(ONE)
    link = tmp_path / "links"
    link.mkdir()
    (link / "imap4-monitor").symlink_to(programs / "imap4-monitor")
    for folder in (programs, link):
        out = tmp_path / f"out-{folder.name}"
        ended = _imap4_monitor(folder, "render", "nagios", str(tmp_path / "a.toml"), "-o", str(out))
        assert ended.returncode == 0, ended.stderr
        assert f" {programs}/check_imap4 -H 192.0.2.1 " in (out / "imap4-monitors.cfg").read_text()
        text = (out / "imap4-commands.cfg").read_text()
        assert f" {folder}/imap4-monitor pace " in text


def test_render_warns_of_a_program_that_is_not_there_and_the_remedy_helps(
    imap4_monitor: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.toml").write_text(ONE)
    command = ("render", "icinga2", "a.toml", "-o", "out", "--check-command")
    ended = imap4_monitor(*command, "/nowhere/check_imap4")
    assert ended.returncode == 0
    assert ended.stderr == (
        "render: warning: /nowhere/check_imap4 cannot be run: /nowhere: No such file or directory; "
        "it is check_imap4: install it where the engine's user can run it, or give its path with "
        "--check-command\n"
    )
    assert imap4_monitor(*command, "/bin/true").stderr == ""


def test_a_program_is_run_and_tells_its_version(programs: Path, tmp_path: Path) -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name
    path = str(programs / "check_imap4")
    found = installed.examine("--check-command", "check_imap4", path, user)
    assert (found.ok, found.title) == (True, f"{path} is check_imap4 {__version__}, and {user} can run it")
    for text, said in (
        ("#!/bin/sh\necho check_imap v2.3.3\n", "it says: check_imap v2.3.3"),
        ("#!/bin/sh\n", "it says: nothing"),
    ):
        (programs / "check_imap4").write_text(text)
        found = installed.examine("--check-command", "check_imap4", path, user)
        assert (found.ok, found.title, found.why) == (False, f"{path} is not check_imap4 {__version__}", said)
        remedy = "install it, with a Python, where the engine's user can run it; or give its path with "
        remedy += "--check-command"
        assert found.remedy == remedy


def test_a_python_that_the_engines_user_cannot_reach_is_told(programs: Path, their_folder: Path) -> None:
    """Such as that of an environment that somebody made with a Python in his home."""
    path = programs / "check_imap4"
    home = their_folder / "home"
    home.mkdir(mode=0o700)
    shutil.copy("/bin/true", home / "python3")
    (programs / "python3").symlink_to(home / "python3")
    path.write_text(f"#!{programs}/python3\n")
    me = pwd.getpwuid(os.geteuid())
    assert installed.trouble(str(path), me) is None
    found = installed.trouble(str(path), pwd.getpwnam("nobody"))
    assert found == f"its interpreter {programs}/python3: nobody may not go through {home}"
    path.write_text("#!/nowhere/python\n")
    assert (
        installed.trouble(str(path), me)
        == "its interpreter /nowhere/python: /nowhere: No such file or directory"
    )


def test_what_keeps_the_engines_user_from_a_program_is_told(programs: Path) -> None:
    path = programs / "check_imap4"
    nobody = pwd.getpwnam("nobody")
    assert installed.trouble("check_imap4") == "is not an absolute path"
    path.chmod(0o744)
    assert installed.trouble(str(path), nobody) == "nobody may not run it"
    path.chmod(0o755)
    assert installed.trouble(str(path), None) == installed.trouble(str(path), nobody)
    programs.chmod(0o700)
    assert installed.trouble(str(path), nobody) == f"nobody may not go through {programs}"
    assert installed.trouble(str(path), None) == f"the engine's user may not go through {programs}"
    found = installed.examine("--check-command", "check_imap4", str(path), "no-such-user")
    assert (found.ok, found.title) == (False, f"{path}: there is no user no-such-user to run it")


def test_somebody_else_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "geteuid", lambda: nobody.pw_uid)
    (found,) = installed.examine_user("daemon")
    assert (found.ok, found.title) == (False, "this runs as nobody, and the engine as daemon")
    assert found.remedy == "run it as daemon, or as root"
    assert list(installed.examine_user("nobody")) == []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert list(installed.examine_user("nobody")) == []


def test_a_units_program_is_looked_at_with_its_drop_ins(programs: Path, tmp_path: Path) -> None:
    units = tmp_path / "system"
    units.mkdir()
    assert list(installed.examine_units([str(units)])) == []
    unit = units / "imap4-worker.service"
    unit.write_text("[Service]\nExecStart=/nowhere/imap4-worker --core /run/x\nUser=nobody\n")
    (found,) = installed.examine_units([str(units)])
    reason = "/nowhere/imap4-worker cannot be run: /nowhere: No such file or directory"
    assert (found.ok, found.title) == (False, f"{unit}: {reason}")
    assert found.remedy.startswith("systemctl edit imap4-worker.service, correct ExecStart and User")
    worker = programs / "imap4-worker"
    worker.write_text(f"#!/bin/sh\necho imap4-worker {__version__}\n")
    worker.chmod(0o755)
    drop_in = units / "imap4-worker.service.d"
    drop_in.mkdir()
    user = pwd.getpwuid(os.geteuid()).pw_name
    (drop_in / "override.conf").write_text(
        f"[Service]\nExecStart=\nExecStart={worker} --core /x\nUser={user}\n"
    )
    (found,) = installed.examine_units([str(units)])
    assert (found.ok, found.title) == (
        True,
        f"{unit}: {worker} is imap4-worker {__version__}, and {user} can run it",
    )
