"""The programs on Debian 13: Python 3.13 and Debian's own libraries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.machines.debian import DEBIAN13_PYTHON, in_debian13, why_no_debian13

TOP = Path(__file__).parents[2]


ROOMS = [
    *("tests/unit/imap4/check", "tests/unit/imap4/worker", "tests/unit/imap4/test_trust.py"),
    *("tests/unit/imap4/monitor/definition", "tests/unit/imap4/monitor/engines"),
]
OURS = ("imap4", "recovery", "tests", "tools", "check_imap4", "benchmarks")


def _for_want_of_a_package(line: str) -> bool:
    """Whether a test fails for a library that Debian 13 has no package of, such as the reports' database."""
    missing = re.search(r"ModuleNotFoundError: No module named '(\w+)", line)
    return missing is not None and missing[1] not in OURS


@pytest.mark.skipif(bool(why_no_debian13()), reason=why_no_debian13())
def test_the_unit_tests_pass_on_python_3_13() -> None:
    """Those of the check, the engines and the worker; recovery's and the reports' take far longer."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="imap4-debian13-", dir="/tmp") as name:
        for each in filter(None, listed.decode().split("\0")):
            if (TOP / each).is_file():
                (Path(name) / each).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(TOP / each, Path(name) / each)
        words = ["-m", "pytest", "-q", "-rfE", "--continue-on-collection-errors", "-p", "no:cacheprovider"]
        program = in_debian13(Path(name), DEBIAN13_PYTHON, *words, *ROOMS)
        environment = {**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        environment["COLUMNS"] = "1000"  # of the summary, whose lines would be cut
        ended = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=500)
    lines = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    wrong = [line for line in lines if not _for_want_of_a_package(line)]
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert wrong == [], ended.stdout[-9000:]
    assert passed, ended.stdout[-3000:] + ended.stderr[-1000:]
    assert int(passed[1]) > 300, ended.stdout[-3000:]
