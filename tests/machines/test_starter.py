"""The installed program starts whatever the caller's environment is, and says UNKNOWN where it cannot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.machines.plugin import ROOT
from tests.machines.ports import wait_until
from tests.machines.scripted import ScriptedServer, good

PROGRAM = Path(sys.executable).with_name("check_imap4")
STARTER = ROOT / "scripts" / "check_imap4"
BROKEN = "IMAP4 UNKNOWN - the installation is broken: "
SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]


def started(
    program: Path, *arguments: str, by: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Exit code and standard output; what a shell itself says on standard error is its own affair."""
    environment = {"PATH": os.environ["PATH"], **(env or {})}
    done = subprocess.run([*by, program, *arguments], capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout


@pytest.fixture
def poisoned(tmp_path: Path) -> dict[str, str]:
    """A foreign environment's variables."""
    for module in ("argparse", "socket", "nagiosplugin", "sitecustomize", "imap4"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('foreign')\n")
    return {
        "PYTHONHOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "PYTHONSTARTUP": "/x",
        "PYTHONINSPECT": "1",
    }


def test_foreign_variables_do_not_reach_the_plugin(poisoned: dict[str, str]) -> None:
    with ScriptedServer(good) as server:
        code, output = started(PROGRAM, "-H", "127.0.0.1", "-p", str(server.port), env=poisoned)
    assert (code, output.partition(" greeting")[0]) == (0, f"IMAP4 OK - 127.0.0.1:{server.port}")


def test_link_in_a_plugin_directory_starts_it(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "current").symlink_to(PROGRAM)
    link = tmp_path / "plugins" / "check_imap4"
    link.symlink_to("../current")
    assert started(link, "--version")[0] == 3
    assert started(link, "--version")[1].startswith("check_imap4 ")
    assert started(Path("check_imap4"), "--version", env={"PATH": f"{link.parent}:/usr/bin:/bin"})[
        1
    ].startswith("check_")


def test_arguments_arrive_as_they_are() -> None:
    odd = "a  b*$(echo)'\"\\n\t;"
    code, output = started(PROGRAM, "-H", "x", "--name", odd, "-p", "0")
    assert (code, output) == (
        3,
        "IMAP4 UNKNOWN - argument -p/--port: 0 is no port (1 to 65535) (see --help)\n",
    )
    assert started(PROGRAM, "-H", "x", odd)[1].startswith(
        "IMAP4 UNKNOWN - unrecognized arguments: a  b*(echo)"
    )


def test_signal_reaches_python_itself() -> None:
    with ScriptedServer(lambda peer: peer.wait()) as server:
        process = subprocess.Popen(
            [PROGRAM, "-H", "127.0.0.1", "-p", str(server.port), "-t", "60"],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until(lambda: server.connections > 0, "the connection")
        finally:
            process.terminate()
        assert process.communicate(timeout=60)[0] == "IMAP4 UNKNOWN - stopped by SIGTERM\n"
    assert process.returncode == 3


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment's folder of programs, with the starter and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(STARTER, folder)
    return folder


@pytest.mark.parametrize("shell", SHELLS)
class TestBroken:
    def test_python_that_is_gone_is_unknown(self, environment: Path, shell: str) -> None:
        (environment / "python3").symlink_to("/nowhere/python3.9")
        told = started(environment / "check_imap4", "-H", "x", by=(shell,))
        where = f"{environment}/python3 leads to /nowhere/python3.9, which is not there; was Python upgraded?"
        assert told == (3, f"{BROKEN}{where}\n")

    def test_python_that_cannot_be_run_is_unknown(self, environment: Path, shell: str) -> None:
        python = environment / "python3"
        python.write_bytes(b"\x7fELF, but nothing else")
        python.chmod(0o755)
        told = started(environment / "check_imap4", "-H", "x", by=(shell,))
        assert told == (3, f"{BROKEN}{python} cannot be run\n")

    def test_package_that_is_gone_is_unknown(self, environment: Path, shell: str) -> None:
        (environment / "python3").symlink_to(os.path.realpath(sys.executable))
        code, output = started(environment / "check_imap4", "-H", "x", by=(shell,))
        assert (code, output.count("\n")) == (3, 1)
        assert output.startswith(f"{BROKEN}ModuleNotFoundError: No module named 'check_imap4' (")

    def test_machine_without_python_is_unknown(self, environment: Path, shell: str) -> None:
        found = shutil.which(shell)
        assert found
        told = started(environment / "check_imap4", "-H", "x", by=(found,), env={"PATH": "/nowhere"})
        assert told == (3, f"{BROKEN}there is no python3\n")


class TestMonitor:
    """imap4-monitor is started alike."""

    STARTER = ROOT / "scripts" / "imap4-monitor"
    BROKEN = "imap4-monitor: the installation is broken: "

    def told(self, program: Path) -> tuple[int, str]:
        done = subprocess.run([program, "--version"], capture_output=True, text=True)
        assert done.stdout == ""
        return done.returncode, done.stderr

    def test_link_and_foreign_variables_change_nothing(
        self, poisoned: dict[str, str], tmp_path: Path
    ) -> None:
        (tmp_path / "link").symlink_to(Path(sys.executable).with_name("imap4-monitor"))
        code, output = started(tmp_path / "link", "--version", env=poisoned)
        assert (code, output.partition(" ")[0]) == (0, "imap4-monitor")

    def test_what_cannot_be_started_is_one_line(self, tmp_path: Path) -> None:
        shutil.copy(self.STARTER, tmp_path)
        python = tmp_path / "python3"
        python.symlink_to("/nowhere/python3.9")
        where = f"{python} leads to /nowhere/python3.9, which is not there; was Python upgraded?"
        assert self.told(tmp_path / "imap4-monitor") == (3, f"{self.BROKEN}{where}\n")
        python.unlink()
        python.symlink_to(os.path.realpath(sys.executable))
        code, errors = self.told(tmp_path / "imap4-monitor")
        assert (code, errors.count("\n")) == (3, 1)
        assert errors.startswith(f"{self.BROKEN}ModuleNotFoundError: No module named 'imap4' (")

    def test_old_python_is_one_line(self) -> None:
        start = re.search(r"^start='\n(.*?)'$", self.STARTER.read_text(), re.DOTALL | re.MULTILINE)
        assert start
        older = f"import sys\nsys.version_info = (3, 9, 2)\n{start[1]}"
        done = subprocess.run([sys.executable, "-I", "-c", older, "x"], capture_output=True, text=True)
        told = f"{self.BROKEN}Python 3.11 or newer is needed, {sys.executable} is 3.9\n"
        assert (done.returncode, done.stdout, done.stderr) == (3, "", told)


def test_system_installation_uses_the_python_on_the_path(environment: Path, tmp_path: Path) -> None:
    """As with Debian's pip: the program in /usr/local/bin, Python in /usr/bin."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "python3").symlink_to(sys.executable)
    code, output = started(
        environment / "check_imap4", "--version", env={"PATH": f"{tmp_path}/elsewhere:/usr/bin:/bin"}
    )
    assert code == 3
    assert output.startswith(("check_imap4 ", f"{BROKEN}ModuleNotFoundError"))


def test_old_python_is_unknown() -> None:
    start = re.search(r"^start='\n(.*?)'$", STARTER.read_text(), re.DOTALL | re.MULTILINE)
    assert start
    older = f"import sys\nsys.version_info = (3, 9, 2)\n{start[1]}"
    done = subprocess.run([sys.executable, "-I", "-c", older], capture_output=True, text=True)
    told = f"{BROKEN}Python 3.11 or newer is needed, {sys.executable} is 3.9\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, told, "")


def test_plugin_without_its_package_is_unknown(tmp_path: Path) -> None:
    shutil.copy(ROOT / "check_imap4.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", tmp_path / "check_imap4.py", "-H", "x"], capture_output=True, text=True
    )
    told = f"{BROKEN}No module named 'imap4'\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, told, "")


def test_plugin_whose_library_is_gone_is_unknown(tmp_path: Path) -> None:
    shutil.copy(ROOT / "check_imap4.py", tmp_path)
    shutil.copytree(ROOT / "imap4", tmp_path / "imap4", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-S", str(tmp_path / "check_imap4.py"), "-H", "127.0.0.1", "-p", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONDONTWRITEBYTECODE": "1"})
    told = "IMAP4 UNKNOWN - the test could not be run: ModuleNotFoundError: No module named nagiosplugin\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, told, "")
