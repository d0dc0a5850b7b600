"""Icinga 2.14 of Debian 13, with the programs on Python 3.13 and Debian's own libraries."""

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from imap4.monitor.engines.command_lines import Programs
from imap4.monitor.engines.icinga2 import doctor
from imap4.monitor.engines.icinga2.verifier import version_of
from tests.engines import icinga
from tests.engines.conftest import ODD, Run
from tests.machines.debian import DEBIAN13_PYTHON, in_debian13, why_no_debian13

TOP = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["Plain", ODD])
def test_the_outage_goes_as_with_any_other_version(newer: Run, name: str) -> None:
    scenario = newer.scenarios[name]
    assert scenario.done(newer.recorder), newer.engine.log()[-3000:]
    scenario.check_tests(newer.recorder)
    scenario.check_notices(newer.recorder)


def test_a_downtime_silences_it(newer: Run) -> None:
    scenario = newer.scenarios["Downtime"]
    assert [test.status == 0 for test in scenario.tests(newer.recorder)] == scenario.results
    assert newer.recorder.notices("Downtime") == []


def test_the_doctor_knows_the_version_and_finds_nothing_wrong(
    newer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(newer.engine, icinga.Icinga)
    program = newer.engine.program
    version = version_of(program)
    assert version is not None
    assert (2, 14) <= version < (2, 15)
    monkeypatch.setenv("ICINGA2_USER", pwd.getpwuid(os.geteuid()).pw_name)
    monitors = [each.monitor for each in newer.scenarios.values()]
    api = newer.programs.icinga_api
    programs = dataclasses.replace(Programs(), recovery=newer.recorder.recovery, icinga_api=api)
    found = list(
        doctor.examine(
            str(newer.engine.folder / "icinga2.conf"),
            programs,
            monitors,
            defines=icinga.defines(newer.engine.folder),
            program=program,
        )
    )
    # The check was rendered with the other system's Python, which this one does not have.
    check = newer.recorder.check
    bad = [each for each in found if not each.ok and check not in each.title]
    assert bad == []
    assert any("the service Plain on the host mail is there" in each.title for each in found)


def test_a_configuration_that_is_not_valid_is_told_as_such(newer: Run) -> None:
    assert isinstance(newer.engine, icinga.Icinga)
    wrong = newer.engine.folder / "wrong.conf"
    wrong.write_text("object Nonsense {\n")
    first = next(iter(doctor.examine(str(wrong), Programs(), (), program=newer.engine.program)))
    assert (first.ok, first.title) == (False, f"{wrong} is not valid")


def test_a_comment_reaches_an_api_whose_certificate_is_icingas_own(newer: Run) -> None:
    assert newer.api is not None
    words = ["comment", "--host", "mail", "--service", "Plain", "from Python 3.13"]
    code = newer.recorder.folder / "code"
    environment = {
        "PYTHONPATH": str(code),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "IMAP4_ICINGA_API": f"https://localhost:{newer.api.port}",
        "IMAP4_ICINGA_USER": "imap4-recovery",
        "IMAP4_ICINGA_PASSWORD_FILE": str(newer.api.passwords["imap4-recovery"]),
        "IMAP4_ICINGA_CA_FILE": str(newer.api.ca_file),
    }
    program = in_debian13(newer.engine.folder, DEBIAN13_PYTHON, "-m", "imap4.monitor.cli", *words)
    ended = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=60)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 0)


ROOMS = [
    *("tests/unit/imap4/check", "tests/unit/imap4/worker", "tests/unit/imap4/test_trust.py"),
    *("tests/unit/imap4/monitor/definition", "tests/unit/imap4/monitor/engines"),
    # Over Debian's own paramiko, cryptography and winrm.
    "tests/unit/recovery/transports",
]
OURS = ("imap4", "recovery", "tests", "tools", "check_imap4", "benchmarks")


def _for_want_of_a_package(line: str) -> bool:
    """Whether a test fails for a library that Debian 13 has no package of, such as the reports' database."""
    missing = re.search(r"ModuleNotFoundError: No module named '(\w+)", line)
    return missing is not None and missing[1] not in OURS


@pytest.mark.skipif(bool(why_no_debian13()), reason=why_no_debian13())
def test_the_unit_tests_pass_on_python_3_13() -> None:
    """Those of the check, the engines, the worker and recovery's transports; the rest takes far longer."""
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
