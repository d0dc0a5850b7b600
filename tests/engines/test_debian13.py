"""The programs on Debian 13: Python 3.13 and Debian's own libraries."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.machines.debian import DEBIAN13_PYTHON, in_debian13, why_no_debian13

TOP = Path(__file__).parents[2]


# What Debian 13 has no package of: the reports' database.
LEFT_OUT = ("tests/unit/imap4/monitor/records", "tests/unit/imap4/monitor/reports")


@pytest.mark.skipif(bool(why_no_debian13()), reason=why_no_debian13())
def test_the_unit_tests_pass_on_python_3_13() -> None:
    """Those of the check, the monitors and the worker; recovery's take as long again."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="imap4-debian13-", dir="/tmp") as name:
        for each in filter(None, listed.decode().split("\0")):
            if (TOP / each).is_file():
                (Path(name) / each).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(TOP / each, Path(name) / each)
        words = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/unit/imap4"]
        words += [f"--ignore={each}" for each in LEFT_OUT]
        program = in_debian13(Path(name), DEBIAN13_PYTHON, *words)
        environment = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=500)
    assert ended.returncode == 0, ended.stdout[-5000:] + ended.stderr[-1000:]
