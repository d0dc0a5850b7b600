"""The same commit makes the same bytes, whoever builds, where, when, and with which umask and time zone."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages.conftest import TOP, build_native

ELSEWHERE = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "77"}


def checkout(folder: Path, umask: int) -> Path:
    """A clone of this checkout's commit, made with some umask."""
    folder.mkdir(parents=True)
    git = ("git", "-c", "safe.directory=*", "-c", "advice.detachedHead=false")
    before = os.umask(umask)
    try:
        subprocess.run([*git, "clone", "-q", "--no-hardlinks", str(TOP), str(folder / "it")], check=True)
    finally:
        os.umask(before)
    return folder / "it"


def released(checkout: Path, folder: Path, umask: int, **environment: str) -> dict[str, str]:
    """The sums of what a release consists of, but Debian's packages."""
    code = "import sys; from pathlib import Path; from tools.release import build; "
    code += "[print(path) for path in build(Path(sys.argv[1]), debian=False)]"
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-B", "-c", f"import os; os.umask({umask}); {code}", str(folder)],
        cwd=checkout,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(checkout), **environment},
    )
    assert done.returncode == 0, done.stderr
    paths = [Path(line) for line in done.stdout.splitlines()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_wheel_source_and_one_file_plugin(tmp_path: Path) -> None:
    here = released(checkout(tmp_path / "a", 0o022), tmp_path / "out", 0o022)
    there = released(checkout(tmp_path / "b" / "deeper", 0o077), tmp_path / "other", 0o077, **ELSEWHERE)
    assert here == there
    kinds = {Path(name).suffix for name in here}
    assert kinds == {".gz", ".whl", ".pyz", ".txt", ""}
    sums = (tmp_path / "out" / "made" / "SHA256SUMS").read_text()
    assert sums == "".join(f"{here[name]}  {name}\n" for name in sorted(here) if name != "SHA256SUMS")
    archive = next((tmp_path / "out" / "made").glob("*.tar.gz"))
    listed = subprocess.run(["tar", "tzf", str(archive)], capture_output=True, text=True, check=True).stdout
    inside = {line.partition("/")[2] for line in listed.splitlines()}
    for wanted in (
        *("Makefile", "CHANGELOG.md", "LICENSE", "constraints.txt", "docs/recovery.md", "tools/release.py"),
        *("contrib/systemd/imap4-worker.service", "tests/unit/test_commit.py", "packaging/debian/control"),
        *("tests/machines/winrm/wine", "tools/compat51/table.json", "scripts/check_imap4", ".ci/run"),
    ):
        assert wanted in inside or f"{wanted}/" in inside, wanted
    assert not [name for name in inside if name.endswith(".pyc")]


def test_the_native_packages(native: dict[str, Path], tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = build_native(tmp_path / "again", **ELSEWHERE)
    finally:
        os.umask(before)
    assert {path.name: path.read_bytes() for path in again} == {
        path.name: path.read_bytes() for path in native.values()
    }


@pytest.mark.skipif(not shutil.which("dh"), reason="debhelper is not installed")
def test_what_the_bundle_is_made_of(bundle: Path, tmp_path: Path) -> None:
    """Not the archive itself, whose compression takes longest: dpkg-deb makes one of the other."""
    command = [sys.executable, "-B", str(TOP / "tools/debian_source.py"), "bundle", str(tmp_path / "again")]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **ELSEWHERE}, umask=0o077)

    def files(folder: Path) -> dict[str, tuple[bytes, bool, float]]:
        found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
        return {
            str(path.relative_to(folder)): (
                hashlib.sha256(path.read_bytes()).digest(),
                bool(path.stat().st_mode & 0o100),
                path.stat().st_mtime,
            )
            for path in found
        }

    first, second = files(bundle.parent / "source" / "stage"), files(tmp_path / "again" / "stage")
    assert len(first) > 500
    assert first == second
