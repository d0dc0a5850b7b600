"""How a recovery goes into the background: which unit it is in, and what systemd-run is told.

A real systemd is not at hand in these tests: the command is compared word by word.
"""

from __future__ import annotations

import os
import sys

import pytest

from recovery.execution.detached import own_command, systemd_run_command, unit_of


@pytest.mark.parametrize(
    ("cgroups", "unit"),
    [
        ("0::/system.slice/nagios4.service\n", "nagios4.service"),
        ("12:cpu:/x\n1:name=systemd:/system.slice/icinga2.service\n0::/\n", "icinga2.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n", ""),
        ("0::/\n", ""),
        ("", ""),
        ("nonsense\n", ""),
    ],
)
def test_the_unit_is_read_from_the_control_group(cgroups: str, unit: str) -> None:
    assert unit_of(cgroups) == unit


def test_systemd_run_is_given_names_of_variables_and_no_values() -> None:
    environ = {"PATH": "/bin", "CREDENTIALS_DIRECTORY": "/run/credentials/x", "NAGIOS_SERVICEOUTPUT": "text"}
    command = systemd_run_command(["/usr/bin/python3", "-m", "recovery", "--", "a b"], 7, environ, True)
    assert command == [
        *("systemd-run", "--quiet", "--collect", "--no-ask-password", "--same-dir", "--user"),
        *(f"--unit=imap4-recovery-7-{os.getpid()}", "--description=check_imap4 recovery 7"),
        *("--property=StandardOutput=null", "--property=StandardError=null"),
        *("--setenv=PATH", "--setenv=CREDENTIALS_DIRECTORY"),
        *("--", "/usr/bin/python3", "-m", "recovery", "--", "a b"),
    ]


def test_the_system_manager_is_told_who_we_are() -> None:
    command = systemd_run_command(["x"], 7, {}, False)
    assert command[5:7] == [f"--uid={os.getuid()}", f"--gid={os.getgid()}"]


def test_the_own_command_takes_over_before_anything_of_the_machines_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        sys, "orig_argv", ["python3", "-I", "/usr/bin/imap4-recovery", "external-process", "--", "x"]
    )
    assert own_command(["external-process", "--", "x"], 7) == [
        *(sys.executable, "-I", "/usr/bin/imap4-recovery", "external-process", "--continue", "7", "--", "x")
    ]
