"""A lane that ran no test although there is a PowerShell for it is a failure, not a skip."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.machines.winrm import lanes

SAYS = "FAILED: no test ran in the PowerShell for {}, which tools/find-powershell finds"


@pytest.mark.parametrize("given", [True, False], ids=["all tests", "some tests"])
def test_lanes_without_a_test_fail_the_run_of_all_tests(given: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"PWSH": "/bin/true", "WINE_PWSH": "/bin/true"}
    environment.pop("IMAP4_TEST_ALL", None)
    if given:
        environment["IMAP4_TEST_ALL"] = "1"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *("tests/machines/winrm/test_wire.py", "-k", "recorder"),
        ],
        cwd=lanes.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert " passed" in done.stdout, done.stdout
    assert (done.returncode, *(SAYS.format(kind) in done.stdout for kind in ("linux", "windows"))) == (
        (1, True, True) if given else (0, False, False)
    )
