"""The packages, built once a run: as ``make deb`` builds them on either Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages.roots import Root, builder, why_no_roots

pytest.register_assert_rewrite("tests.packages.trying")
TOP = Path(__file__).parents[2]


def _prepared(kind: str, folder: Path, **environment: str) -> Path:
    command = [sys.executable, "-B", str(TOP / "tools" / "debian_source.py"), kind, str(folder / "source")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "source"


def build_native(folder: Path, **environment: str) -> list[Path]:
    """The native packages, built in Debian 13; and what its lintian says of them is nothing."""
    source = _prepared("native", folder, **environment)
    (folder / "mount").mkdir()
    with Root(folder / "mount", builder()) as root:
        tar = subprocess.Popen(["tar", "-C", str(source), "-c", "."], stdout=subprocess.PIPE)
        into = root.command("sh", "-ec", "mkdir -p /build/source; tar -C /build/source -x")
        subprocess.run(into, stdin=tar.stdout, check=True)
        assert tar.wait() == 0
        root.shell("cd /build/source && dpkg-buildpackage -b -us -uc -d >&2")
        assert root.shell("cd /build && lintian --allow-root --fail-on error,warning *.deb") == ""
        names = root.shell("cd /build && ls *.deb").split()
        for name in names:
            (folder / name).write_bytes(
                subprocess.run(root.command("cat", f"/build/{name}"), capture_output=True).stdout
            )
    return [folder / name for name in names]


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The native packages by name."""
    if why_no_roots():
        pytest.skip(why_no_roots())
    built = build_native(tmp_path_factory.mktemp("native"))
    return {path.name.partition("_")[0]: path for path in built}


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of this Debian, and what its lintian says of it is nothing."""
    if why_no_roots():
        pytest.skip(why_no_roots())
    if not shutil.which("dh"):
        pytest.skip("debhelper is not installed")
    folder = tmp_path_factory.mktemp("bundle")
    source = _prepared("bundle", folder)
    command = ["dpkg-buildpackage", "-b", "-us", "-uc", "-d"]
    environment = {**os.environ, "DEB_BUILD_OPTIONS": "parallel=2"}
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (package,) = folder.glob("*.deb")
    return package
