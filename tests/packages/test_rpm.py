"""The RPM, as far as Debian goes: its files lie in a root with the Python that it is for, its scripts run.

Red Hat's own systems, their rpm and SELinux are not seen here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.scripted import ScriptedServer, good
from tests.packages.conftest import TOP
from tests.packages.roots import Root, bare, why_no_roots

pytestmark = [
    pytest.mark.skipif(not shutil.which("rpmbuild"), reason="rpmbuild is not installed"),
    pytest.mark.skipif(bool(why_no_roots()), reason=why_no_roots()),
    pytest.mark.skipif(not Path("/usr/bin/python3.11").exists(), reason="the bare root has Python 3.11"),
]
CHECK = "/usr/lib64/nagios/plugins/check_imap4"


@pytest.fixture(scope="module")
def rpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package."""
    folder = tmp_path_factory.mktemp("rpm")
    done = subprocess.run(
        [str(TOP / "tools/make-rpm"), str(folder), sys.executable], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (package,) = folder.iterdir()
    return package


def asked(rpm: Path, *words: str) -> str:
    """What rpm says of the package."""
    return subprocess.run(["rpm", "-qp", *words, str(rpm)], capture_output=True, text=True, check=True).stdout


def scriptlet(rpm: Path, name: str) -> str:
    """One of its scripts."""
    return asked(rpm, "--qf", f"%{{{name}}}")


@pytest.fixture(scope="module")
def root(rpm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root of Debian 12 in which its files lie, after its scripts have run."""
    with Root(tmp_path_factory.mktemp("rpm-root"), bare("bookworm")) as root:
        root.apt("install", "python3", "systemd")
        root.shell(scriptlet(rpm, "PREIN"))
        packed = subprocess.Popen(["rpm2archive", "-n", "-"], stdin=rpm.open("rb"), stdout=subprocess.PIPE)
        subprocess.run(root.command("tar", "-x", "-C", "/"), stdin=packed.stdout, check=True)
        assert packed.wait() == 0
        root.shell(f"set -- 1\n{scriptlet(rpm, 'POSTIN')}")
        root.shell(scriptlet(rpm, "POSTTRANS"))
        yield root


def test_it_needs_the_python_that_it_is_for_and_nothing_else(rpm: Path) -> None:
    needs = {line.split()[0] for line in asked(rpm, "--requires").splitlines()}
    assert {each for each in needs if not each.startswith("rpmlib(")} == {
        "/bin/sh",
        "/usr/bin/python3.11",
        "shadow-utils",
    }
    owners = {tuple(line.split()[2:4]) for line in asked(rpm, "-lv").splitlines()}
    assert owners == {("root", "root")}
    shared = {"/usr", "/usr/bin", "/usr/lib", "/etc", "/usr/lib64", "/usr/share"}
    assert not shared & set(asked(rpm, "-l").splitlines())
    assert asked(rpm, "-c").split() == ["/etc/nagios/objects/check_imap4.cfg"]


def test_its_programs_work_where_they_lie(root: Root) -> None:
    with ScriptedServer(good) as server:
        code, output, errors = root.says(CHECK, "-H", "127.0.0.1", "-p", str(server.port), user="nagios")
    assert (code, errors) == (0, "")
    assert re.match(
        rf"IMAP4 OK - 127\.0\.0\.1:{server.port} greeting in 0\.\d+ s, logged out \| time=", output
    )
    for program in ("imap4-monitor", "imap4-recovery", "imap4-worker"):
        assert root.says(program, "--version", user="nagios")[1].startswith(f"{program} 0.")
    assert (
        root.shell("stat -c '%a %U' /etc/check_imap4 /var/lib/check_imap4").split() == ["700", "nagios"] * 2
    )
    paths = root.shell("ls /usr/lib/systemd/system/imap4-*").split()
    assert root.says("systemd-analyze", "verify", "--man=no", *paths) == (0, "", "")
    site = "/usr/lib/check-imap4/lib/python3.11/site-packages"
    root.shell(f"ls {site}/imap4/check/__pycache__/probe.cpython-311.pyc")


def test_what_it_compiled_is_gone_before_it_is_removed(rpm: Path, root: Root) -> None:
    root.shell(f"set -- 0\n{scriptlet(rpm, 'PREUN')}")
    assert root.shell("find /usr/lib/check-imap4 -name __pycache__") == ""
    root.shell("ls -d /var/lib/check_imap4")
