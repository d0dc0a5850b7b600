"""Recovery and names: what it says where name servers fail, and when it asks NetBIOS.

The namespace that the check's names are tested in, with its real name server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imap4.causes import CAUSES
from tests.machines.network import GOOD4, Network
from tests.machines.plugin import ROOT

ASK = """
import sys
from imap4.deadline import Deadline
from recovery.errors import RecoveryError
from recovery.machines.address import locate
try:
    print(locate(sys.argv[1], None, Deadline(float(sys.argv[2]))).address)
except RecoveryError as error:
    print(f"{type(error).__name__}: {error}")
"""


def ask(net: Network, name: str, folder: Path, seconds: float = 20) -> str:
    """What becomes of the name; nmblookup would leave a trace."""
    program = folder / "nmblookup"
    program.write_text(f"#!/bin/sh\n: > {folder}/asked\n")
    program.chmod(0o755)
    done = subprocess.run(
        [*net.prefix, sys.executable, "-c", ASK, name, str(seconds)],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.rstrip()


def test_a_name_with_an_address_is_found(net: Network, tmp_path: Path) -> None:
    assert ask(net, "good4.test", tmp_path) == GOOD4


def test_a_name_that_is_not_there_is_told_with_its_cause(net: Network, tmp_path: Path) -> None:
    said = "name not found [dns.not_found]"
    assert (
        ask(net, "none.test", tmp_path) == f"NameNotFound: none.test: {said}; {CAUSES['dns.not_found'].hint}"
    )
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("name", ["mail.failing.example", "mail.refused.example", "MAIL7"])
def test_name_servers_that_fail_are_told_and_netbios_is_not_asked(
    net: Network, tmp_path: Path, name: str
) -> None:
    said = "name not resolved: temporary failure in name resolution [dns.failure]"
    assert ask(net, name, tmp_path) == f"NameNotResolved: {name}: {said}; {CAUSES['dns.failure'].hint}"
    assert not (tmp_path / "asked").exists()


def test_name_servers_that_never_answer_hold_nobody(net: Network, tmp_path: Path) -> None:
    said = "name not resolved within 0.5 s [dns.timeout]"
    name = "mail.silent.example"
    assert ask(net, name, tmp_path, 0.5) == f"NameNotResolved: {name}: {said}; {CAUSES['dns.timeout'].hint}"
