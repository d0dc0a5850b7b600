"""The README's blocks, run as written, in a bare Debian with a stock engine."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.debian import cached_tree
from tests.machines.private_root import TOP, PrivateRoot, why_no_private_root

README = TOP / "README.md"
URL = "https://git.example.org/check_imap4.git"
SUITES = {"bookworm": "3.11", "trixie": "3.13"}
_ENGINE = r"""
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
echo 'APT::Get::Assume-Yes "true";' > /etc/apt/apt.conf.d/yes
apt-get -qq update && apt-get -qq --no-install-recommends install nagios4-core monitoring-plugins-basic >&2
"""


def blocks(kind: str) -> list[str]:
    """The README's blocks of a kind, in their order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


def why_not() -> str:
    """Why this cannot be tried here; empty where it can."""
    if not shutil.which("debootstrap", path="/usr/sbin:/usr/bin"):
        return "debootstrap is not installed"
    return why_no_private_root()


def _repository(folder: Path) -> None:
    """This checkout's files as a repository of one commit, whatever the checkout's own history is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TOP,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = TOP / name, folder / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target, follow_symlinks=False)
    who = ["-c", "user.name=tests", "-c", "user.email=tests@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "as it is"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def _wheels(folder: Path, python: str) -> None:
    """What pip would fetch, fetched by this machine's own pip, whose settings a bare root does not have."""
    setup = configparser.ConfigParser()
    setup.read(TOP / "setup.cfg")
    lines = [line.strip() for line in setup["options"]["install_requires"].splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    words = ["download", "-q", "-d", str(folder), "--only-binary=:all:", "--python-version", python]
    subprocess.run([sys.executable, "-m", "pip", *words, *wanted, "setuptools>=68"], check=True)


@pytest.fixture(params=SUITES)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PrivateRoot]:
    """A bare Debian with an engine, from which the URL of the README leads to this checkout."""
    if why_not():
        pytest.skip(why_not())
    for name in ("repository", "wheels", "mount"):
        (tmp_path / name).mkdir()
    _repository(tmp_path / "repository")
    _wheels(tmp_path / "wheels", SUITES[request.param])
    with PrivateRoot(tmp_path / "mount", cached_tree(request.param, "apt"), network=True) as root:
        into = root.command("sh", "-ec", "mkdir -p /srv; tar -C /srv -x; chown -R root: /srv")
        tar = subprocess.Popen(
            ["tar", "-C", str(tmp_path), "-c", "repository", "wheels"], stdout=subprocess.PIPE
        )
        subprocess.run(into, stdin=tar.stdout, check=True)
        assert tar.wait() == 0
        resolver = Path("/etc/resolv.conf").read_text()
        assert root.run("tee", "/etc/resolv.conf", stdin=resolver).returncode == 0
        root.shell(_ENGINE)
        yield root


def run(root: PrivateRoot, script: str) -> subprocess.CompletedProcess[str]:
    """One block, as root in root's folder; every question is answered with yes."""
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "DEBIAN_FRONTEND": "noninteractive",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url./srv/repository.insteadOf",
        "GIT_CONFIG_VALUE_0": URL,
        "PIP_FIND_LINKS": "/srv/wheels",
        "PIP_NO_INDEX": "1",
    }
    return root.run(
        "sh", "-ec", f"cd /root; [ ! -d check_imap4 ] || cd check_imap4\n{script}", stdin="y\n" * 9,
        timeout=600, **{**proxies, **environment},
    )  # fmt: skip


def test_the_blocks_lead_from_a_bare_machine_to_an_engine_that_is_set_up(bare: PrivateRoot) -> None:
    install, pyz, first, credential, again = blocks("sh")
    ended = run(bare, install)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    assert "verified by /usr/sbin/nagios4\n" in ended.stdout
    assert "  recovery: the server answers again, and the contact was told OK\n" in ended.stdout

    told = run(bare, "imap4-recovery pause --help").stdout.splitlines()[-1]
    assert told == "documentation: /opt/check_imap4/share/doc/check_imap4/docs/README.md"

    ended = run(bare, pyz)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    version = bare.run("/usr/lib/nagios/plugins/check_imap4", "--version")
    assert (version.returncode, version.stdout[:12]) == (3, "check_imap4 ")

    ended = run(bare, first)
    assert ended.returncode == 0, ended.stderr
    assert "Down" in ended.stdout
    ended = run(bare, credential)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "OK - rehearsal: all 1 repairs of 1 monitors would work\n" in ended.stdout

    # The machine of the example is nowhere: that, and nothing else, is what keeps the repair from working.
    ended = run(bare, again)
    assert "write   /etc/nagios4/conf.d/imap4/imap4-monitors.cfg  (1 monitor)\n" in ended.stdout
    assert re.search(r"  repair:   \(dry, for mail\.example\.org\) .*\[?dns\.", ended.stdout), ended.stdout
    assert ended.returncode == 1
    removed = run(bare, "imap4-monitor setup --remove")
    assert removed.returncode == 0, removed.stderr
