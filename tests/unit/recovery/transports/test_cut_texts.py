"""What a machine says is cut for the last line: never within a secret that then nobody recognises."""

from __future__ import annotations

import secrets
from types import SimpleNamespace
from typing import Any, cast

import paramiko
import pytest
from winrm.exceptions import WSManFaultError

from recovery.model import Credential, Secret
from recovery.transports.scrubbed import scrubber_for
from recovery.transports.ssh.login import _banner
from recovery.transports.winrm.errors import Peer, explain
from recovery.transports.winrm.script import no_answer


@pytest.fixture
def credential() -> Credential:
    return Credential("mail", "admin", "password", password=Secret(secrets.token_hex(12)))


def around(credential: Credential, limit: int) -> str:
    """A text whose ``limit``-th character stands in the middle of the password."""
    assert credential.password is not None
    return "x" * (limit - 15) + " " + credential.password.reveal() + " and more"


def part_of(credential: Credential) -> str:
    assert credential.password is not None
    return credential.password.reveal()[:4]


def test_a_reason_of_winrms_is_cut_without_the_password(credential: Credential) -> None:
    peer = Peer("mail7", 5986, "https", "admin", "mail", "winrm-ntlm", scrubber_for(credential))
    for error in (
        WSManFaultError(500, "", "", reason=around(credential, 200)),
        ConnectionAbortedError(around(credential, 160)),
    ):
        said = str(explain(error, peer))
        assert "xxx ***" in said
        assert part_of(credential) not in said


def test_what_powershell_says_of_itself_is_cut_without_the_password(
    credential: Credential,
) -> None:
    said = str(no_answer(b"", around(credential, 200).encode(), 1, "mail7", scrubber_for(credential)))
    assert said.endswith("xxx *** and more)")
    assert part_of(credential) not in said


def test_what_sshd_says_of_a_login_is_cut_without_the_password(credential: Credential) -> None:
    handler = SimpleNamespace(banner=around(credential, 300).encode())
    connection = cast(paramiko.Transport, cast(Any, SimpleNamespace(auth_handler=handler)))
    said = _banner(connection, credential)
    assert said.startswith("; the machine says: xxx")
    assert "xxx ***" in said
    assert part_of(credential) not in said
